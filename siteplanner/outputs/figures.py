"""Pictures of the memo as inline SVG: light, sharp in print, text as text."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from markupsafe import Markup, escape

from siteplanner.outputs.palette import ACCENT, ACTION_CLASSES, INK, LEAVING, LINE, MUTED, PAPER, ZONE_COLOURS

_KM_PER_DEG = 111.195  # of latitude, on the mean sphere of 6371.0088 km
_SIMPLIFY_PX = 0.45  # half a pixel: nothing that the eye could see is lost
_LEAST_ZONE_PX2 = 1.5  # smaller zones cannot be seen in print
_BEND = 0.18  # sagitta of an arrow over its length: enough to tell two that cross
_SCALE_STEPS_KM = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_PAD_PX = 10.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A window of longitude and latitude drawn into a box of pixels, true to scale at its middle latitude."""

    west: float
    south: float
    east: float
    north: float
    width: float
    height: float

    @property
    def px_per_km(self) -> float:
        """Return the scale."""
        return (self.height - 2 * _PAD_PX) / max((self.north - self.south) * _KM_PER_DEG, 1e-9)

    def place(self, coordinates: np.ndarray) -> np.ndarray:
        """Turn degrees (n x 2) into pixels."""
        shrink = np.cos(np.radians((self.south + self.north) / 2))
        east_km = (coordinates[:, 0] - self.west) * _KM_PER_DEG * shrink
        south_km = (self.north - coordinates[:, 1]) * _KM_PER_DEG
        return np.column_stack([east_km, south_km]) * self.px_per_km + _PAD_PX


def frame_around(bounds: Iterable[float], height: float, widest: float) -> Frame:
    """Fit a window around bounds (west, south, east, north), no higher and no wider than asked."""
    west, south, east, north = map(float, bounds)
    shrink = np.cos(np.radians((south + north) / 2))
    ratio = max(east - west, 1e-6) * shrink / max(north - south, 1e-6)
    height = min(height, (widest - 2 * _PAD_PX) / ratio + 2 * _PAD_PX)
    return Frame(west, south, east, north, (height - 2 * _PAD_PX) * ratio + 2 * _PAD_PX, height)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a map shows: tables with geometry, points by ``lon, lat``, arrows by ``from_lon`` … ``to_lat``."""

    counties: gpd.GeoDataFrame
    zones: gpd.GeoDataFrame
    branches: pd.DataFrame
    moves: pd.DataFrame


def draw_map(
    scene: Scene, frame: Frame, *, title: str, km: str, box: Frame | None = None, detail: bool = False
) -> Markup:
    """Draw counties, zones of action, branches and numbered arrows.

    Parameters
    ----------
    title
        What the picture shows, for readers who hear it.
    km
        The unit on the scale bar.
    box
        A window to be outlined, where another map shows more.
    detail
        County names and larger arrows.
    """
    parts = [
        _areas(scene, frame),
        _names(scene, frame) if detail else Markup(""),
        _branches(scene, frame, 2.2 if detail else 1.1),
        _arrows(scene.moves, frame, numbered=detail),
        _box(frame, box) if box else Markup(""),
        _scale_bar(frame, km),
    ]
    return Markup(
        '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{title}">{body}</svg>'
    ).format(w=round(frame.width), h=round(frame.height), title=title, body=Markup("").join(parts))


def _areas(scene: Scene, frame: Frame) -> Markup:
    window = shapely.box(frame.west, frame.south, frame.east, frame.north)
    outlines = _path(scene.counties.geometry, frame, window)
    zones = Markup("")
    for name in ACTION_CLASSES:
        shapes = scene.zones.geometry[scene.zones["zone_class"] == name]
        zones += Markup('<path d="{}" fill="{}" fill-opacity=".78"/>').format(
            _path(shapes, frame, window), ZONE_COLOURS[name]
        )
    return Markup(
        '<path d="{d}" fill="#fafbfc" stroke="none"/>{zones}'
        '<path d="{d}" fill="none" stroke="{line}" stroke-width=".7" stroke-linejoin="round"/>'
    ).format(d=outlines, zones=zones, line=MUTED)


def _path(shapes: gpd.GeoSeries, frame: Frame, window: shapely.Geometry) -> str:
    """Return the outlines inside a window as one SVG path, simplified to what a pixel can show."""
    tolerance = _SIMPLIFY_PX / frame.px_per_km / _KM_PER_DEG
    least = _LEAST_ZONE_PX2 / (frame.px_per_km * _KM_PER_DEG) ** 2
    inside = shapely.intersection(shapely.make_valid(shapes.to_numpy()), window)
    rough = shapely.simplify(inside, tolerance)
    polygons = [
        part for part in shapely.get_parts(rough) if part.geom_type == "Polygon" and part.area >= least
    ]
    rings: Any = shapely.get_rings(np.array(polygons, dtype=object)) if polygons else []
    return "".join(_ring(frame.place(shapely.get_coordinates(ring))) for ring in rings)


def _ring(points: np.ndarray) -> str:
    rounded = points.round(1)[:-1]
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in rounded) + "Z"


def _names(scene: Scene, frame: Frame) -> Markup:
    """Write county names where they lie, once each, inside the window only."""
    window = shapely.box(frame.west, frame.south, frame.east, frame.north)
    result = Markup("")
    for name, shape in zip(scene.counties["name"], scene.counties.geometry, strict=True):
        inside = shapely.intersection(shapely.make_valid(shape), window)
        if inside.is_empty or inside.area < 0.02 * window.area:
            continue
        x, y = frame.place(shapely.get_coordinates(inside.representative_point()))[0]
        result += Markup('<text x="{:.1f}" y="{:.1f}" class="place">{}</text>').format(x, y, name)
    return result


def _branches(scene: Scene, frame: Frame, radius: float) -> Markup:
    points = _inside(scene.branches[["lon", "lat"]].to_numpy(dtype=float), frame)
    dots = "".join(f"M{x:g} {y:g}h0" for x, y in frame.place(points).round(1))
    return Markup('<path d="{}" stroke="{}" stroke-width="{}" stroke-linecap="round" fill="none"/>').format(
        dots, INK, 2 * radius
    )


def _inside(points: np.ndarray, frame: Frame) -> np.ndarray:
    lon, lat = points[:, 0], points[:, 1]
    return points[(lon >= frame.west) & (lon <= frame.east) & (lat >= frame.south) & (lat <= frame.north)]


def _arrows(moves: pd.DataFrame, frame: Frame, *, numbered: bool) -> Markup:
    """Draw each move as a bent arrow with a white edge; those that do not touch the window are left out."""
    result = Markup("")
    for seq, move in moves.iterrows():
        ends = np.array([[move["from_lon"], move["from_lat"]], [move["to_lon"], move["to_lat"]]], dtype=float)
        if len(_inside(ends, frame)):
            result += _arrow(str(seq), frame.place(ends), 2.0 if numbered else 1.2, numbered=numbered)
    return result


def _arrow(seq: str, ends: np.ndarray, width: float, *, numbered: bool) -> Markup:
    start, end = ends
    along = end - start
    length = float(np.hypot(*along)) or 1.0
    aside = np.array([along[1], -along[0]]) * _BEND
    middle = (start + end) / 2 + aside
    heading = (end - middle) / (np.hypot(*(end - middle)) or 1.0)
    size = min(5.5 * width, 0.6 * length)
    neck = end - heading * size * 0.8
    left, right = (
        end - heading * size + side * np.array([-heading[1], heading[0]]) * size * 0.42 for side in (1, -1)
    )
    curve = "M{:.1f} {:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}".format(*start, *middle, *neck)
    head = "M{:.1f} {:.1f}L{:.1f} {:.1f}L{:.1f} {:.1f}Z".format(*end, *left, *right)
    drawn = Markup(
        '<path d="{c}" fill="none" stroke="{paper}" stroke-width="{edge:.1f}" stroke-opacity=".85"/>'
        '<path d="{c}" fill="none" stroke="{ink}" stroke-width="{w:.1f}"/><path d="{h}" fill="{ink}"/>'
        '<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" fill="{paper}"'
        ' stroke="{leave}" stroke-width="{w:.1f}"/>'
    ).format(
        c=curve, h=head, paper=PAPER, edge=width + 2, ink=ACCENT, w=width, x=start[0], y=start[1],
        r=width * 1.6, leave=LEAVING,
    )  # fmt: skip
    if not numbered:
        return drawn
    at = (start + end) / 2 + aside / 2
    return drawn + Markup(
        '<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{paper}" stroke="{ink}"/>'
        '<text x="{x:.1f}" y="{t:.1f}" class="number">{seq}</text>'
    ).format(x=at[0], y=at[1], t=at[1] + 3.4, paper=PAPER, ink=ACCENT, seq=seq)


def draw_borders(counties: gpd.GeoDataFrame, frame: Frame) -> Markup:
    """Draw the counties' borders on a pale ground."""
    window = shapely.box(frame.west, frame.south, frame.east, frame.north)
    return Markup(
        '<path d="{}" fill="#fafbfc" stroke="{}" stroke-width=".6" stroke-linejoin="round"/>'
    ).format(_path(counties.geometry, frame, window), MUTED)


def draw_dots(points: np.ndarray, frame: Frame, colour: str) -> Markup:
    """Draw places (n x 2, degrees) as dots of a colour."""
    dots = "".join(f"M{x:g} {y:g}h0" for x, y in frame.place(_inside(points, frame)).round(1))
    return Markup('<path d="{}" stroke="{}" stroke-width="2.4" stroke-linecap="round" fill="none"/>').format(
        dots, colour
    )


def _box(frame: Frame, box: Frame) -> Markup:
    corners = frame.place(np.array([[box.west, box.north], [box.east, box.south]]))
    edges = np.clip(corners, 1, [frame.width - 1, frame.height - 1])
    (x, y), (right, bottom) = edges
    return Markup(
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"'
        ' fill="none" stroke="{}" stroke-width="1.2"/>'
    ).format(x, y, right - x, bottom - y, INK)


def _scale_bar(frame: Frame, km: str) -> Markup:
    """Draw the longest round length that takes no more than a quarter of the width."""
    fitting = [step for step in _SCALE_STEPS_KM if step * frame.px_per_km <= frame.width / 4]
    length = fitting[-1] if fitting else _SCALE_STEPS_KM[0]
    x, y = _PAD_PX, frame.height - _PAD_PX
    return Markup(
        '<path d="M{x:.1f} {up:.1f}V{y:.1f}H{right:.1f}V{up:.1f}" fill="none" stroke="{ink}"/>'
        '<text x="{right:.1f}" y="{y:.1f}" dx="5" class="scale halo">{length} {km}</text>'
    ).format(x=x, up=y - 4, y=y, right=x + length * frame.px_per_km, ink=INK, length=length, km=km)


def bars(before: float, after: float, words: str) -> Markup:
    """Draw two thin bars, before above after, to the scale of the larger; nothing when there is no number."""
    most = max(abs(before), abs(after))
    if not np.isfinite(most) or most == 0:
        return Markup("")
    width, thick = 120.0, 5.0
    lengths = (abs(before) / most * width, abs(after) / most * width)
    return Markup(
        '<svg viewBox="0 0 {w} 14" width="{w}" height="14" role="img" aria-label="{words}">'
        '<rect y="1" width="{a:.1f}" height="{t}" fill="{old}"/>'
        '<rect y="8" width="{b:.1f}" height="{t}" fill="{new}"/></svg>'
    ).format(w=width, words=words, a=lengths[0], b=lengths[1], t=thick, old="#aab4bf", new=ACCENT)


def year_bars(values: "pd.Series[float]", said: list[str], words: str) -> Markup:
    """Draw one bar a year to the scale of the largest, each with its number above and its year below.

    Parameters
    ----------
    values
        Not negative, by year.
    said
        The same in words.
    words
        What the picture shows, for readers who hear it.
    """
    most = float(values.max()) or 1.0
    step, thick, tall = 96.0, 44.0, 70.0
    body = Markup("")
    for at, (year, value) in enumerate(zip(values.index, values, strict=True)):
        height = float(value) / most * tall
        body += Markup(
            '<rect x="{x:.1f}" y="{y:.1f}" width="{w}" height="{h:.1f}" fill="{ink}"/>'
            '<text x="{mid:.1f}" y="{up:.1f}" class="scale" text-anchor="middle">{said}</text>'
            '<text x="{mid:.1f}" y="{down:.1f}" class="scale" text-anchor="middle">{year}</text>'
        ).format(
            x=at * step + (step - thick) / 2, y=14.0 + tall - height, w=thick, h=height, ink=ACCENT,
            mid=(at + 0.5) * step, up=10.0 + tall - height, down=tall + 28.0, said=said[at], year=year,
        )  # fmt: skip
    return Markup(
        '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{words}">{body}</svg>'
    ).format(w=round(step * len(values)), h=round(tall + 34.0), words=words, body=body)


def dumbbell(before: float, after: float, words: str) -> Markup:
    """Draw a share before (ring) and after (dot) on a line from 0 to 1."""
    if not (np.isfinite(before) and np.isfinite(after)):
        return Markup("")
    a, b = (5 + float(np.clip(share, 0, 1)) * 90 for share in (before, after))
    return Markup(
        '<svg viewBox="0 0 100 12" width="100" height="12" role="img" aria-label="{words}">'
        '<path d="M5 6H95" stroke="{line}"/><path d="M{a:.1f} 6H{b:.1f}" stroke="{ink}" stroke-width="2"/>'
        '<circle cx="{a:.1f}" cy="6" r="3" fill="{paper}" stroke="{muted}"/>'
        '<circle cx="{b:.1f}" cy="6" r="3.4" fill="{ink}"/></svg>'
    ).format(words=words, line=LINE, a=a, b=b, ink=ACCENT, paper=PAPER, muted=MUTED)


def swatches(items: Iterable[tuple[str, str]]) -> Markup:
    """Draw a legend of colours and words."""
    return Markup("").join(
        Markup('<span class="swatch"><i style="background:{}"></i>{}</span>').format(colour, escape(words))
        for colour, words in items
    )
