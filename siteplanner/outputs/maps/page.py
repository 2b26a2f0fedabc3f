"""The page itself: folium's map, our scripts and styles inlined, data as compressed blocks.

folium compiles what it is given as a template, so it is given constants only. Everything that comes from a
user is put into the finished page as base64, and reaches the reader through `textContent`.
"""

import base64
import hashlib
import html
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from importlib.resources import files

import folium

from siteplanner.labels import label
from siteplanner.scenario import Language

SCRIPTS = ("leaflet/leaflet.js", "data.js", "draw.js", "panel.js", "details.js", "map.js", "start.js")
STYLES = ("leaflet/leaflet.css", "map.css")
LANGUAGE_TAGS: dict[Language, str] = {"zh": "zh-CN", "en": "en"}
_NAME = "siteplanner"
_START = f"siteplanner.start(map_{_NAME});"  # folium calls its map by kind and id
_PLACE = "<!-- siteplanner -->"


def build_page(facts: Mapping[str, object], blocks: Mapping[str, bytes], language: Language) -> str:
    """Return the page: `facts` as JSON and each block of cell codes, all deflated."""
    head, body = _frame(language)
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    packed = {"facts": text.encode("utf-8"), **blocks}
    data = "\n".join(
        f'<script type="text/plain" id="block-{name}">{_deflated(block)}</script>'
        for name, block in packed.items()
    )
    # `replace` of constants, after all templates have run: nothing below is compiled any more.
    head = f'<!DOCTYPE html>\n<html lang="{LANGUAGE_TAGS[language]}">\n<head>\n{head}\n</head>\n<body>\n'
    return head + body.replace(_PLACE, data, 1) + "\n</html>\n"


def _deflated(block: bytes) -> str:
    return base64.b64encode(zlib.compress(block)).decode("ascii")


def _frame(language: Language) -> tuple[str, str]:
    """Return head and body of the page without data, under a policy that names each script by its hash."""
    page = _folium_page()
    styles = [*_inline("style", page), *(_asset(name) for name in STYLES)]
    first, *rest = _inline("script", page)
    scripts = [first, *(_asset(name) for name in SCRIPTS), *rest, _START]
    markup = "".join(re.findall(r'<div class="folium-map".*?</div>', page, flags=re.DOTALL))
    head = "\n".join(
        [
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts, styles)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            "<title>siteplanner</title>",
            *(f"<style>{style}</style>" for style in styles),
        ]
    )
    licence = f"<!-- Leaflet 1.9.4\n{_asset('leaflet/LICENSE')}-->"
    inlined = [f"<script>{script}</script>" for script in scripts]
    body = "\n".join([licence, _curtain(language), f"<main>{markup}</main>", _PLACE, *inlined, "</body>"])
    return head, body


def _curtain(language: Language) -> str:
    """Return what is seen until the map is there, or when the browser cannot open it; our own words only."""
    loading, trouble = (html.escape(label(f"map.{key}", language)) for key in ("loading", "trouble"))
    return f'<p class="curtain" id="curtain" role="status" data-trouble="{trouble}">{loading}</p>'


def _folium_page() -> str:
    chart = folium.Map(
        location=[0, 0],
        tiles=None,
        zoom_start=5,
        zoom_control=False,
        zoom_snap=0.25,
        prefer_canvas=True,
        attribution_control=False,
    )
    # The libraries that folium would fetch from other hosts; ours are inlined.
    chart.default_js = []
    chart.default_css = []
    figure = chart.get_root()
    # folium draws random names; the same plan must give the same page.
    chart._id = figure._id = _NAME  # noqa: SLF001
    return str(figure.render())


def _inline(tag: str, page: str) -> list[str]:
    return re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)


def _asset(name: str) -> str:
    return files("siteplanner.outputs").joinpath("assets", *name.split("/")).read_text(encoding="utf-8")


def _policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """Forbid every load and every script or style but those named by hash."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src " + " ".join(map(_hash, scripts)),
            "style-src " + " ".join(map(_hash, styles)),
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
