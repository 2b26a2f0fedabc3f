"""The workbook: typed columns, frozen headings, filters; never a formula from data."""

import datetime as dt
import math
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from siteplanner import tables
from siteplanner.errors import OutputError
from siteplanner.labels import label
from siteplanner.outputs.dictionary import dictionary_rows
from siteplanner.outputs.exports import clean_text, gaps_in_words, rules_in_words
from siteplanner.outputs.move_rows import move_rows
from siteplanner.outputs.notes import note_texts
from siteplanner.outputs.parameters import parameter_rows
from siteplanner.outputs.wording import column_word, heading, in_words, known, unit_word, word
from siteplanner.plan import Plan
from siteplanner.scenario import Language

_CREATED = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - fixed, so that two runs write the same bytes
_MOST_ROWS = 20_000  # of rejected pairs, best first; more is for programs, not for a reader
_WIDTHS = (6.0, 60.0)
_BIG = 1_000.0  # from here decimals of an indicator say nothing
_SAMPLE = 200  # rows looked at for a column's width
_PEOPLE = (
    "residents", "aged_60", "covered", "households", "people", "pipeline", "moved_in", "count_", "customers",
    "outlets_all", "target",
)  # fmt: skip
_FORMATS = {
    "10,000 CNY": "#,##0.0",
    "10,000 CNY/year": "#,##0.0",
    "1/day": "#,##0.0",
    "0-100": "0.0",
    "1/year": "0.00%",
    "deg": "0.00000",
    "km": "0.00",
    "km2": "#,##0.0",
    "min": "0.0",
    "year": "0.0",
}
_PURE_NUMBERS = ("gini_",)  # indices between 0 and 1 that nobody writes in per cent
# Sheets without a contract of their own: every column is as its values are.
UNTYPED = tables.Table("parameters", "", "", ())
_INFINITE = {math.inf: "\u221e", -math.inf: "\u2212\u221e"}


def write_workbook(plan: Plan, path: Path, language: Language) -> dict[str, int]:
    """Write moves.xlsx; the same plan gives the same bytes. Return the rows of every sheet.

    Raises
    ------
    OutputError
        The disk refused.
    """
    return write_sheets(path, _title(plan, language), _sheets(plan, language), language)


def write_sheets(
    path: Path, title: str, sheets: list[tuple[str, pd.DataFrame, tables.Table]], language: Language
) -> dict[str, int]:
    """Write a workbook of sheets: key, rows with codes in words, contract; return the rows of every sheet.

    Raises
    ------
    OutputError
        The disk refused.
    """
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(str(path), options)
    book.set_properties({"title": title, "created": _CREATED})
    styles = _Styles(book)
    rows = {}
    for name, frame, table in sheets:
        _write_sheet(
            book.add_worksheet(word("sheets", name, language)[:31]), frame, (table, language), styles
        )
        rows[name] = len(frame)
    try:
        book.close()
    except FileCreateError as error:
        raise OutputError(f"{path}: {error}") from error
    return rows


def _title(plan: Plan, language: Language) -> str:
    title = plan.scenario.title_zh if language == "zh" else plan.scenario.title_en
    mark = f" ({label('report.synthetic', language)})" if plan.scenario.output.synthetic else ""
    return str(clean_text(title or plan.scenario.name)) + mark


def _sheets(plan: Plan, language: Language) -> list[tuple[str, pd.DataFrame, tables.Table]]:
    """Return every sheet's key, rows and column contract, codes already in words."""
    moves = move_rows(plan)
    moves = moves.assign(
        data_gaps=gaps_in_words(moves["data_gaps"], language),
        rules_checked=rules_in_words(moves["rules_checked"], language),
    )
    rejected = plan.relocation.rejected.sort_values(
        ["score", "branch_id", "site_id"], ascending=[False, True, True], kind="stable"
    ).head(_MOST_ROWS)
    names = plan.layers.counties["name"]
    county = _named(plan.ledger.counties, names)
    quotas = _named(plan.quotas.counties, names)
    zones = pd.DataFrame(plan.zones.zones.drop(columns="geometry")).reset_index()
    sheets = [
        ("moves", moves.reset_index(), tables.MOVE_ROWS),
        ("rejected", rejected.reset_index(drop=True), tables.REJECTED),
        ("county_kpis", county, tables.COUNTY_KPIS),
        ("kpis", _kpis(plan, language), tables.KPIS),
        ("reconciliation", _reconciliation(plan, language), tables.RECONCILIATION),
        ("zones", zones, tables.ZONES),
        ("zones_dropped", plan.zones.dropped.reset_index(), tables.ZONES_DROPPED),
        ("candidates", plan.candidates.sites.reset_index(), tables.CANDIDATES),
        ("county_quotas", quotas, tables.COUNTY_QUOTAS),
        ("forecast", _forecast(plan), tables.FORECAST),
        ("coefficients", _measured(plan.calibration.coefficients, language), tables.COEFFICIENTS),
        ("goodness", _measured(_goodness(plan), language), tables.GOODNESS),
        ("profile", plan.calibration.profile, tables.PROFILE),
        ("trace", plan.relocation.trace.reset_index(drop=True), tables.TRACE),
        ("parameters", parameter_rows(plan.scenario, language), UNTYPED),
        ("conservation", _conservation(plan, language), tables.CONSERVATION),
        ("dictionary", dictionary_rows(language), UNTYPED),
        ("notes", _notes(plan, language), UNTYPED),
    ]
    return [(name, in_words(frame, language), table) for name, frame, table in sheets]


def _kpis(plan: Plan, language: Language) -> pd.DataFrame:
    """Return the indicators in words; shares in per cent, so that every number stands beside its unit."""
    kpis = plan.ledger.kpis.reset_index()
    shares = kpis["unit"].eq("share") & ~kpis["kpi"].str.startswith(_PURE_NUMBERS)
    scale = shares.map({True: 100.0, False: 1.0})
    before, after = (kpis[when] * scale for when in ("before", "after"))
    units = kpis["unit"].map(lambda unit: unit_word(str(unit), language)).mask(shares, "%")
    words = kpis["kpi"].map(lambda key: word("kpis", str(key), language))
    return pd.DataFrame(
        {"kpi": words, "before": before, "after": after, "change": after - before, "unit": units}
    )


def _reconciliation(plan: Plan, language: Language) -> pd.DataFrame:
    """Return the lines from the market model's deposits to the ledger's, in words."""
    lines = plan.ledger.reconciliation.reset_index()
    return lines.assign(line=lines["line"].map(lambda key: word("kpis", str(key), language)))


def _goodness(plan: Plan) -> pd.DataFrame:
    """Return the rung, then the measures, shares in per cent."""
    fit = plan.calibration
    shares = fit.goodness["unit"].eq("share")
    told = fit.goodness.assign(
        value=fit.goodness["value"] * shares.map({True: 100.0, False: 1.0}),
        unit=fit.goodness["unit"].mask(shares, "%").replace("1", ""),
    )
    rung = pd.DataFrame({"value": [math.nan], "unit": [""]}, index=[f"rung_{fit.rung}"])
    return pd.concat([rung, told]).rename_axis("measure")


def _measured(frame: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Put the key of coefficients and measures in words; what it was fitted to stands beside its name."""
    keys = frame.index.to_series().map(lambda key: word("measures", str(key), language))
    fitted = frame.index.str.startswith("rung_")
    keys = keys.mask(fitted, word("measures", "rung", language) + " · " + keys)
    return frame.set_axis(pd.Index(keys, name=frame.index.name)).reset_index()


def _conservation(plan: Plan, language: Language) -> pd.DataFrame:
    """Return people in and out; what is no county, the whole region or what lies outside, in words."""
    table = plan.conservation.reset_index(drop=True)
    said = table["county_id"].map(lambda key: known("values", f"county.{key}", language) or key)
    return table.assign(county_id=said)


def _named(frame: pd.DataFrame, names: "pd.Series[str]") -> pd.DataFrame:
    rows = frame.reset_index()
    rows.insert(1, "name", names.reindex(frame.index).to_numpy())
    return rows


def _forecast(plan: Plan) -> pd.DataFrame:
    """Return the forecast, county by county, each with its name."""
    frame = plan.forecast.counties.sort_values(["county_id", "year"], kind="stable", ignore_index=True)
    frame.insert(1, "name", plan.layers.counties["name"].reindex(frame["county_id"]).to_numpy())
    return frame


def _notes(plan: Plan, language: Language) -> pd.DataFrame:
    said = [text for _, text in note_texts(plan, language)]
    if plan.scenario.output.synthetic:
        said.insert(0, label("report.synthetic_sentence", language))
    return pd.DataFrame({"note": said}, dtype=object)


class _Styles:
    """The workbook's cell formats, made once each."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[str, Any] = {}
        line = {"bottom": 1, "bottom_color": "#8A94A0", "valign": "vcenter", "text_wrap": True}
        self.heading = book.add_format({"bold": True, "bg_color": "#E8EDF2", "font_color": "#1C2430", **line})

    def number(self, pattern: str) -> Format:
        """Return the format with this number pattern."""
        if pattern not in self._made:
            self._made[pattern] = self._book.add_format({"num_format": pattern})
        return self._made[pattern]


def _write_sheet(
    sheet: Worksheet, frame: pd.DataFrame, about: tuple[tables.Table, Language], styles: _Styles
) -> None:
    table, language = about
    sheet.set_row(0, 32)
    for at, name in enumerate(map(str, frame.columns)):
        column = _column_of(table, name)
        title = heading(column, table.name, language) if column else column_word(name, table.name, language)
        values = frame[name].tolist()
        pattern = _pattern(column)
        sheet.set_column(at, at, _width(title, values, pattern))
        sheet.write_string(0, at, title, styles.heading)
        for row, value in enumerate(values, start=1):
            shown = _by_size(value) if table is tables.KPIS else pattern
            _write_cell(sheet, (row, at), value, styles.number(shown))
    sheet.freeze_panes(1, _frozen(table))
    if len(frame):
        sheet.autofilter(0, 0, len(frame), len(frame.columns) - 1)


def _frozen(table: tables.Table) -> int:
    return 3 if table is tables.MOVE_ROWS else 1 if table.key else 0


def _column_of(table: tables.Table, name: str) -> tables.Column | None:
    return next((column for column in table.columns if column.name == name), None)


def _write_cell(sheet: Worksheet, place: tuple[int, int], value: object, style: Format) -> None:
    """Write one value with its own type; nothing where nothing is known."""
    if value is None or value is pd.NaT:
        return
    if isinstance(value, str):
        if value:
            sheet.write_string(*place, clean_text(value))
    elif isinstance(value, dt.datetime):
        sheet.write_datetime(*place, value, style)
    elif isinstance(value, (int, float)) and not math.isnan(value):
        if math.isinf(value):
            sheet.write_string(*place, _INFINITE[value])
        else:
            sheet.write_number(*place, value, style)


def _pattern(column: tables.Column | None) -> str:
    """Return the number pattern of a column: from its contract, else as each value is."""
    if column is None:
        return "General"
    if column.kind in {"date", "time"}:
        return "yyyy-mm-dd" if column.kind == "date" else "yyyy-mm-dd hh:mm"
    if column.unit in _FORMATS:
        return "0" if column.kind == "int" else _FORMATS[column.unit]
    if column.kind == "int":
        return "#,##0"
    if column.unit == "1" and column.high == 1:
        return "0.0%"
    return "#,##0" if column.name.startswith(_PEOPLE) else "#,##0.00"


def _by_size(value: object) -> str:
    """Return the pattern of an indicator, whose column mixes units: decimals where they say something."""
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return "General"
    return "#,##0" if abs(value) >= _BIG or value % 1 == 0 else "#,##0.00"


def _width(title: str, values: list[Any], pattern: str) -> float:
    """Return a width in Excel's unit, letters; a Chinese letter takes two."""
    texts = [value for value in values[:_SAMPLE] if isinstance(value, str)]
    longest = max((_letters(text) for text in texts), default=0)
    number = max((len(f"{value:,.2f}") for value in values[:_SAMPLE] if _is_finite(value)), default=0)
    date = len(pattern) if pattern.startswith("y") else 0
    return min(max(_letters(title) * 0.6, longest, number, date, _WIDTHS[0]) + 2.0, _WIDTHS[1])


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _letters(text: str) -> int:
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)  # noqa: PLR2004 - where CJK begins
