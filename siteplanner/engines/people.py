"""People of all rasters by cell and county, and the account of who went in and who came out."""

from dataclasses import dataclass

import pandas as pd

from siteplanner import tables
from siteplanner.engines.engine import Engine, FootfallSum, PeopleSum
from siteplanner.engines.polygons import sum_polygons
from siteplanner.errors import Fault, InputError
from siteplanner.layers.rasters import nobody
from siteplanner.layers.records import Layers
from siteplanner.layers.sources import RasterSource
from siteplanner.model.grid import Grid
from siteplanner.stopwatch import Report, unreported
from siteplanner.tables import FOOTFALL_BANDS

_KEY = ["cell_id", "county_id"]


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """People by cell and county, and the account of each layer."""

    parts: pd.DataFrame
    accounts: dict[str, pd.DataFrame]

    def __post_init__(self) -> None:
        tables.check(self.parts, tables.PARTS)


def sum_people(engine: Engine, layers: Layers, grid: Grid) -> People:
    """Sum residents, earlier residents and residents aged 60+ to cells and counties.

    Without an earlier raster nobody is taken to have moved; without an age raster nobody is counted as 60+.
    Where the counties tell their census, the account of the residents has ``count_exact`` as well, the people
    inside each county's border with pixels split by area: how far a county's total rests on where the people
    of the pixels that its border cuts are taken to live.

    Raises
    ------
    InputError
        With the faults of the pixels of all rasters.
    """
    sources = {
        "residents": layers.population,
        "residents_earlier": layers.population_earlier,
        "aged_60": layers.aged_60,
    }
    sums: dict[str, PeopleSum] = {}
    faults: list[Fault] = []
    for layer, source in sources.items():
        if source is None:
            continue
        try:
            sums[layer] = engine.sum_raster(source, grid, layers.counties)
            faults += _nobody_faults(source, sums[layer].account)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    parts = _join(sums)
    if "residents_earlier" not in parts:
        parts = parts.assign(residents_earlier=parts["residents"])
    if "aged_60" not in parts:
        parts = parts.assign(aged_60=0.0)
    columns = [*_KEY, "residents", "residents_earlier", "aged_60"]
    accounts = {layer: people.account for layer, people in sums.items()}
    if "residents" in layers.counties and layers.counties["residents"].notna().any():
        exact = sum_polygons(layers.population, layers.counties).reindex(accounts["residents"].index)
        accounts["residents"] = accounts["residents"].assign(count_exact=exact)
    return People(parts[columns], accounts)


def _join(sums: dict[str, PeopleSum]) -> pd.DataFrame:
    columns = [people.parts.set_index(_KEY)["people"].rename(layer) for layer, people in sums.items()]
    return pd.concat(columns, axis=1).fillna(0.0).sort_index().reset_index()


def _nobody_faults(source: RasterSource | None, account: pd.DataFrame) -> list[Fault]:
    empty = source is not None and account["count_in"].sum() <= 0.0
    return [nobody(source.names[0])] if source is not None and empty else []


def sum_footfall(engine: Engine, layers: Layers, grid: Grid, report: Report = unreported) -> FootfallSum:
    """Sum foot traffic by band; without a footfall layer the answer is empty."""
    if layers.footfall is not None:
        footfall = engine.sum_points(layers.footfall, grid, report)
        faults = _nobody_faults(layers.footfall.raster, footfall.account)
        if faults:
            raise InputError(faults)
        return footfall
    cells = pd.DataFrame(
        columns=list(FOOTFALL_BANDS), index=pd.Index([], name="cell_id", dtype="int64"), dtype=float
    )
    return FootfallSum(cells, pd.DataFrame({"count_in": [], "count_out": []}, dtype=float))


def conservation(accounts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Put the accounts of all layers in one `tables.CONSERVATION` table."""
    rows = [
        account.rename_axis("county_id").reset_index().assign(layer=layer)
        for layer, account in accounts.items()
    ]
    table = pd.concat(rows, ignore_index=True)
    if "nodata_pixels" not in table:
        table["nodata_pixels"] = 0
    table["nodata_pixels"] = table["nodata_pixels"].fillna(0).astype("int64")
    columns = [column.name for column in tables.CONSERVATION.columns if column.name in table]
    return table[columns]
