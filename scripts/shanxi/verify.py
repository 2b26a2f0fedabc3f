"""Hold the model against the reference layers and print the fit table."""

from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from rasterio.windows import Window
from scipy.stats import spearmanr

from .fit import match_points, read_reference
from .lattice import Lattice, make_lattice, read_counties, to_km


def read_people(out: Path, name: str, lattice: Lattice) -> np.ndarray:
    """Read a committed raster back as persons per inside pixel."""
    with rasterio.open(out / name) as source:
        band = source.read(1, window=Window(0, 0, source.width, source.height))
    return band.ravel()[lattice.inside].astype(float)


def compare(out: Path, folder: Path, words: dict) -> list[tuple[str, float]]:
    """Return the rows of the fit table."""
    counties = read_counties(out / "counties.geojson")
    lattice = make_lattice(counties)
    reference, cell = read_reference(folder, lattice, counties["residents"].to_numpy(float))
    model = read_people(out, "population_2020.tif", lattice)
    size = int(cell.max()) + 1
    inside = np.bincount(cell, minlength=size) > 0
    ours, theirs = np.bincount(cell, model, size)[inside], np.bincount(cell, reference, size)[inside]
    rows = [
        ("5-arc-minute cells compared", float(inside.sum())),
        ("Pearson correlation, cells", np.corrcoef(ours, theirs)[0, 1]),
        (
            "Pearson correlation of log(1 + people), cells",
            np.corrcoef(np.log1p(ours), np.log1p(theirs))[0, 1],
        ),
        ("Spearman correlation, cells", spearmanr(ours, theirs).statistic),
        (
            "share of people in another cell than in the reference",
            np.abs(ours - theirs).sum() / 2 / theirs.sum(),
        ),
    ]
    top = theirs < np.sort(theirs)[-20]
    rows.append(
        ("Pearson correlation without the 20 largest cells", np.corrcoef(ours[top], theirs[top])[0, 1])
    )
    return rows + seat_distances(out, folder, words) + densities(model, lattice)


def seat_distances(out: Path, folder: Path, words: dict) -> list[tuple[str, float]]:
    """How far the sample's township seats lie from the reference points of the same name."""
    table = pd.read_csv(out / "townships.csv", dtype={"township_id": str, "county_id": str})
    points = match_points(table, folder, words)
    known = np.isfinite(points[:, 0])
    rows = [("townships matched by name with a reference point", float(known.sum()))]
    for located in ("geonames", "model"):
        rows_here = known & (table["located"] == located).to_numpy()
        mine = to_km(table["lon"].to_numpy(), table["lat"].to_numpy())[rows_here]
        gap = np.hypot(*(mine - to_km(*points[rows_here].T)).T)
        rows.append((f"median distance of {located} seats, km", float(np.median(gap))))
        rows.append((f"90th percentile of {located} seats, km", float(np.quantile(gap, 0.9))))
    return rows


def densities(model: np.ndarray, lattice: Lattice) -> list[tuple[str, float]]:
    """Describe the fine structure: how much land is settled and how dense the densest places are."""
    row, column = np.divmod(lattice.inside, lattice.county.shape[1])
    width = lattice.county.shape[1]
    block = (row // 2) * width + column // 3  # about 460 x 550 m
    people = np.bincount(block, model)
    present = np.bincount(block, minlength=len(people)) > 0
    area = 6 * 0.2316 * 0.1832
    return [
        ("share of half-kilometre blocks with residents", float((people[present] > 0).mean())),
        ("densest half-kilometre block, people per km2", float(people.max() / area)),
        (
            "people living above 10,000 per km2, share",
            float(people[people > 10000 * area].sum() / people.sum()),
        ),
    ]
