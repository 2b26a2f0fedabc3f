"""Make the README's pictures: run the sample in both languages and photograph its map in Chromium."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PICTURES = {"en": "map.png", "zh": "map.zh-CN.png"}
VIEW = {"width": 1280, "height": 800}
READY_MS = 3_000


def photograph(page_path: Path, picture: Path) -> None:
    """Open a page with the network off and save what a planner sees first."""
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(viewport=VIEW, offline=True).new_page()
        page.goto(page_path.as_uri())
        page.wait_for_timeout(READY_MS)
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    for language, name in PICTURES.items():
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "shanxi"
            command = [sys.executable, "-m", "siteplanner", "run", "data/shanxi/scenario.toml"]
            subprocess.run([*command, "--lang", language, "--out", str(out)], check=True, cwd=ROOT)
            photograph(out / "map.html", ROOT / "docs" / name)
            print(f"wrote docs/{name}")
