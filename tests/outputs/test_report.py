"""The memo: decision first, honest about its proof, safe whatever stands in the data."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from fake_plan import HOSTILE, fake_plan
from markupsafe import Markup

from siteplanner.labels import label
from siteplanner.outputs import figures
from siteplanner.outputs.beaten import proof_percent
from siteplanner.outputs.memo_summary import totals
from siteplanner.outputs.move_rows import move_rows
from siteplanner.outputs.notes import note_text
from siteplanner.outputs.report import render_report
from siteplanner.outputs.wording import money, number, percent, signed

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Reader(HTMLParser):
    """Collects tags and text, and sees that every tag is closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.said = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def plan():
    return fake_plan(hostile=True)


@pytest.fixture(scope="module", params=["zh", "en"])
def memo(request, plan):
    return request.param, render_report(plan, request.param, "0.1.0")


def test_the_memo_loads_nothing_and_runs_nothing(memo):
    reader = read(memo[1])
    assert not {"script", "img", "link", "iframe", "object", "embed", "form", "base"} & set(reader.tags)
    assert not [a for a in reader.attributes if a[1].startswith("on") or a[1] in {"href", "src"}]
    assert "url(" not in memo[1]
    policy = next(
        value for _, name, value in reader.attributes if name == "content" and "default-src" in value
    )
    assert policy.startswith("default-src 'none'")


def test_hostile_text_is_shown_as_text(memo):
    said = "".join(read(memo[1]).said)
    for text in HOSTILE[:6]:
        assert text in said
    assert "\u202e" not in memo[1], "marks that turn the direction of text are made visible"
    assert "49" not in re.findall(r"\{\{.*?\}\}", said)


def test_recommendation_and_ask_come_first(memo):
    language, html = memo
    first = html[html.index("<h2") : html.index("</p>", html.index("<h2"))]
    assert label("report.recommendation", language) in first
    assert "<b>6</b>" in first
    assert proof_percent(fake_plan()) in first


def test_every_part_of_the_memo_is_there(memo):
    language, html = memo
    for key in ("map", "kpi_title", "moves_title", "articles_title", "counties_title", "rejected_title",
                "rules_title", "proof_title", "without_title", "assumptions_title", "sources_title",
                "synthetic_sentence"):  # fmt: skip
        assert label(f"report.{key}", language) in html, key
    assert html.count("<article>") == 6
    assert html.count("<svg") >= 5


def test_the_english_memo_has_no_chinese(plan):
    assert not re.search(r"[\u4e00-\u9fff]", render_report(plan, "en", "0.1.0"))


def test_the_same_plan_gives_the_same_memo(plan, memo):
    assert render_report(plan, memo[0], "0.1.0") == memo[1]


def test_real_data_carry_no_synthetic_mark():
    html = render_report(fake_plan(synthetic=False), "en", "0.1.0")
    assert "ynthetic data" not in html


def proved(plan, **changes):
    return replace(plan, relocation=replace(plan.relocation, proof=replace(plan.relocation.proof, **changes)))


def test_the_gap_says_by_how_much_another_plan_could_be_better(plan):
    # (1095.5 - 1093) / 1093 = 0.2287 %, rounded up because the sentence says "at most".
    assert proof_percent(plan) == "0.23%"
    assert proof_percent(proved(plan, bound=1093.0)) == "0.00%"
    assert proof_percent(proved(plan, bound=1093.0 * 1.5)) == "50.0%"


def test_a_plan_stopped_by_time_is_never_called_optimal(plan):
    late = render_report(proved(plan, status="time_limit"), "en", "0.1.0")
    assert label("report.status_time_limit", "en") in late
    assert "proved" in label("report.status_optimal", "en")
    claimed = render_report(proved(plan, status="optimal"), "en", "0.1.0")
    assert label("report.status_optimal", "en") not in claimed, "a bound 0.2 % away proves no optimum"
    done = render_report(proved(plan, status="optimal", bound=1093.0), "en", "0.1.0")
    assert label("report.status_optimal", "en") in done


def test_infinite_gain_gap_is_left_out(plan):
    html = render_report(proved(plan, gain_gap=float("inf")), "en", "0.1.0")
    assert "may still be missing" not in html


def test_a_broken_hard_rule_is_said_loudly(plan):
    trace = plan.relocation.trace.assign(ok=False, severity="hard")
    html = render_report(replace(plan, relocation=replace(plan.relocation, trace=trace)), "en", "0.1.0")
    assert "must not be carried out" in html


def test_downsizing_is_not_sold_as_growth(plan):
    moves = plan.ledger.moves.assign(npv_wan=100.0, net_wan=[-5.0, 1, 1, 1, 1, 1])
    html = render_report(replace(plan, ledger=replace(plan.ledger, moves=moves)), "en", "0.1.0")
    assert "in 1 of the moves (no. 1) deposits fall although the net present value is positive" in html
    assert html.count(label("report.caution_downsizing", "en")) == 1


def test_totals_of_the_moves_with_least_and_largest_loss(plan):
    ledger = plan.ledger.moves.assign(
        gross_gain_wan=100.0,
        cannibalised_wan=10.0,
        lost_wan=30.0,
        lost_low_wan=20.0,
        lost_high_wan=50.0,
        net_wan=60.0,
    )
    sums = totals(
        replace(plan, ledger=replace(plan.ledger, moves=ledger)),
        move_rows(replace(plan, ledger=replace(plan.ledger, moves=ledger))),
    )
    assert sums["net_wan"] == 360.0
    assert sums["net_low_wan"] == 6 * (100 - 10 - 50)
    assert sums["net_high_wan"] == 6 * (100 - 10 - 20)


def test_no_moves_is_a_recommendation_too(plan):
    empty = replace(
        plan,
        relocation=replace(plan.relocation, moves=plan.relocation.moves.head(0)),
        ledger=replace(plan.ledger, moves=plan.ledger.moves.head(0)),
        formats=replace(plan.formats, branches_after=plan.layers.branches.assign(moved=False)),
    )
    html = render_report(empty, "en", "0.1.0")
    read(html)
    assert label("report.no_moves", "en") in html
    assert "<article>" not in html


# --- notes and numbers ---


def test_notes_are_sentences_and_arguments_are_never_patterns():
    assert note_text(("absent_column", "branches", "rating"), "en").startswith(
        "Own branches: no column \u201cService rating\u201d"
    )
    assert "{0.__class__}" in note_text(("outside_region", "branches", "{0.__class__}"), "en")
    assert note_text(("never_heard_of", "x"), "en") == "never_heard_of x"
    assert note_text(("absent_layer", "footfall"), "en") == label("notes.absent_layer.footfall", "en")


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (1234.5, 0, "1,234"),
        (-0.4, 0, "0"),
        (-12.0, 1, "\u221212.0"),
        (float("inf"), 0, "\u221e"),
        (float("nan"), 0, "\u2013"),
    ],
)
def test_numbers(value, digits, expected):
    assert number(value, digits) == expected


def test_signs_shares_and_money():
    assert signed(3.0) == "+3"
    assert signed(-3.0) == "\u22123"
    assert signed(0.2) == "0"
    assert percent(0.1234) == "12.3%"
    assert money(104_849.7, "zh") == "10.48 亿元"
    assert money(4_800.0, "zh") == "4,800 万元"
    assert money(-4_800.0, "en", plus=True) == "CNY \u221248.0 m"
    assert money(104_849.7, "en", plus=True) == "CNY +1.05 bn"


# --- figures ---


def test_a_degree_is_true_to_scale():
    frame = figures.Frame(112.0, 36.0, 113.0, 37.0, 0.0, 131.195)
    corner = frame.place(np.array([[112.0, 37.0], [113.0, 36.0]]))
    assert corner[0] == pytest.approx([10.0, 10.0])
    # One degree of latitude is 111.195 km; a degree of longitude at 36.5 N is cos(36.5 deg) of that.
    assert corner[1] - corner[0] == pytest.approx([111.195 * np.cos(np.radians(36.5)), 111.195])


def test_a_map_names_its_counties_as_text():
    square = shapely.box(112, 36, 113, 37)
    counties = gpd.GeoDataFrame({"name": ["<b>A&B"]}, geometry=[square], crs=4326)
    zones = gpd.GeoDataFrame({"zone_class": ["blank"]}, geometry=[square], crs=4326)
    moves = pd.DataFrame(
        {"from_lon": [112.2], "from_lat": [36.2], "to_lon": [112.8], "to_lat": [36.8]}, index=[7]
    )
    branches = pd.DataFrame({"lon": [112.5, 120.0], "lat": [36.5, 36.5]})
    frame = figures.frame_around((112, 36, 113, 37), 300, 400)
    drawn = figures.draw_map(
        figures.Scene(counties, zones, branches, moves), frame, title="t", km="km", detail=True
    )
    assert "&lt;b&gt;A&amp;B" in drawn
    assert 'class="number">7<' in drawn
    assert drawn.count("h0") == 1, "a branch outside the window is not drawn"
    read(drawn)


def test_bars_and_dumbbells_are_to_scale_and_silent_without_numbers():
    assert 'width="60.0"' in figures.bars(5.0, 10.0, "x")
    assert figures.bars(0.0, 0.0, "x") == Markup("")
    assert figures.dumbbell(float("nan"), 0.5, "x") == Markup("")
    assert 'cx="50.0"' in figures.dumbbell(0.5, 0.5, "x")


def test_two_models_that_disagree_are_both_shown(plan):
    net = float(plan.ledger.moves["net_wan"].sum())

    def told(change):
        lines = plan.ledger.reconciliation.copy()
        lines.loc[["market_net_wan", "net_wan"], "deposits_wan"] = [change, net]
        return render_report(replace(plan, ledger=replace(plan.ledger, reconciliation=lines)), "en", "0.1.0")

    assert "the market model of the whole network says" in told(net * 0.5)
    assert "the market model of the whole network says" not in told(net * 1.05)


def test_the_two_counts_of_deposits_are_led_over_line_by_line(plan):
    html = unescape(render_report(plan, "en", "0.1.0"))
    section = html[html.index(label("report.reconciliation_title", "en") + "</h3>") :]
    shown = [section.index(label(f"kpis.{line}", "en")) for line in plan.ledger.reconciliation.index]
    assert shown == sorted(shown)
    assert "<b>+40</b>" in section or "<strong>+40</strong>" in section
    assert label("report.why_inertia_wan", "en") in section


def test_moves_on_which_the_models_differ_are_named(plan):
    moves = plan.ledger.moves.assign(models_differ=[False, True, False, True, False, False])
    moves = moves.assign(retention=0.9, retention_choice=0.52)
    html = unescape(render_report(replace(plan, ledger=replace(plan.ledger, moves=moves)), "en", "0.1.0"))
    assert "for 2 of the moves (no. 2, 4) the retention" in html
    assert html.count("keeps 90% of the old place's deposits, the choice model 52%") == 2
    none = replace(plan, ledger=replace(plan.ledger, moves=moves.assign(models_differ=False)))
    assert "the two models differ" not in render_report(none, "en", "0.1.0").lower()
    every = replace(plan, ledger=replace(plan.ledger, moves=moves.assign(models_differ=True)))
    assert "for all 6 moves the retention" in render_report(every, "en", "0.1.0")
