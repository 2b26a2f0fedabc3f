"""A scenario's TOML file, its base and the overrides of a command line to one checked record."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from siteplanner.errors import Fault, InputError
from siteplanner.scenario import Scenario

# Keys that name a file, by their last part; a base in another folder means files beside itself.
FILE_KEYS = ("path", "tiles", "earlier", "aged_60", "catalogue")
BASE_DEPTH_MAX = 8
OVERRIDES = "--set"
# Rounds of leaving out faulty keys: a section may show new faults once its first ones are gone.
REPAIRS_MAX = 3
# What is assumed for the sake of checking files when a scenario says it wrongly or not at all.
STAND_INS: dict[str, Any] = {"datum": "wgs84", "year": 2000, "kind": "points", "name": "unnamed"}

_LINE = re.compile(r"\(at (?:line (\d+), column \d+|end of document)\)")
_VIRTUAL = re.compile(r"^\s*(/|\\|[A-Za-z][\w+.-]*:)")


def load_scenario(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario: first its base, then the file itself, then the overrides.

    Parameters
    ----------
    path
        TOML file. ``base = "other.toml"`` names another that is read first; the files that it names lie
        beside it.
    overrides
        ``key=value`` with dotted keys; the value is TOML, a bare word is text.

    Raises
    ------
    InputError
        Naming the file and the key of every fault.
    """
    scenario, faults = try_scenario(path, overrides)
    if faults or scenario is None:
        raise InputError(faults)
    return scenario


def try_scenario(
    path: str | Path, overrides: Sequence[str] = ()
) -> tuple[Scenario | None, tuple[Fault, ...]]:
    """Read a scenario as far as it goes: its faults, and what remains when faulty keys are left out.

    The remainder serves to check the files too, so that one look finds everything; it is None when too little
    is left. It must not be run when there are faults.
    """
    place = Path(path)
    content, origin = _read_chain(place, place.parent, 0)
    for override in overrides:
        keys, value = _parse_override(override)
        _put(content, keys, value)
        origin[".".join(keys)] = OVERRIDES
    faults: tuple[Fault, ...] = ()
    for _ in range(REPAIRS_MAX):
        try:
            return Scenario.model_validate(content), faults
        except ValidationError as error:
            details = error.errors()
        faults = faults or tuple(_fault(detail, origin, place.name) for detail in details)
        for detail in details:
            _leave_out(content, [str(part) for part in detail["loc"]])
    return None, faults


def _leave_out(content: dict[str, Any], keys: Sequence[str]) -> None:
    """Remove a faulty key; one that files cannot be checked without gets a stand-in."""
    inner: Any = content
    for key in keys[:-1]:
        inner = inner.get(key) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not keys:
        return
    inner.pop(keys[-1], None)
    if keys[-1] in STAND_INS and keys[0] in {"inputs", "name"}:
        inner[keys[-1]] = STAND_INS[keys[-1]]


def _read_chain(path: Path, folder: Path, depth: int) -> tuple[dict[str, Any], dict[str, str]]:
    content = _read_toml(path)
    base = content.pop("base", None)
    _rebase(content, path.parent, folder)
    origin = dict.fromkeys((".".join(keys) for keys, _ in _leaves(content)), path.name)
    if base is None:
        return content, origin
    if not isinstance(base, str) or depth >= BASE_DEPTH_MAX:
        expected = f"the name of one TOML file, at most {BASE_DEPTH_MAX} deep"
        raise InputError([Fault(path.name, "key base", "", f"{base!r}", expected)])
    below, below_origin = _read_chain(path.parent / base, folder, depth + 1)
    return _merged(below, content), {**below_origin, **origin}


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError([Fault(str(path), "", "", "no such file", "a scenario in TOML")])
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02X} at position {error.start}"
        raise InputError([Fault(path.name, "", "", found, "TOML in UTF-8")]) from None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        line = _LINE.search(message)
        where = f"line {line.group(1)}" if line and line.group(1) else ""
        raise InputError(
            [Fault(path.name, where, "", _LINE.sub("", message).strip(), "valid TOML")]
        ) from None
    except OSError as error:
        raise InputError(
            [Fault(str(path), "", "", f"an unreadable file ({error.strerror})", "TOML")]
        ) from None


def _parse_override(override: str) -> tuple[list[str], Any]:
    key, sign, text = override.partition("=")
    keys = [part.strip().strip('"') for part in key.split(".")]
    if not sign or not all(keys):
        raise InputError([Fault(OVERRIDES, "", "", f'"{override}"', "key=value, the key dotted")])
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return keys, text.strip()
    return keys, parsed["value"] if parsed.keys() == {"value"} else text.strip()


def _put(content: dict[str, Any], keys: Sequence[str], value: object) -> None:
    for key in keys[:-1]:
        below = content.setdefault(key, {})
        if not isinstance(below, dict):
            raise InputError(
                [Fault(OVERRIDES, f"key {'.'.join(keys)}", "", f"a value at {key}", "a section")]
            )
        content = below
    content[keys[-1]] = value


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _leaves(content: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        yield (*above, key), value


def _rebase(content: dict[str, Any], here: Path, folder: Path) -> None:
    """Rewrite files that a base names so that they are found from the scenario's folder."""
    if here.resolve() == folder.resolve():
        return
    for keys, value in list(_leaves(content)):
        names_file = keys[0] in {"inputs", "formats"} and keys[-1] in FILE_KEYS and "columns" not in keys
        if names_file and isinstance(value, str):
            _put(content, keys, _moved(value, here, folder))
        elif names_file and isinstance(value, list):
            _put(content, keys, [_moved(one, here, folder) for one in value])


def _moved(name: Any, here: Path, folder: Path) -> Any:  # noqa: ANN401 - a list may hold anything
    if not isinstance(name, str) or _VIRTUAL.match(name):
        return name
    return Path(os.path.relpath((here / name).absolute(), folder.absolute())).as_posix()


def _fault(detail: Any, origin: Mapping[str, str], name: str) -> Fault:  # noqa: ANN401 - pydantic's dict
    keys = tuple(str(part) for part in detail["loc"])
    file = next(
        (origin[".".join(keys[:n])] for n in range(len(keys), 0, -1) if ".".join(keys[:n]) in origin), name
    )
    found = "nothing" if detail["type"] == "missing" else _shown(detail["input"])
    expected = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        found, expected = "a key that has no meaning", _known_keys(keys)
    elif detail["type"] == "missing":
        expected = "a value; the key is required"
    elif detail["type"] in {"model_type", "dict_type", "model_attributes_type"}:
        expected = f"a section, [{'.'.join(keys)}]"
    elif expected.startswith("Input should be "):
        expected = expected.removeprefix("Input should be ")
    return Fault(file, f"key {'.'.join(keys)}" if keys else "", "", found, expected)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a section"
    return f'"{value}"'[:80] if isinstance(value, str) else repr(value)[:80]


def _known_keys(keys: Sequence[str]) -> str:
    model: Any = Scenario
    for key in keys[:-1]:
        annotation = model.model_fields[key].annotation if key in model.model_fields else None
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next((option for option in options if hasattr(option, "model_fields")), None)
        if model is None:
            return "a known key"
    return "one of " + ", ".join(model.model_fields)
