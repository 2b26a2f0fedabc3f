"""The data dictionary: every table and column, made from `tables` and the labels."""

import pandas as pd

from siteplanner import tables
from siteplanner.labels import label, meaning
from siteplanner.outputs.wording import column_word, known, unit_word, value_word, word
from siteplanner.scenario import Language

_COLUMNS = ("table", "column", "heading", "type", "unit", "range", "meaning", "absent")


def dictionary_rows(language: Language) -> pd.DataFrame:
    """List the columns of all tables, inputs first, then steps and outputs, one row each."""
    rows = [
        _row(table, column, language)
        for group in (tables.INPUT_TABLES, tables.STEP_TABLES, tables.OUTPUT_TABLES)
        for table in group
        for column in table.columns
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS), dtype=object)


def data_dictionary(language: Language) -> str:
    """Return the data dictionary as Markdown."""
    rows = dictionary_rows(language)
    lines = [
        f"# {label('report.dictionary_title', language)}",
        "",
        label("report.dictionary_intro", language),
    ]
    groups = (
        ("inputs", tables.INPUT_TABLES),
        ("steps", tables.STEP_TABLES),
        ("outputs", tables.OUTPUT_TABLES),
    )
    for group, members in groups:
        lines += ["", f"## {label(f'report.dictionary_{group}', language)}"]
        for table in members:
            lines += ["", *_section(table, rows[rows["table"] == table.name], language)]
    return "\n".join(lines) + "\n"


def _section(table: tables.Table, rows: pd.DataFrame, language: Language) -> list[str]:
    title = word("sheets", table.name, language)
    key = label("report.dictionary_key", language, name=f"`{table.key}`") if table.key else ""
    shown = [name for name in _COLUMNS[1:] if name != "absent" or rows["absent"].any()]
    said = label("report.dictionary_table", language, meaning=meaning("tables", table.meaning, language))
    lines = [f"### {title} · `{table.name}`", "", f"{said}{key}".strip(), ""]
    lines.append("| " + " | ".join(column_word(name, "", language) for name in shown) + " |")
    lines.append("|" + "---|" * len(shown))
    for row in rows[shown].to_dict("records"):
        cells = [f"`{value}`" if name == "column" else _escaped(str(value)) for name, value in row.items()]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _row(table: tables.Table, column: tables.Column, language: Language) -> tuple[str, ...]:
    unit = unit_word(column.unit, language)
    kind = word("values", f"type.{column.kind}", language)
    words = column_word(column.name, table.name, language)
    code = _code(column.absent, column.name, table.name, language)
    absent = known("absent", column.absent, language) or code
    said = meaning("columns", column.meaning, language)
    return (table.name, column.name, words, kind, unit, _range(column, table.name, language), said, absent)


def _code(code: str, column: str, table: str, language: Language) -> str:
    """Return a code, for a Chinese reader with its words; the English codes are words themselves."""
    if language == "en":
        return code
    words = known("values", f"{table}.{column}.{code}", language) or value_word(column, code, language)
    return code if words == code else label("report.with_unit", language, words=code, unit=words)


def _range(column: tables.Column, table: str, language: Language) -> str:
    if column.values:  # noqa: PD011 - our own record, no frame
        codes = column.values  # noqa: PD011 - the same
        said = (_code(code, column.name, table, language) for code in codes)
        return label("report.list_comma", language).join(said)
    low = "" if column.low is None else f"{column.low:,.7g}"
    high = "" if column.high is None else f"{column.high:,.7g}"
    if column.unit == "year":
        low, high = low.replace(",", ""), high.replace(",", "")
    return f"{low} \u2026 {high}".strip() if low or high else ""
