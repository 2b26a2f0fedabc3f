"""The house itself: words, doors, pages and commands hold what they promise."""

import re
import subprocess
import sys
import tomllib

import pytest
from click.testing import CliRunner

from siteplanner.cli import siteplanner
from siteplanner.errors import Fault, InputError
from siteplanner.labels import all_labels, label
from siteplanner.outputs.parameters import parameters

CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")


@pytest.mark.parametrize("key", sorted(all_labels()))
def test_every_word_exists_in_both_languages(key):
    words = all_labels()[key]
    assert set(words) == {"zh", "en"}
    assert words["zh"].strip()
    assert words["en"].strip()
    places = {language: set(re.findall(r"\{(\w+)", text)) for language, text in words.items()}
    assert places["zh"] == places["en"]


def test_no_chinese_in_code(root):
    code = [
        *root.glob("siteplanner/**/*.py"),
        *root.glob("scripts/**/*.py"),
        *root.glob("siteplanner/**/*.js"),
    ]
    assert [str(path) for path in code if CHINESE.search(path.read_text(encoding="utf-8"))] == []


def test_every_parameter_says_what_it_means():
    assert [parameter.key for parameter in parameters() if not parameter.meaning] == []


def test_no_label_for_an_unknown_key():
    with pytest.raises(KeyError):
        label("cli.no_such_word", "en")


@pytest.mark.parametrize("command", sorted(siteplanner.commands))
def test_every_command_has_help_and_stands_in_the_readme(command, root):
    result = CliRunner().invoke(siteplanner, [command, "--help"])
    assert result.exit_code == 0
    assert siteplanner.commands[command].help
    assert f"siteplanner {command}" in (root / "README.md").read_text(encoding="utf-8")


def test_generated_pages_are_fresh(root):
    sys.path.insert(0, str(root / "scripts"))
    try:
        from make_docs import pages
    finally:
        sys.path.pop(0)
    for name, text in pages().items():
        assert (root / "docs" / name).read_text(encoding="utf-8") == text, f"run scripts/make_docs.py: {name}"


def test_pages_are_finished_in_both_languages(root):
    for page in [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("maps/*.md")]:
        assert "@@" not in page.read_text(encoding="utf-8"), page.name
    for page in root.glob("docs/*.zh-CN.md"):
        english = page.with_name(page.name.replace(".zh-CN", ""))
        levels = [re.findall(r"^#+", text.read_text("utf-8"), re.MULTILINE) for text in (page, english)]
        assert levels[0] == levels[1], page.name


def test_locks_name_no_registry_and_every_version_has_a_hash(root):
    for lock in root.glob("requirements/*.lock"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        pins = re.split(r"\n(?=[a-zA-Z])", text.strip())
        assert all("--hash=sha256:" in pin for pin in pins)


def test_every_dependency_is_locked(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = {
        line.split("==")[0]
        for line in (root / "requirements/run.lock").read_text().splitlines()
        if "==" in line
    }
    assert {re.split(r"[>=<]", name)[0] for name in project["dependencies"]} <= locked


def test_unknown_scenario_ends_with_two_and_one_line(tmp_path):
    command = [sys.executable, "-m", "siteplanner", "check", str(tmp_path / "nowhere.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_fault_says_file_place_column_found_and_expected():
    fault = Fault(
        "branches.csv", "line 9 (branch_id B0008)", "visits_per_day", '"about 8000"', "a number >= 0"
    )
    text = (
        "branches.csv line 9 (branch_id B0008), column visits_per_day: "
        'found "about 8000", expected a number >= 0'
    )
    assert str(InputError([fault])) == text
