# Two commands: `make run` makes the plan of the embedded sample, `make test` runs the tests.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: run test spark lint lock sample clean

run: $(VENV)/.run-installed
	$(BIN)/siteplanner run data/shanxi/scenario.toml

test: $(VENV)/.test-installed
	$(BIN)/python -m pytest

# Style, types and the doors between the rooms.
lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("siteplanner needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-installed: requirements/run.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --require-hashes -r requirements/run.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.test-installed: requirements/test.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --require-hashes -r requirements/test.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/.run-installed

# The second engine, for the tests that run on both: needs Java 17. Without it those tests are skipped.
spark: $(VENV)/.spark-installed

$(VENV)/.spark-installed: requirements/spark-build.lock requirements/spark.lock | $(VENV)/.test-installed
	$(PIP) install --quiet --require-hashes -r requirements/spark-build.lock
	$(PIP) install --quiet --require-hashes --no-deps --no-build-isolation -r requirements/spark.lock
	touch $@

# Lock again after changing pyproject.toml (needs uv); the locks name no registry.
PIN  = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
LOCK = $(PIN) pyproject.toml requirements/build.in
lock:
	$(LOCK) -o requirements/run.lock
	$(LOCK) --extra dev -c requirements/run.lock -o requirements/test.lock
	$(LOCK) --extra spark -c requirements/run.lock -o requirements/spark.lock
	$(PIN) requirements/spark.in -c requirements/test.lock -o requirements/spark-build.lock

# Build data/shanxi again from its sources.
sample: $(VENV)/.run-installed
	$(BIN)/python scripts/build_shanxi.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
