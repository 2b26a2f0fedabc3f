"""Styles that QGIS finds inside the GeoPackage: its own table, its own XML, kept small."""

from xml.sax.saxutils import quoteattr

import pandas as pd

from siteplanner.labels import label, section_labels
from siteplanner.outputs.palette import ACCENT, INK, LEAVING, MUTED, ZONE_COLOURS
from siteplanner.scenario import Language

_STAMP = "2000-01-01T00:00:00.000Z"
_THIN_MM, _LINE_MM, _ARROW_MM = "0.1", "0.3", "0.8"
_DOT_MM, _SMALL_DOT_MM = "2.6", "1.8"


def styles(language: Language) -> pd.DataFrame:
    """Return the table ``layer_styles`` (QGIS's own columns), one default style a layer."""
    classes = section_labels("classes", language)
    zones = [(key, classes[key], _fill(colour)) for key, colour in ZONE_COLOURS.items()]
    states = [
        ("stays", label("report.state_stays", language), _dot(MUTED, "#ffffff", _SMALL_DOT_MM)),
        ("leaves", label("report.state_leaves", language), _dot("#ffffff", LEAVING, _DOT_MM)),
        ("arrives", label("report.state_arrives", language), _dot(ACCENT, "#ffffff", _DOT_MM)),
    ]
    chosen = [
        ("0", label("report.site_free", language), _dot("#ffffff", MUTED, _SMALL_DOT_MM)),
        ("1", label("report.site_chosen", language), _dot(ACCENT, "#ffffff", _DOT_MM)),
    ]
    rows = {
        "counties": _single(_outline()),
        "zones": _categorised("zone_class", zones),
        "sites": _categorised("chosen", chosen),
        "moves": _single(_arrow()),
        "branches": _categorised("state", states),
    }
    return pd.DataFrame(
        {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": list(rows),
            "f_geometry_column": "geom",
            "styleName": "siteplanner",
            "styleQML": list(rows.values()),
            "styleSLD": "",
            "useAsDefault": True,
            "description": "siteplanner",
            "owner": "",
            "ui": "",
            "update_time": pd.Timestamp(_STAMP),
        }
    )


def _qml(renderer: str) -> str:
    return f'<!DOCTYPE qgis PUBLIC "http://mrcc.com/qgis.dtd" "SYSTEM"><qgis version="3.22">{renderer}</qgis>'


def _single(symbol: str) -> str:
    symbols = f"<symbols>{symbol.replace('NAME', '0')}</symbols>"
    return _qml(
        f'<renderer-v2 type="singleSymbol" symbollevels="0" enableorderby="0">{symbols}</renderer-v2>'
    )


def _categorised(column: str, classes: list[tuple[str, str, str]]) -> str:
    categories, symbols = [], []
    for number, (value, words, symbol) in enumerate(classes):
        categories.append(
            f'<category render="true" symbol="{number}" value={quoteattr(value)} label={quoteattr(words)}/>'
        )
        symbols.append(symbol.replace("NAME", str(number)))
    return _qml(
        f'<renderer-v2 type="categorizedSymbol" attr={quoteattr(column)} symbollevels="0" enableorderby="0">'
        f"<categories>{''.join(categories)}</categories><symbols>{''.join(symbols)}</symbols></renderer-v2>"
    )


def _layer(kind: str, options: dict[str, str], inner: str = "") -> str:
    listed = "".join(
        f'<Option type="QString" name={quoteattr(k)} value={quoteattr(v)}/>' for k, v in options.items()
    )
    head = f'<layer class="{kind}" enabled="1" locked="0" pass="0">'
    return f'{head}<Option type="Map">{listed}</Option>{inner}</layer>'


def _symbol(kind: str, layers: str, name: str = "NAME", alpha: str = "1") -> str:
    head = f'<symbol type="{kind}" name="{name}" alpha="{alpha}" clip_to_extent="1" force_rhr="0">'
    return f"{head}{layers}</symbol>"


def _rgba(colour: str, alpha: int = 255) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"{red},{green},{blue},{alpha}"


def _fill(colour: str) -> str:
    options = {
        "color": _rgba(colour),
        "style": "solid",
        "outline_color": _rgba(colour),
        "outline_style": "solid",
        "outline_width": _THIN_MM,
        "outline_width_unit": "MM",
    }
    return _symbol("fill", _layer("SimpleFill", options), alpha="0.7")


def _outline() -> str:
    options = {
        "color": _rgba("#ffffff", 0),
        "style": "no",
        "outline_color": _rgba(MUTED),
        "outline_style": "solid",
        "outline_width": _LINE_MM,
        "outline_width_unit": "MM",
    }
    return _symbol("fill", _layer("SimpleFill", options))


def _dot(fill: str, line: str, size: str) -> str:
    options = {
        "name": "circle",
        "color": _rgba(fill),
        "outline_color": _rgba(line),
        "outline_style": "solid",
        "outline_width": _LINE_MM,
        "outline_width_unit": "MM",
        "size": size,
        "size_unit": "MM",
    }
    return _symbol("marker", _layer("SimpleMarker", options))


def _arrow() -> str:
    fill = _symbol(
        "fill",
        _layer("SimpleFill", {"color": _rgba(INK), "style": "solid", "outline_style": "no"}),
        "@NAME@0",
    )
    options = {
        "arrow_type": "0",
        "arrow_width": _ARROW_MM,
        "arrow_start_width": _THIN_MM,
        "head_length": "3",
        "head_thickness": "1.6",
        "head_type": "0",
        "is_curved": "1",
        "is_repeated": "0",
    }
    return _symbol("line", _layer("ArrowLine", options, fill))
