"""Codes into words, numbers into text: one habit for the memo, the workbook and the CSV."""

import math

import pandas as pd

from siteplanner import tables
from siteplanner.labels import label, section_labels
from siteplanner.scenario import Language

# Which section of the labels explains the codes of a column; None of these columns holds free text.
_SECTION_OF = {
    "tier": "tiers",
    "format": "formats",
    "zone_class": "classes",
    "role": "roles",
    "rule": "rules",
    "veto": "rules",
}
_REASONS = ("reasons", "rejections", "quota_reasons")
_VALUES = ("destination_type", "origin", "severity", "settlement", "kind", "layer", "status", "waits_for")
_PLAIN_UNITS = ("", "1", "share")
_PREFIXES = ("from_", "to_")
NO_NUMBER = "\u2013"
_MINUS = "\u2212"


# From this amount (10,000 CNY): divide by, decimals, words.
_MONEY: dict[Language, tuple[tuple[float, float, int, str], ...]] = {
    "zh": ((10_000.0, 10_000.0, 2, "money_large"), (0.0, 1.0, 0, "money_small")),
    "en": ((100_000.0, 100_000.0, 2, "money_large"), (0.0, 100.0, 1, "money_small")),
}


def known(section: str, key: str, language: Language) -> str | None:
    """Return the words for a key, or None when the labels have none (free text, or a key of the user)."""
    try:
        words = section_labels(section, language)
    except KeyError:
        return None
    return words.get(key)


def word(section: str, key: str, language: Language) -> str:
    """Return the words for a key; the key itself where there are none."""
    words = known(section, key, language)
    return key if words is None else words


def value_word(column: str, value: object, language: Language) -> object:
    """Return the words for a code in a column; other values unchanged."""
    if isinstance(value, bool):
        return word("report", "yes" if value else "no", language)
    if not isinstance(value, str) or not value:
        return value
    stem = stem_of(column)
    if stem == "reason":
        return reason_word(value, language)
    if stem in _VALUES:
        return word("values", f"{stem}.{value}", language)
    return word(_SECTION_OF[stem], value, language) if stem in _SECTION_OF else value


def unit_word(unit: str, language: Language) -> str:
    """Return the words for a unit; nothing for plain counts and shares."""
    return "" if unit in _PLAIN_UNITS else word("units", unit, language)


def reason_word(key: str, language: Language) -> str:
    """Return the words for a reason of a move, a rejection or a quota; the key where there are none."""
    found = (known(section, key, language) for section in _REASONS)
    return next((words for words in found if words), key)


def stem_of(column: str) -> str:
    """Return a column's name without the prefix or number that a joined table gives it."""
    for prefix in _PREFIXES:
        column = column.removeprefix(prefix)
    if column.startswith("format_"):
        return "reason" if column == "format_reason" else "format"
    return "reason" if column.startswith("reason_") else column


def in_words(frame: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Replace codes by words, column by column; the frame given is not modified."""
    changed = {}
    for name in frame.columns:
        stem = stem_of(name)
        if stem in {"reason", *_SECTION_OF, *_VALUES} or frame[name].dtype == bool:
            codes = frame[name].astype(object)
            changed[name] = codes.map({code: value_word(name, code, language) for code in codes.unique()})
    return frame.assign(**changed)


def heading(column: tables.Column, table: str, language: Language, *, unit: bool = True) -> str:
    """Return a column's heading, with its unit in brackets."""
    words = column_word(column.name, table, language)
    shown = unit_word(column.unit, language)
    if not unit or not shown:
        return words
    return label("report.with_unit", language, words=words, unit=shown)


def column_word(name: str, table: str, language: Language) -> str:
    """Return the words for a column: those of this table, else those that all tables share."""
    return known("columns", f"{table}.{name}", language) or word("columns", name, language)


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with thousands separators; a dash when there is none, no minus before a zero."""
    if value is None or not math.isfinite(value):
        return "∞" if value is not None and value == math.inf else NO_NUMBER
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text.replace("-", _MINUS)


def signed(value: float, digits: int = 0) -> str:
    """Write a number with its sign, plus as well as minus."""
    text = number(value, digits)
    return f"+{text}" if math.isfinite(value) and value > 0 and text.strip("0.,") else text


def money(wan: float, language: Language, *, plus: bool = False) -> str:
    """Write an amount of 10,000 CNY in the unit that a reader of the language says aloud."""
    if not math.isfinite(wan):
        return number(wan)
    _, scale, digits, key = next(step for step in _MONEY[language] if abs(wan) >= step[0])
    amount = (signed if plus else number)(wan / scale, digits)
    return label(f"report.{key}", language, amount=amount)


def percent(share: float, digits: int = 1) -> str:
    """Write a share as a percentage."""
    return number(None) if not math.isfinite(share) else f"{number(share * 100, digits)}%"
