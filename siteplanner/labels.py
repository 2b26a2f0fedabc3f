"""Every word a reader sees, in Chinese and English.

The words stand in `labels.toml`; the Chinese for what `tables` says of tables and columns in `meanings.toml`.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Language = Literal["zh", "en"]


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("siteplanner").joinpath(name).read_text(encoding="utf-8"))


@cache
def _words() -> dict[str, dict[str, dict[str, str]]]:
    return _read("labels.toml")


@cache
def chinese_meanings() -> dict[str, dict[str, str]]:
    """Return the Chinese of every meaning by its English: ``tables`` and ``columns``."""
    return _read("meanings.toml")


def meaning(section: Literal["tables", "columns"], english: str, language: Language) -> str:
    """Return what a table or column means; KeyError when the Chinese has fallen behind the English."""
    return english if language == "en" else chinese_meanings()[section][english]


def label(key: str, language: Language, **values: object) -> str:
    """Return the words for ``section.key``, with ``{name}`` places filled; KeyError when there are none."""
    section, _, name = key.partition(".")
    text = _words()[section][name][language]
    return text.format(**values) if values else text


def section_labels(section: str, language: Language) -> dict[str, str]:
    """Return all words of a section in one language, by key."""
    return {name: words[language] for name, words in _words()[section].items()}


def all_labels() -> dict[str, dict[str, str]]:
    """Return both languages of every word, by ``section.key``: for the tests that look for gaps."""
    return {f"{section}.{name}": words for section, keys in _words().items() for name, words in keys.items()}
