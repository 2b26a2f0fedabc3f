"""The layer of barriers: lines and polygons that straight trips have to get across."""

from typing import Any

import numpy as np
import shapely

from siteplanner.errors import Fault
from siteplanner.layers.blanks import filled
from siteplanner.layers.counties import extent_faults, shift_from
from siteplanner.layers.files import read_table
from siteplanner.layers.findings import Findings
from siteplanner.model.barriers import Barriers
from siteplanner.scenario import TableInput
from siteplanner.tables import BARRIERS

# GEOS's numbers of lines and polygons, single and multiple.
LINES_AND_POLYGONS = (1, 3, 5, 6)


def read_barriers(spec: TableInput | None, findings: Findings) -> Barriers | None:
    """Read the barriers in WGS 84; None without a layer, or when it cannot be used."""
    read = None if spec is None else read_table(spec, BARRIERS, findings)
    if spec is None or read is None:
        return None
    result, text = read
    if text.geometry is None:
        findings.faults.append(
            Fault(spec.path, "", "geometry", "a table without geometry", "lines or polygons")
        )
        return None
    shapes = text.geometry
    wrong = ~np.isin(shapely.get_type_id(shapes), LINES_AND_POLYGONS) | shapely.is_empty(shapes)
    faults = [
        Fault(spec.path, result.places[i], "geometry", _kind(shapes[i]), "a line or a polygon")
        for i in np.flatnonzero(wrong)
    ]
    faults += extent_faults(shapes, wrong, result, spec.path)
    findings.faults += faults
    if faults or result.faults:
        return None
    broken = ~shapely.is_valid(shapes)
    if broken.any():
        findings.notes.append(("repaired_polygons", "barriers", str(int(broken.sum()))))
    mended = np.where(broken, shapely.make_valid(shapes, method="structure", keep_collapsed=False), shapes)
    factor = filled(result.frame, BARRIERS)["factor"].astype(float)
    whole = ~shapely.is_empty(mended)
    moved = shapely.transform(mended[whole], shift_from(spec.datum))
    return Barriers(np.asarray(moved), factor.to_numpy()[whole])


def _kind(shape: Any) -> str:  # noqa: ANN401 - shapely's types say little of its geometries
    if shape is None:
        return "nothing"
    return f"an empty {shape.geom_type}" if shape.is_empty else f"a {shape.geom_type}"
