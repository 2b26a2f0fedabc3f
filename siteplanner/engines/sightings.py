"""Points, H3 cells and our own cells to sums: the same cells, hours and whole numbers as pings have."""

import numpy as np

from siteplanner.engines.ping_kernels import split_weights
from siteplanner.engines.pings import make_binner
from siteplanner.engines.tallies import Partial
from siteplanner.errors import Fault, InputError
from siteplanner.layers.records import FootfallSource
from siteplanner.layers.row_faults import WEIGHT_MAX
from siteplanner.layers.sightings import Sightings, read_sightings
from siteplanner.model.lattice import Lattice


def count_sightings(source: FootfallSource, lattice: Lattice) -> Partial:
    """Sum the people of every row of a file.

    Raises
    ------
    InputError
        Naming the rows that cannot be counted.
    """
    binner = make_binner(lattice, source, weighted=True)
    tally = binner.tally()
    for rows in read_sightings(source):
        cells = _own_cells(rows, lattice) if source.kind == "cells" else binner.cells(rows.lon, rows.lat)[0]
        placed = (
            binner.untimed(cells)
            if rows.times is None
            else binner.at(cells, rows.times, rows.unit, rows.zoned)[0]
        )
        split_weights(rows.count, WEIGHT_MAX, placed.high, placed.low)
        tally.add(placed)
    return tally.partial()


def _own_cells(rows: Sightings, lattice: Lattice) -> np.ndarray:
    """Return the cells that rows name; InputError for one that this lattice does not have."""
    n_cells = lattice.n_rows * lattice.n_cols
    unknown = np.flatnonzero(rows.cell_id >= n_cells)
    if len(unknown):
        first = int(unknown[0])
        found = f'"{rows.cell_id[first]}" ({len(unknown):,} such rows in all)'
        expected = f"a cell_id below {n_cells:,}, of a grid with cells of {lattice.cell_m:g} m"
        raise InputError([Fault(rows.origin.file, rows.origin.place(first), "cell_id", found, expected)])
    return rows.cell_id
