"""The memo in a real browser, without a network: silent, within the window, whole on paper."""

import shutil

import pytest
from fake_plan import fake_plan

from siteplanner.outputs.report import write_report

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path"),
]


@pytest.fixture(scope="module")
def context():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_context(offline=True)
        browser.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_memo_is_silent_fits_and_prints(context, tmp_path, language):
    path = tmp_path / "report.html"
    write_report(fake_plan(hostile=True), path, language, "0.1.0")
    page = context.new_page()
    heard, asked = [], []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: (heard.append("dialog"), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    for size in ({"width": 1440, "height": 900}, {"width": 390, "height": 844}):
        page.set_viewport_size(size)
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.locator("article").count() == 6
    # Two maps, visits and deposits by year, the schedule, and the profile of the decay.
    assert page.locator("figure svg").count() == 6
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    assert heard == []
    assert set(asked) == {path.as_uri()}
    page.close()
