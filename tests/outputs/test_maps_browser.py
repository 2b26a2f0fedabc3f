import re
import shutil
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest
import shapely

from siteplanner.labels import label
from siteplanner.model.barriers import Barriers
from siteplanner.outputs.maps import write_map
from tests.outputs.fake_plan import HOSTILE, PROVINCE, fake_plan

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path"),
]
LAPTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@dataclass
class Seen:
    """What the browser said while the page was open."""

    page: object
    messages: list = field(default_factory=list)
    requests: list = field(default_factory=list)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    for language in ("zh", "en"):
        write_map(fake_plan(hostile=True), folder / f"{language}.html", language)
    return folder


@pytest.fixture
def open_page(browser):
    contexts = []

    def opened(path, size=LAPTOP):
        context = browser.new_context(viewport=size, offline=True, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        seen = Seen(page)
        page.on("console", lambda message: seen.messages.append(message.text))
        page.on("pageerror", lambda error: seen.messages.append(str(error)))
        page.on("dialog", lambda dialog: (seen.messages.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached", timeout=20_000)
        return seen

    yield opened
    for context in contexts:
        context.close()


def assert_quiet(seen):
    assert seen.messages == []
    assert [url for url in seen.requests if not url.startswith("file:")] == []


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_every_layer_switches_without_error_or_request(pages, open_page, language, size):
    seen = open_page(pages / f"{language}.html", size)
    page = seen.page
    page.click("#tab-layers")
    for base in page.query_selector_all("input[name=base]"):
        base.check()
        page.wait_for_timeout(60)
    for box in page.query_selector_all("input[data-overlay]"):
        box.click()
        box.click()
    page.check("input[value=footfall]")
    page.locator("input[type=range]").press("ArrowRight")
    evening = label("map.band_evening", language)
    page.locator(".legend h2", has_text=evening).first.wait_for(timeout=10_000)
    assert_quiet(seen)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_hostile_names_show_as_text(pages, open_page, language):
    seen = open_page(pages / f"{language}.html")
    page = seen.page
    assert page.inner_text("h1") == HOSTILE[3]
    for k, row in enumerate(page.query_selector_all("button.move")):
        assert f"{HOSTILE[k]} {k}" in row.inner_text().replace("\n", " ")
    page.click("button.move >> nth=2")
    assert "<img src=x onerror=alert(1)> 2" in page.inner_text(".card h2")
    assert page.query_selector(".card img") is None
    page.fill("input[type=search]", "img")
    assert page.query_selector(".found img") is None
    assert_quiet(seen)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_service_points_and_barriers_are_switches_only_where_they_are_given(open_page, tmp_path, language):
    plan = fake_plan()
    (west, south), (east, north) = (plan.grid.cells[["lon", "lat"]].agg(end) for end in ("min", "max"))
    points = pd.DataFrame({"lon": [west, east], "lat": [south, north], "kind": "agent"}, index=["P1", "P2"])
    river = shapely.LineString([(west, south), (east, north)])
    lake = shapely.box(west, south, (west + east) / 2, (south + north) / 2)
    barriers = Barriers(np.array([river, lake]), np.array([2.0, np.nan]))
    given = replace(plan, layers=replace(plan.layers, service_points=points, barriers=barriers))
    for name, told in (("with", given), ("without", plan)):
        write_map(told, tmp_path / f"{name}.html", language)
    seen = open_page(tmp_path / "with.html")
    seen.page.click("#tab-layers")
    for key in ("points", "barriers"):
        box = seen.page.locator(f"input[data-overlay={key}]")
        assert not box.is_checked()
        box.check()
        assert label(f"map.overlay_{key}", language) in seen.page.inner_text("body")
    drawn = seen.page.evaluate("""() => {
        let n = 0;
        siteplanner.app.map.eachLayer((layer) => { n += layer.options.color === "#9a3412" ? 1 : 0; });
        return n;
    }""")
    assert drawn == 2
    assert_quiet(seen)
    bare = open_page(tmp_path / "without.html")
    bare.page.click("#tab-layers")
    for key in ("points", "barriers"):
        assert bare.page.locator(f"input[data-overlay={key}]").count() == 0


def test_a_move_tells_its_reasons_and_flies(pages, open_page):
    seen = open_page(pages / "en.html")
    page = seen.page
    page.click("button.move >> nth=0")
    card = page.inner_text(".card")
    for key in ("why", "visits", "deposits", "money", "people", "rules", "npv", "retention"):
        assert label(f"map.{key}", "en") in card
    assert len(page.query_selector_all(".reasons li")) == 3
    page.wait_for_timeout(200)
    inside = page.evaluate("""() => {
        const app = siteplanner.app, move = app.moves[0];
        const ends = [app.branchById.get(move.branch_id), app.siteById.get(move.site_id)];
        return ends.every((end) => app.map.getBounds().contains([end.lat, end.lon]));
    }""")
    assert inside
    page.click(".back")
    assert page.is_visible("#tab-moves")
    assert_quiet(seen)


def test_a_cell_reads_back_what_was_put_in(open_page, tmp_path):
    plan = fake_plan()
    write_map(plan, tmp_path / "map.html", "en")
    seen = open_page(tmp_path / "map.html")
    demand = plan.demand.cells["visits_per_day"]
    cell = demand.idxmax()
    at = plan.grid.cells.loc[cell]
    read = seen.page.evaluate(
        """async ([lat, lng]) => {
            const app = siteplanner.app, cell = app.lattice.at({lat, lng});
            const scale = await app.scaleByKey.get("demand").load();
            return [scale.value(scale.codes[cell]), app.zones[app.zoneOf[cell]].name];
        }""",
        [at["lat"], at["lon"]],
    )
    assert read[0] == pytest.approx(demand[cell], rel=0.03)
    assert read[1] == plan.zones.zones.loc[plan.zones.cells.loc[cell, "zone_id"], "name"]
    seen.page.mouse.move(900, 450)
    assert "visits/day" in seen.page.inner_text(".readout")
    seen.page.mouse.click(900, 450)
    seen.page.wait_for_selector(".card .facts")
    assert len(seen.page.query_selector_all(".card .facts tr")) == 14
    assert_quiet(seen)


def test_search_finds_and_opens_by_keyboard(open_page, tmp_path):
    write_map(fake_plan(), tmp_path / "map.html", "en")
    seen = open_page(tmp_path / "map.html")
    page = seen.page
    page.focus("input[type=search]")
    page.keyboard.type("branch 17")
    page.keyboard.press("Enter")
    assert page.inner_text(".card h2") == "Branch 17"
    assert_quiet(seen)


def test_panel_folds_on_a_phone(pages, open_page):
    page = open_page(pages / "zh.html", PHONE).page
    high = page.evaluate("document.querySelector('.panel').offsetHeight")
    page.click(".fold")
    page.wait_for_timeout(400)
    assert page.evaluate("document.querySelector('.panel').offsetHeight") < high / 2
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_proof_is_told_in_words(pages, open_page):
    page = open_page(pages / "en.html").page
    page.click("#tab-summary")
    # gap 2.5 / 1,095.5 = 0.228 %
    assert re.search(r"more than 0\.23%", page.inner_text(".claim"))


@pytest.mark.slow
def test_a_province_is_light_and_quick(open_page, tmp_path):
    path = tmp_path / "map.html"
    write_map(fake_plan(PROVINCE), path, "zh")
    assert path.stat().st_size <= 8_000_000
    seen = open_page(path)
    assert int(seen.page.get_attribute("html", "data-ready")) <= 3_000
    assert_quiet(seen)
