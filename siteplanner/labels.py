"""Every word a reader sees, in Chinese and English."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

Language = Literal["zh", "en"]


@cache
def _words() -> dict[str, dict[str, dict[str, str]]]:
    text = files("siteplanner").joinpath("labels.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


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
