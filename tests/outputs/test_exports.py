"""The data files: safe to open, the same on every run, whole when read back."""

import csv
import datetime as dt
import hashlib
import json
import math
import re
import sqlite3
from dataclasses import replace

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
from defusedxml.ElementTree import fromstring
from fake_plan import fake_plan

from siteplanner import tables
from siteplanner.labels import label, section_labels
from siteplanner.outputs.exports import (
    clean_text,
    conservation,
    csv_text,
    plain_text,
    write_cells,
    write_moves_csv,
)
from siteplanner.outputs.folder import write_outputs
from siteplanner.outputs.geopackage import write_geopackage
from siteplanner.outputs.move_rows import move_rows, zones_at
from siteplanner.outputs.workbook import write_workbook

FILES = {
    "map.html",
    "report.html",
    "moves.csv",
    "forecast.csv",
    "moves.xlsx",
    "plan.gpkg",
    "cells.parquet",
    "people.parquet",
    "h3.parquet",
    "manifest.json",
}


@pytest.fixture(scope="module")
def plan():
    return fake_plan(hostile=True)


@pytest.fixture(scope="module")
def folder(plan, tmp_path_factory):
    out = tmp_path_factory.mktemp("maps") / "fake"
    write_outputs(plan, out, "zh", "0.1.0")
    return out


@pytest.fixture(scope="module")
def manifest(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def read_moves(folder):
    with (folder / "moves.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


# --- the whole folder ---


def test_every_file_is_there_and_the_manifest_vouches_for_it(folder, manifest):
    assert {path.name for path in folder.iterdir()} == FILES
    assert set(manifest["files"]) == FILES - {"manifest.json"}
    for name, facts in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert facts["bytes"] == len(data)
        assert facts["sha256"] == hashlib.sha256(data).hexdigest()
    assert manifest["files"]["moves.csv"]["rows"] == 6


def test_two_runs_write_the_same_bytes(plan, folder, manifest, tmp_path):
    slower = replace(plan, seconds={"grid": 99.0}, peak_mb={"grid": 9_999.0})
    again = write_outputs(slower, tmp_path / "again", "zh", "0.1.0")
    for name in FILES - {"manifest.json"}:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name
    assert {**again, "measured": {}} == {**manifest, "measured": {}}
    assert again["measured"] != manifest["measured"]


def test_the_manifest_says_what_was_run(plan, manifest):
    assert manifest["scenario"] == plan.scenario.model_dump(mode="json")
    assert manifest["inputs"] == {"population.tif": "0" * 64}
    assert manifest["solver"]["bound"] == 1095.5
    assert manifest["seed"] == plan.scenario.relocation.seed


def test_people_are_summed_by_layer_and_county():
    table = pd.DataFrame(
        {
            "layer": ["residents", "residents", "aged_60"],
            "county_id": ["B", "A", "A"],
            "count_in": [0.1, 0.2, 5.0],
            "count_out": [0.1, 0.2, 4.0],
            "nodata_pixels": [3, 4, 0],
        }
    )
    result = conservation(table)
    assert result["residents"]["in"] == math.fsum([0.1, 0.2])
    assert list(result["residents"]["counties"].items()) == [("A", [0.2, 0.2]), ("B", [0.1, 0.1])]
    assert result["aged_60"]["relative_difference"] == 0.2
    assert "within_borders" not in result["residents"]
    exact = conservation(table.assign(count_exact=[0.15, 0.25, float("nan")]))
    assert exact["residents"]["within_borders"] == {"A": 0.25, "B": 0.15}
    assert "within_borders" not in exact["aged_60"]
    assert [result[layer]["nodata_pixels"] for layer in ("residents", "aged_60")] == [7, 0]


def test_a_failure_while_writing_leaves_the_old_result(plan, tmp_path, monkeypatch):
    out = tmp_path / "out"
    write_outputs(plan, out, "zh", "0.1.0")
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(*_args, **_kwargs):
        raise RuntimeError("killed")

    monkeypatch.setattr("siteplanner.outputs.folder.write_geopackage", fail)
    with pytest.raises(RuntimeError):
        write_outputs(plan, out, "en", "0.1.0")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


# --- moves.csv ---


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_starts_a_formula(start):
    guarded = csv_text(f"{start}1+1")
    assert guarded.startswith("'")
    if start not in "\t\r":
        assert plain_text(guarded) == f"{start}1+1"


def test_unseen_characters_are_replaced():
    assert clean_text("a\x0bb\u202ec\x00") == "a\ufffdb\ufffdc\ufffd"
    assert clean_text(3.5) == 3.5
    assert plain_text("'quoted'") == "'quoted'"


def test_the_move_table_is_complete_ordered_and_guarded(plan, folder):
    raw = (folder / "moves.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf"), "Excel in China needs the mark to read UTF-8"
    rows = read_moves(folder)
    assert list(rows[0]) == ["seq", *(column.name for column in tables.MOVE_ROWS.columns)]
    assert [row["seq"] for row in rows] == [str(seq) for seq in plan.relocation.moves.index]
    assert rows[5]["branch_name"] == '\'=HYPERLINK("http://x") 5'
    for row in rows:
        assert not any(value[:1] in set("=@\t\r") for value in row.values())


def test_numbers_of_the_move_table_read_back(plan, folder):
    rows = pd.read_csv(folder / "moves.csv", encoding="utf-8-sig", index_col="seq")
    for name in ("npv_wan", "lost_high_wan", "net_visits", "break_even_retention"):
        assert np.allclose(rows[name], plan.ledger.moves[name], rtol=1e-9, atol=0), name


def test_move_rows_keep_their_contract(plan):
    tables.check(move_rows(plan), tables.MOVE_ROWS)


def test_reasons_are_in_words_and_codes_stay_codes(plan, tmp_path):
    moves = plan.ledger.moves.assign(reason_1="release_overlap")
    worded = replace(plan, ledger=replace(plan.ledger, moves=moves))
    write_moves_csv(worded, tmp_path / "moves.csv", "en")
    with (tmp_path / "moves.csv").open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.DictReader(file))
    assert first["reason_1"] == label("reasons.release_overlap", "en")
    assert first["from_tier"] in tables.TIERS
    assert first["rules_checked"].startswith("ok: ")


def test_a_plan_without_moves_writes_headings_only(plan, tmp_path):
    empty = replace(
        plan,
        relocation=replace(plan.relocation, moves=plan.relocation.moves.head(0)),
        ledger=replace(plan.ledger, moves=plan.ledger.moves.head(0)),
        formats=replace(plan.formats, branches_after=plan.layers.branches.assign(moved=False)),
    )
    assert write_moves_csv(empty, tmp_path / "moves.csv", "zh") == 0
    assert len((tmp_path / "moves.csv").read_text(encoding="utf-8-sig").splitlines()) == 1
    write_outputs(empty, tmp_path / "out", "en", "0.1.0")


def test_zones_are_found_by_place_and_ties_go_to_the_first_id():
    squares = gpd.GeoSeries.from_wkt(
        ["POLYGON((1 0,2 0,2 1,1 1,1 0))", "POLYGON((0 0,1 0,1 1,0 1,0 0))"], crs=4326
    )
    zones = gpd.GeoDataFrame(
        geometry=squares.to_numpy(), index=pd.Index(["Z2", "Z1"], name="zone_id"), crs=4326
    )
    points = pd.DataFrame({"lon": [1.5, 1.0, 9.0], "lat": [0.5, 0.5, 9.0]})
    assert zones_at(zones, points).tolist() == ["Z2", "Z1", ""]


# --- moves.xlsx ---


@pytest.fixture(scope="module")
def book(folder):
    return openpyxl.load_workbook(folder / "moves.xlsx")


def test_no_cell_of_the_workbook_is_a_formula_or_a_link(book):
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f", (sheet.title, cell.coordinate, cell.value)
                assert cell.hyperlink is None


def test_the_workbook_has_every_sheet_frozen_and_filtered(book):
    words = section_labels("sheets", "zh")
    keys = ["moves", "rejected", "county_kpis", "kpis", "reconciliation", "zones", "zones_dropped",
            "candidates", "county_quotas", "forecast", "coefficients", "goodness", "profile", "trace",
            "parameters", "conservation", "dictionary", "notes"]  # fmt: skip
    assert book.sheetnames == [words[key] for key in keys]
    for sheet in book:
        assert sheet.freeze_panes.endswith("2"), sheet.title
        assert sheet.auto_filter.ref, sheet.title


def test_columns_of_the_workbook_are_typed(book, plan):
    sheet = book[label("sheets.moves", "zh")]
    heads = {cell.value: cell.column for cell in sheet[1]}
    lease = sheet.cell(2, heads[label("columns.lease_end", "zh")])
    assert isinstance(lease.value, dt.datetime)
    assert lease.number_format == "yyyy-mm-dd"
    npv = sheet.cell(2, heads_column(heads, "npv_wan"))
    assert npv.value == pytest.approx(plan.ledger.moves["npv_wan"].iloc[0])
    assert npv.number_format == "#,##0.0"
    payback = [row[heads_column(heads, "payback_years") - 1] for row in sheet.iter_rows(2, values_only=True)]
    assert payback[3] == "\u221e", "a payback that never comes is said, not left to a formula"


def heads_column(heads, name):
    words = label(f"columns.{name}", "zh")
    return next(column for head, column in heads.items() if head.startswith(words))


def test_every_parameter_is_in_the_workbook(book):
    sheet = book[label("sheets.parameters", "zh")]
    names = {row[0] for row in sheet.iter_rows(2, values_only=True)}
    assert {"grid.cell_m", "access.core.speed_kmh", "economics.ramp", "relocation.seed"} <= names


def test_the_workbook_says_first_that_data_are_synthetic(book):
    assert book[label("sheets.notes", "zh")].cell(2, 1).value == label("report.synthetic_sentence", "zh")


def test_the_chinese_workbook_leaves_no_english_sentence(book):
    # The sheets that hold our words alone; the others hold names of the data as well.
    for key in ("kpis", "trace", "parameters", "conservation", "dictionary", "notes"):
        sheet = book[label(f"sheets.{key}", "zh")]
        for row in sheet.iter_rows(values_only=True):
            for value in row[3:] if key == "parameters" else row:  # before: names and values of the user
                words = re.findall(r"[A-Za-z]{2,}", value) if isinstance(value, str) else []
                chinese = isinstance(value, str) and re.search("[\u4e00-\u9fff]", value)
                assert chinese or len(words) < 4 or "_" in value, (sheet.title, value)


def test_the_workbook_says_the_rules_checked_in_words(book):
    sheet = book[label("sheets.moves", "zh")]
    heads = {cell.value: cell.column for cell in sheet[1]}
    said = sheet.cell(2, heads[label("columns.rules_checked", "zh")]).value
    assert said.startswith(label("report.rules_cell_kept", "zh"))
    assert "ok:" not in said


def test_every_share_of_the_indicators_stands_in_per_cent(book, plan):
    rows = {row[0]: row for row in book[label("sheets.kpis", "zh")].iter_rows(2, values_only=True)}
    shares = plan.ledger.kpis[plan.ledger.kpis["unit"] == "share"]
    for kpi, share in shares["before"].items():
        row = rows[label(f"kpis.{kpi}", "zh")]
        pure = kpi.startswith("gini_")
        assert row[1] == pytest.approx(share if pure else share * 100)
        assert row[4] == (None if pure else "%")


def test_the_workbook_in_english_has_no_chinese(plan, tmp_path):
    write_workbook(plan, tmp_path / "moves.xlsx", "en")
    for sheet in openpyxl.load_workbook(tmp_path / "moves.xlsx"):
        for row in sheet.iter_rows(values_only=True):
            assert not any("\u4e00" <= letter <= "\u9fff" for value in row for letter in str(value))


# --- plan.gpkg ---


def test_the_geopackage_reads_back(folder, plan):
    path = folder / "plan.gpkg"
    layers = dict(pyogrio.list_layers(path))
    expected = "counties zones sites moves branches outlets forecast layer_styles"
    assert set(layers) == set(expected.split())
    moves = gpd.read_file(path, layer="moves")
    assert moves.crs.to_epsg() == 4326
    assert moves["branch_id"].tolist() == plan.relocation.moves["branch_id"].tolist()
    ends = moves.geometry.iloc[0].coords
    assert ends[0] == pytest.approx(plan.layers.branches.loc[moves["branch_id"].iloc[0], ["lon", "lat"]])
    assert len(gpd.read_file(path, layer="zones")) == len(plan.zones.zones)
    assert gpd.read_file(path, layer="sites")["chosen"].sum() == 6


def test_branches_stand_once_before_and_once_after(folder, plan):
    branches = gpd.read_file(folder / "plan.gpkg", layer="branches")
    before = branches[branches["state"].isin(["stays", "leaves"])]
    after = branches[branches["state"].isin(["stays", "arrives"])]
    everyone = sorted(plan.layers.branches.index)
    assert sorted(before["branch_id"]) == everyone
    assert sorted(after["branch_id"]) == everyone
    assert after["role"].isin(["core", "satellite", "single"]).all()


def test_styles_are_whole_xml_and_name_what_is_there(folder):
    with sqlite3.connect(folder / "plan.gpkg") as database:
        rows = database.execute("select f_table_name, useAsDefault, styleQML from layer_styles").fetchall()
        stamps = database.execute("select distinct last_change from gpkg_contents").fetchall()
        geometry = database.execute("select distinct column_name from gpkg_geometry_columns").fetchall()
    database.close()
    assert {name for name, _, _ in rows} == {"counties", "zones", "sites", "moves", "branches"}
    assert all(default for _, default, _ in rows)
    for _, _, qml in rows:
        assert fromstring(qml).find("renderer-v2") is not None
    zones = next(qml for name, _, qml in rows if name == "zones")
    values = {category.get("value") for category in fromstring(zones).iter("category")}
    assert values == set(tables.ZONE_CLASSES)
    assert stamps == [("2000-01-01T00:00:00.000Z",)]
    assert geometry == [("geom",)]


def test_the_clock_is_given_back(plan, tmp_path):
    write_geopackage(plan, tmp_path / "plan.gpkg", "en")
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None


# --- h3.parquet ---


def test_the_h3_file_holds_the_table_with_units(plan, folder):
    table = pq.read_table(folder / "h3.parquet")
    assert table.to_pandas().set_index("h3").equals(plan.hexagons)
    assert table.schema.field("residents").metadata[b"unit"] == b"1"


# --- cells.parquet ---


def test_cells_hold_every_layer_and_keep_people_exact(folder, plan):
    table = pq.read_table(folder / "cells.parquet")
    frame = table.to_pandas()
    assert frame["cell_id"].is_monotonic_increasing
    assert math.fsum(frame["residents"]) == math.fsum(plan.demand.cells["residents"])
    layers = [
        "minutes_own_before",
        "minutes_own_after",
        "share_own_after",
        "zone_class",
        "gap_z",
        "county_id",
        "lon",
    ]
    for name in (*tables.FOOTFALL_BANDS, *layers):
        assert name in frame, name
    assert b"pandas" not in (table.schema.metadata or {})
    assert table.schema.field("minutes_own_before").metadata[b"unit"] == b"min"


def test_cells_without_traffic_have_none(plan, tmp_path):
    write_cells(plan, tmp_path / "cells.parquet")
    frame = pq.read_table(tmp_path / "cells.parquet").to_pandas().set_index("cell_id")
    quiet = plan.grid.cells.index.difference(plan.footfall.index)
    assert (frame.loc[quiet, list(tables.FOOTFALL_BANDS)] == 0).all(axis=None)
