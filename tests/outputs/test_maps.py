import base64
import hashlib
import json
import re
import zlib
from copy import deepcopy
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
import shapely

from siteplanner import tables
from siteplanner.labels import all_labels, section_labels
from siteplanner.model.barriers import Barriers
from siteplanner.outputs.maps import write_map
from siteplanner.outputs.maps.borders import barrier_lines, code_rings
from siteplanner.outputs.maps.cells import (
    class_breaks,
    coverage_change,
    encode_log,
    encode_minutes,
    pack_cells,
)
from siteplanner.outputs.maps.facts import gather_facts
from siteplanner.outputs.maps.page import build_page
from siteplanner.outputs.maps.text import plain_text
from tests.outputs.fake_plan import HOSTILE, fake_plan

ASSETS = files("siteplanner.outputs").joinpath("assets")
OWN_SCRIPTS = ("data.js", "draw.js", "panel.js", "details.js", "map.js", "start.js")


@pytest.fixture(scope="module")
def plan():
    return fake_plan()


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "map.html"
    write_map(fake_plan(hostile=True), path, "en")
    return path.read_text(encoding="utf-8")


def block(page, name):
    packed = re.search(f'id="block-{name}">([^<]*)<', page).group(1)
    return zlib.decompress(base64.b64decode(packed))


def test_log_code_steps_in_equal_ratios_and_leaves_out_what_is_below():
    # 1 to 100 in 253 steps: 10 lies in the middle (126.5, to even 126), code 127.
    codes = encode_log(np.array([0.0, 0.99, 1.0, 10.0, 100.0, 1e9]), 1.0, 100.0)
    assert codes.tolist() == [0, 0, 1, 127, 254, 254]


def test_log_code_reads_back_within_half_a_step():
    values = np.geomspace(0.1, 5_000.0, 1_000)
    codes = encode_log(values, 0.1, 5_000.0).astype(float)
    read = 0.1 * (5_000.0 / 0.1) ** ((codes - 1) / 253)
    # Half a step is 50,000 ** (1 / 506) - 1 = 2.16 %.
    assert np.abs(read / values - 1).max() < 0.0217


def test_minutes_code_is_straight_and_tells_out_of_reach():
    codes = encode_minutes(np.array([0.0, 30.0, 60.0, 90.0, np.inf]))
    assert codes.tolist() == [1, 127, 254, 254, 255]


def test_class_breaks_are_round_and_rise():
    # Quantiles of 1 to 100 at 35, 60, 78, 90, 97 %: 35.65, 60.4, 78.2, 90.1, 97.0.
    assert class_breaks(np.arange(1.0, 101.0), 1.0) == [40.0, 60.0, 80.0, 100.0]
    assert class_breaks(np.zeros(5), 1.0) == []


def test_mask_lists_the_cells_in_the_order_of_all_blocks(plan):
    _, blocks = pack_cells(plan)
    lattice = plan.grid.lattice
    bits = np.unpackbits(np.frombuffer(blocks["mask"], np.uint8), bitorder="little")
    assert np.flatnonzero(bits).tolist() == plan.grid.cells.index.tolist()
    assert len(bits) >= lattice.n_rows * lattice.n_cols


def test_zone_number_of_every_cell_is_its_row_in_zones(plan):
    _, blocks = pack_cells(plan)
    planes = np.frombuffer(blocks["zone"], np.uint8).reshape(3, -1).astype(int)
    numbers = planes[0] + 256 * planes[1] + 65_536 * planes[2]
    assert plan.zones.zones.index[numbers].tolist() == plan.zones.cells["zone_id"].tolist()


def test_lattice_edges_enclose_the_cell_centres(plan):
    described, _ = pack_cells(plan)
    lattice = described["lattice"]
    lat = np.array(lattice["lat"])
    cells = plan.grid.cells
    row = cells["row"].to_numpy()
    width = (lattice["east"] - lattice["west"]) / lattice["cols"]
    assert (lat[row] < cells["lat"]).all()
    assert (cells["lat"] < lat[row + 1]).all()
    centre = lattice["west"] + (cells["col"] + 0.5) * width
    assert np.abs(centre - cells["lon"]).max() < 1e-6


def test_footfall_bands_share_one_scale(plan):
    described, _ = pack_cells(plan)
    bands = [layer for layer in described["layers"] if layer["key"] in tables.FOOTFALL_BANDS]
    assert len(bands) == 8
    assert len({(layer["low"], layer["high"], tuple(layer["breaks"])) for layer in bands}) == 1


def test_a_run_without_footfall_has_no_such_layer(plan):
    empty = pd.DataFrame(columns=list(tables.FOOTFALL_BANDS), index=pd.Index([], name="cell_id"), dtype=float)
    described, blocks = pack_cells(replace(plan, footfall=empty))
    assert not [layer for layer in described["layers"] if layer["key"].startswith("footfall")]
    assert not [name for name in blocks if name.startswith("footfall")]


def test_coverage_change_tells_kept_gained_and_lost(plan):
    people = plan.demand.cells.assign(residents=1.0)
    people.iloc[4, people.columns.get_loc("residents")] = 0.0
    before, after = (plan.access.cells.assign(minutes_own=99.0) for _ in range(2))
    column = before.columns.get_loc("minutes_own")
    before.iloc[:5, column] = [15.0, 15.1, 3.0, np.inf, 20.0]
    after.iloc[:5, column] = [14.0, 15.0, 15.1, np.inf, 2.0]
    changed = replace(
        plan,
        demand=replace(plan.demand, cells=people),
        access=replace(plan.access, cells=before),
        ledger=replace(plan.ledger, access_after=replace(plan.access, cells=after)),
    )
    assert coverage_change(changed)[:5].tolist() == [1, 2, 3, 0, 0]


def test_rings_travel_as_steps_of_whole_units():
    square = shapely.box(112.0, 37.0, 112.0003, 37.0002, ccw=True)
    first, *steps = np.array(code_rings(square)[0]).reshape(-1, 2).tolist()
    assert first in ([1_120_003, 370_000], [1_120_000, 370_000])
    assert np.sum(steps, axis=0).tolist() == [0, 0]
    assert {tuple(np.abs(step)) for step in steps} == {(3, 0), (0, 2)}


def test_page_asks_no_host_and_allows_only_its_own_scripts(hostile_page):
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", hostile_page)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', hostile_page).group(1)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("script", "style"):
        bodies = re.findall(rf"<{kind}>(.*?)</{kind}>", hostile_page, flags=re.DOTALL)
        named = re.search(rf"{kind}-src ([^;]*)", policy).group(1).split()
        hashes = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies]
        assert named == [f"'sha256-{digest}'" for digest in hashes]


def test_no_word_of_a_user_stands_in_the_page_but_all_are_in_its_data(hostile_page):
    around = re.sub(r'<script type="text/plain".*?</script>', "", hostile_page, flags=re.DOTALL)
    for text in HOSTILE[:6]:
        assert f"{text} 1" not in around
        assert text not in around.replace("{{", "\0") or text == HOSTILE[0]
    facts = json.loads(block(hostile_page, "facts"))
    assert facts["title"] == HOSTILE[3]
    for i, text in enumerate(HOSTILE):
        shown = text.replace("\u202e", "\N{REPLACEMENT CHARACTER}")
        assert facts["branches"]["name"][i] == f"{shown} {i}"


def test_marks_that_turn_the_direction_of_reading_are_made_visible():
    assert plain_text("a\u202eb\u2066c\x00\x7f") == "a\ufffdb\ufffdc\ufffd\ufffd"


def test_the_same_plan_gives_the_same_bytes(plan, tmp_path):
    for name in ("one", "two"):
        write_map(plan, tmp_path / name, "zh")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_facts_hold_only_what_is_shown(plan):
    facts = gather_facts(plan, "en")
    assert set(facts["rivals"]) == {"lon", "lat"}
    assert not {"deposits_wan", "customers", "staff", "opex_wan", "lease_end"} & set(facts["branches"])
    json.dumps(facts, allow_nan=False)


def test_the_map_rounds_up_by_how_much_a_plan_can_be_beaten(plan):
    # 95500.1 / 94896.1 - 1 = 0.63649 %; against the bound it would be 0.63246 %, which is too little.
    proof = replace(plan.relocation.proof, before=81_890.2, after=94_896.1, bound=95_500.1)
    facts = gather_facts(replace(plan, relocation=replace(plan.relocation, proof=proof)), "en")
    assert facts["proof"]["gap"] == pytest.approx(0.0064)


def test_proof_without_a_bound_is_told_as_none(plan):
    proof = replace(plan.relocation.proof, bound=float("inf"), gap=float("nan"), gain_gap=float("nan"))
    facts = gather_facts(replace(plan, relocation=replace(plan.relocation, proof=proof)), "en")
    assert facts["proof"]["gap"] is None


def test_a_plan_without_moves_still_makes_a_page(plan, tmp_path):
    none = replace(
        plan,
        relocation=replace(plan.relocation, moves=plan.relocation.moves.iloc[:0]),
        ledger=replace(plan.ledger, moves=plan.ledger.moves.iloc[:0]),
        schedule=plan.schedule.iloc[:0],
    )
    write_map(none, tmp_path / "map.html", "en")
    facts = json.loads(block((tmp_path / "map.html").read_text(encoding="utf-8"), "facts"))
    assert facts["moves"]["seq"] == []


def test_the_plan_is_not_changed(plan, tmp_path):
    frames = {
        "counties": plan.layers.counties, "zones": plan.zones.zones, "moves": plan.relocation.moves,
        "ledger": plan.ledger.moves, "branches": plan.layers.branches, "demand": plan.demand.cells,
    }  # fmt: skip
    before = deepcopy(frames)
    write_map(plan, tmp_path / "map.html", "zh")
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(pd.DataFrame(frame), pd.DataFrame(before[name]))


def test_build_page_puts_each_block_in_once():
    page = build_page({"title": "x"}, {"mask": b"\x01\x02"}, "zh")
    assert block(page, "mask") == b"\x01\x02"
    assert page.count("block-mask") == 1
    assert '<html lang="zh-CN">' in page


def test_every_word_that_a_script_asks_for_is_there_in_both_languages():
    text = "".join(ASSETS.joinpath(name).read_text(encoding="utf-8") for name in OWN_SCRIPTS)
    asked = set(re.findall(r'\bt\("([a-z_0-9]+)"', text)) - {"unit_of_", "part_", "type_"}
    endings = {
        "base_": ("none", "demand", "residents", "footfall", "access", "supply", "gap"),
        "unit_": ("demand", "residents", "footfall", "access", "supply", "gap"),
        "band_": ("night", "morning", "day", "evening"),
        "part_": (*tables.RELEASE_PARTS, *tables.ATTRACT_PARTS),
        "type_": tables.DESTINATION_TYPES,
        "tab_": ("moves", "layers", "summary"),
        "overlay_": re.findall(r'layered\("([a-z]+)"', text),
    }
    asked = {key for key in asked if not key.endswith("_")}
    asked |= {start + end for start, ends in endings.items() for end in ends}
    for language in ("zh", "en"):
        assert asked - set(section_labels("map", language)) == set()
    assert all(set(words) == {"zh", "en"} for key, words in all_labels().items() if key.startswith("map."))


def test_scripts_hold_no_words_of_their_own():
    for name in OWN_SCRIPTS:
        text = ASSETS.joinpath(name).read_text(encoding="utf-8")
        assert not re.search("[\u3400-\u9fff]", text)
        assert "innerHTML" not in text
        assert text.count("\n") < 400


def read_line(steps):
    return np.cumsum(np.array(steps).reshape(-1, 2), axis=0) * 1e-4


def test_barriers_travel_as_lines_and_areas():
    river = shapely.MultiLineString([[(112.0, 37.0), (112.1, 37.2)], [(112.2, 37.0), (112.3, 37.1)]])
    lake = shapely.Polygon([(112.0, 37.0), (112.1, 37.0), (112.1, 37.1)])
    told = barrier_lines(Barriers(np.array([river, lake]), np.array([2.0, np.nan])))
    assert [read_line(steps).round(4).tolist() for steps in told["lines"]] == [
        [[112.0, 37.0], [112.1, 37.2]],
        [[112.2, 37.0], [112.3, 37.1]],
    ]
    assert len(told["areas"]) == 1
    assert read_line(told["areas"][0][0]).round(4).tolist() == [
        list(point) for point in shapely.get_coordinates(lake).round(4).tolist()
    ]
    assert barrier_lines(None) == {"lines": [], "areas": []}


def test_service_points_are_dots_without_names(plan):
    points = pd.DataFrame({"lon": [112.1], "lat": [37.2], "kind": ["agent"]}, index=["<b>secret</b>"])
    facts = gather_facts(replace(plan, layers=replace(plan.layers, service_points=points)), "zh")
    assert facts["points"] == {"lon": [112.1], "lat": [37.2]}
    assert gather_facts(plan, "zh")["points"] == {"lon": [], "lat": []}
