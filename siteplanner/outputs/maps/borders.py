"""Borders of counties and prefectures, simplified together so that neighbours still fit."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplanner.model.barriers import Barriers
from siteplanner.outputs.maps.text import plain_text
from siteplanner.plan import Plan

# Largest detail left out, degrees: about 400 m, a pixel when the province fills the screen; no source.
TOLERANCE_DEG = 0.004
# The same for barriers, about 50 m: a river's bends matter more than a border's; no source.
BARRIER_TOLERANCE_DEG = 0.0005
UNIT_DEG = 1e-4  # coordinates travel as whole units of this, each as the step from the one before


def county_shapes(plan: Plan) -> dict[str, object]:
    """Return counties with their figures, and the outlines of counties and prefectures as coded rings."""
    counties = plan.layers.counties
    shapes = shapely.coverage_simplify(counties.geometry.to_numpy(), TOLERANCE_DEG)
    prefecture = counties["prefecture"].fillna("").astype(str)
    merged = gpd.GeoSeries(shapes, crs=4326).groupby(prefecture.to_numpy()).agg(_union)
    centres = shapely.point_on_surface(shapes)
    figures = _figures(plan, counties.index)
    return {
        "unit_deg": UNIT_DEG,
        "counties": {
            "id": [str(key) for key in counties.index],
            "name": [plain_text(str(name)) for name in counties["name"]],
            "prefecture": [plain_text(name) for name in prefecture],
            "inclusive": _inclusive(counties),
            "lon": np.round(shapely.get_x(centres), 4).tolist(),
            "lat": np.round(shapely.get_y(centres), 4).tolist(),
            "rings": [code_rings(shape) for shape in shapes],
            **{name: figures[name].tolist() for name in figures},
        },
        "prefectures": {
            "name": [str(name) for name in merged.index],
            "rings": [code_rings(shape) for shape in merged],
        },
    }


def code_rings(shape: shapely.Geometry) -> list[list[int]]:
    """Return each ring as whole units: the first point, then steps, longitude and latitude in turn."""
    return [_code_steps(ring) for ring in shapely.get_rings(shapely.get_parts(shape))]


def _code_steps(line: shapely.Geometry) -> list[int]:
    units = np.rint(shapely.get_coordinates(line) / UNIT_DEG).astype(np.int64)
    steps = np.diff(units, axis=0, prepend=np.zeros((1, 2), dtype=np.int64))
    return [int(step) for step in steps.ravel()]


def barrier_lines(barriers: Barriers | None) -> dict[str, object]:
    """Return what straight trips get around or across as coded lines, and polygons as coded rings.

    Nothing where the scenario names no barriers.
    """
    shapes = np.empty(0, dtype=object) if barriers is None else barriers.shapes
    parts = shapely.get_parts(shapely.simplify(shapes, BARRIER_TOLERANCE_DEG))
    parts = parts[~shapely.is_empty(parts)]
    flat = shapely.get_dimensions(parts) == 1
    return {
        "lines": [_code_steps(line) for line in parts[flat]],
        "areas": [code_rings(area) for area in parts[~flat]],
    }


def _union(shapes: "gpd.GeoSeries") -> shapely.Geometry:
    return shapely.union_all(shapes.to_numpy())


def _inclusive(counties: pd.DataFrame) -> list[bool]:
    if "inclusive" not in counties:
        return [False] * len(counties)
    return [bool(flag) if pd.notna(flag) else False for flag in counties["inclusive"]]


def _figures(plan: Plan, index: pd.Index) -> pd.DataFrame:
    kpis = plan.ledger.counties.reindex(index)
    shares = {
        f"covered_{when}": (kpis[f"covered_own_{when}"] / kpis["residents"].where(kpis["residents"] > 0))
        for when in ("before", "after")
    }
    figures = pd.DataFrame(
        {
            "residents": kpis["residents"].round(0),
            "outlets_before": kpis["outlets_before"],
            "outlets_after": kpis["outlets_after"],
            **{name: share.round(4) for name, share in shares.items()},
            "quota": plan.quotas.counties["quota"].reindex(index),
        }
    )
    return figures.astype(object).where(figures.notna(), None)
