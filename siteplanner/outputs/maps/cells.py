"""Cell layers as one byte a cell: small enough to mail, exact enough to read.

Values of a volume are coded on a logarithmic scale, minutes on a straight one; the page decodes them.
Cells with next to nobody get the code for nothing, so that no household can be read off the map.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.model.lattice import Lattice, to_lonlat
from siteplanner.plan import Plan

TOP = 254  # highest code of a value; 255 means out of reach, 0 nothing
BEYOND = 255
LONGEST_MIN = 60.0  # minutes above this are shown as this; no source
MINUTE_BREAKS = (5.0, 10.0, 15.0, 20.0, 30.0, 45.0)
# Least value shown in a cell, so that single households cannot be read; no source.
LEAST = {"demand": 0.1, "residents": 10.0, "footfall": 10.0, "supply": 0.1, "gap": 0.1}
# Shares of the shown cells that lie below each class break; no source.
BREAK_SHARES = (0.35, 0.60, 0.78, 0.90, 0.97)


@dataclass(frozen=True, slots=True)
class _Volume:
    """One volume by cell with the name of its scale and ramp."""

    key: str
    scale: str
    ramp: str
    amount: np.ndarray


@dataclass(frozen=True, slots=True)
class _Scale:
    """Least and largest value that is coded, and the breaks of the legend; in the unit of the layer."""

    low: float
    high: float
    breaks: list[float]


def pack_cells(plan: Plan) -> tuple[dict[str, object], dict[str, bytes]]:
    """Return what the page must know of the cell layers, and their coded bytes by block name."""
    cells = plan.grid.cells
    lattice = plan.grid.lattice
    volumes = _volumes(plan)
    scales = _scales(volumes, _least(plan))
    blocks = {"mask": _mask(cells, lattice)}
    described: list[dict[str, object]] = []
    for volume in volumes:
        scale = scales[volume.scale]
        blocks[volume.key] = encode_log(volume.amount, scale.low, scale.high).tobytes()
        described.append({"key": volume.key, "ramp": volume.ramp, "kind": "log", **asdict(scale)})
    for key, minutes in _minutes(plan).items():
        blocks[key] = encode_minutes(minutes).tobytes()
        described.append(
            {"key": key, "ramp": "minutes", "kind": "linear", "high": LONGEST_MIN, "breaks": MINUTE_BREAKS}
        )
    zone_no = plan.zones.zones.index.get_indexer(plan.zones.cells["zone_id"].loc[cells.index])
    blocks["zone"] = zone_no.astype("<u4").view(np.uint8).reshape(-1, 4).T[:3].tobytes()
    blocks["change"] = coverage_change(plan).tobytes()
    return {"lattice": _describe(lattice), "layers": described}, blocks


def encode_log(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Code values between low and high in equal ratios as 1 to 254; 0 below low. uint8, shape of `values`."""
    shown = values >= low
    steps = np.log(np.clip(values, low, high) / low) / max(np.log(high / low), 1e-12)
    return np.where(shown, 1 + np.rint(steps * (TOP - 1)), 0).astype(np.uint8)


def encode_minutes(minutes: np.ndarray) -> np.ndarray:
    """Code minutes in equal steps up to LONGEST_MIN as 1 to 254; 255 when infinite. uint8."""
    steps = np.clip(minutes, 0.0, LONGEST_MIN) / LONGEST_MIN
    return np.where(np.isfinite(minutes), 1 + np.rint(steps * (TOP - 1)), BEYOND).astype(np.uint8)


def coverage_change(plan: Plan) -> np.ndarray:
    """Code who reaches an own outlet: 1 kept, 2 gained by the plan, 3 lost, 0 never or nobody; uint8."""
    cover_min = plan.scenario.access.cover_min
    index = plan.grid.cells.index
    before = plan.access.cells["minutes_own"].loc[index].to_numpy() <= cover_min
    after = plan.ledger.access_after.cells["minutes_own"].loc[index].to_numpy() <= cover_min
    inhabited = plan.demand.cells["residents"].loc[index].to_numpy() > 0
    code = np.select([before & after, after, before], [1, 2, 3], 0)
    return np.where(inhabited, code, 0).astype(np.uint8)


def class_breaks(values: np.ndarray, low: float) -> list[float]:
    """Return rounded class breaks of the values that are shown: rising, one digit, or 1.5."""
    shown = values[values >= low]
    if not len(shown):
        return []
    breaks = {_rounded(share) for share in np.quantile(shown, BREAK_SHARES)}
    return sorted(value for value in breaks if value > low)


def _rounded(value: float) -> float:
    power = 10.0 ** np.floor(np.log10(value))
    digits = np.array([1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])
    return float(round(digits[np.abs(digits - value / power).argmin()] * power, 6))


def _volumes(plan: Plan) -> list[_Volume]:
    index = plan.grid.cells.index

    def of(frame: pd.DataFrame, column: str) -> np.ndarray:
        return np.asarray(frame[column].reindex(index, fill_value=0.0), dtype=float)

    footfall = [
        _Volume(band, "footfall", "volume", of(plan.footfall, band))
        for band in tables.FOOTFALL_BANDS
        if band in plan.footfall and len(plan.footfall)
    ]
    return [
        _Volume("demand", "demand", "demand", of(plan.demand.cells, "visits_per_day")),
        _Volume("residents", "residents", "volume", of(plan.demand.cells, "residents")),
        *footfall,
        _Volume("supply", "supply", "supply", of(plan.access.cells, "supply_own")),
        _Volume("gap", "gap", "gap", of(plan.zones.cells, "gap")),
    ]


def _least(plan: Plan) -> dict[str, float]:
    """Return the least amount that is drawn; "less than" is also said of footfall that was suppressed."""
    footfall = plan.scenario.inputs.footfall
    if footfall is None or not footfall.suppress:
        return LEAST
    return {**LEAST, "footfall": max(LEAST["footfall"], float(footfall.suppress_below))}


def _scales(volumes: list[_Volume], least: dict[str, float]) -> dict[str, _Scale]:
    """Share one scale among the layers that are compared with each other, such as the hours of footfall."""
    scales: dict[str, _Scale] = {}
    for name in dict.fromkeys(volume.scale for volume in volumes):
        low = least[name]
        values = np.concatenate([volume.amount for volume in volumes if volume.scale == name])
        # What was suppressed is missing and drawn like nothing.
        high = max(float(np.fmax.reduce(values, initial=0.0)), 2.0 * low)
        scales[name] = _Scale(low, high, class_breaks(values, low))
    return scales


def _minutes(plan: Plan) -> dict[str, np.ndarray]:
    index = plan.grid.cells.index
    both = {"access": plan.access, "access_after": plan.ledger.access_after}
    return {key: access.cells["minutes_own"].loc[index].to_numpy() for key, access in both.items()}


def _mask(cells: pd.DataFrame, lattice: Lattice) -> bytes:
    """Mark the cells of the region, one bit each, from the south-west: all blocks follow their order."""
    inside = np.zeros(lattice.n_rows * lattice.n_cols, dtype=bool)
    inside[cells["row"].to_numpy() * lattice.n_cols + cells["col"].to_numpy()] = True
    return np.packbits(inside, bitorder="little").tobytes()


def _describe(lattice: Lattice) -> dict[str, object]:
    """Give the edges of rows and columns in degrees: rows and columns are straight on this lattice."""
    x = lattice.x0_m + lattice.cell_m * np.array([0.0, float(lattice.n_cols)])
    y = lattice.y0_m + lattice.cell_m * np.arange(lattice.n_rows + 1)
    lon, _ = to_lonlat(lattice, x, np.full(2, lattice.y0_m))
    _, lat = to_lonlat(lattice, np.full(len(y), lattice.x0_m), y)
    return {
        "rows": lattice.n_rows,
        "cols": lattice.n_cols,
        "cell_m": lattice.cell_m,
        "west": round(float(lon[0]), 7),
        "east": round(float(lon[1]), 7),
        "lat": np.round(lat, 7).tolist(),
    }
