"""The map and the memo of the real run in a browser with no network, in both languages."""

import shutil
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CELL_M = 1000  # the pages do not depend on the size of the cells, the time to make them does


@pytest.fixture(scope="module", params=["zh", "en"])
def folder(request, root, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param) / "shanxi"
    scenario = root / "data" / "shanxi" / "scenario.toml"
    words = [
        "run",
        str(scenario),
        "--out",
        str(out),
        "--lang",
        request.param,
        "--set",
        f"grid.cell_m={CELL_M}",
    ]
    command = [sys.executable, "-m", "siteplanner", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, folder):
    context = browser.new_context(viewport={"width": 1440, "height": 900}, offline=True)
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page, folder
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_map_shows_layers_arrows_and_what_a_move_gains(opened):
    page, folder = opened
    page.goto((folder / "map.html").as_uri())
    page.wait_for_selector("html[data-ready]", state="attached", timeout=20_000)
    moves = page.query_selector_all("button.move")
    assert len(moves) > 0
    page.click("#tab-layers")
    assert len(page.query_selector_all("input[name=base]")) >= 5
    assert len(page.query_selector_all("input[data-overlay]")) >= 8
    for base in page.query_selector_all("input[name=base]"):
        base.check()
        page.wait_for_timeout(100)
    page.click("#tab-moves")
    page.click("button.move >> nth=0")
    assert len(page.query_selector_all(".reasons li")) == 3
    assert (folder / "map.html").stat().st_size < 8_000_000


def test_the_memo_opens_and_prints(opened, tmp_path):
    page, folder = opened
    page.goto((folder / "report.html").as_uri())
    assert len(page.query_selector_all("table")) >= 4
    assert len(page.query_selector_all("svg")) >= 1
    page.pdf(path=tmp_path / "memo.pdf", format="A4")
    assert (tmp_path / "memo.pdf").read_bytes().startswith(b"%PDF")
