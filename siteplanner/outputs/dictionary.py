"""The data dictionary: every table and column, made from `tables` and the labels."""

import pandas as pd

from siteplanner import tables
from siteplanner.labels import label
from siteplanner.outputs.wording import column_word, word
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
    meaning = f"{table.meaning}. " if language == "en" else ""
    shown = [name for name in _COLUMNS[1:] if name != "absent" or rows["absent"].any()]
    lines = [f"### {title} · `{table.name}`", "", f"{meaning}{key}".strip(), ""]
    lines.append("| " + " | ".join(column_word(name, "", language) for name in shown) + " |")
    lines.append("|" + "---|" * len(shown))
    for row in rows[shown].to_dict("records"):
        cells = [f"`{value}`" if name == "column" else _escaped(str(value)) for name, value in row.items()]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _row(table: tables.Table, column: tables.Column, language: Language) -> tuple[str, ...]:
    unit = word("units", column.unit, language) if column.unit else ""
    kind = word("values", f"type.{column.kind}", language)
    words = column_word(column.name, table.name, language)
    return (table.name, column.name, words, kind, unit, _range(column), column.meaning, column.absent)


def _range(column: tables.Column) -> str:
    if column.values:  # noqa: PD011 - our own record, no frame
        return ", ".join(column.values)
    low = "" if column.low is None else f"{column.low:g}"
    high = "" if column.high is None else f"{column.high:g}"
    return f"{low} \u2026 {high}".strip() if low or high else ""
