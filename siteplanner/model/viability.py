"""Whether a place feeds a branch: what a light branch would win there, against what it has to win."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from siteplanner.model.access import Access, pairs_within
from siteplanner.model.catalogue import NEW_RATING, Catalogue
from siteplanner.model.demand import Demand
from siteplanner.model.forecast import Forecast
from siteplanner.model.grid import Grid
from siteplanner.model.market import Market, utilities
from siteplanner.model.outlets import raw_attractiveness, take_yardstick
from siteplanner.scenario import EconomicsSettings, MarketSettings, ZoneSettings

SMALLEST_FORMAT = "light"
"""The format whose break-even is asked for (D§6.3): the smallest that serves a whole market."""


@dataclass(frozen=True, slots=True, eq=False)
class Prospects:
    """What a light branch meets wherever it opens.

    Parameters
    ----------
    access
        Reach of today's outlets; its rows are those of all that follows.
    others
        Utility of all outlets and of no outlet, by row.
    pull
        Attractiveness of a light branch on the scale of the outlets.
    horizon_wan
        Deposits by row in the last year of the horizon; today's are the demand's.
    least_wan
        Deposits with which a light branch breaks even.
    """

    access: Access
    others: np.ndarray
    pull: float
    horizon_wan: np.ndarray
    least_wan: float
    settings: MarketSettings


def look_ahead(
    access: Access,
    market: Market,
    forecast: Forecast,
    branches: pd.DataFrame,
    competitors: pd.DataFrame,
    catalogue: Catalogue,
    settings: tuple[MarketSettings, EconomicsSettings, ZoneSettings],
) -> Prospects:
    """Measure once what a light branch meets anywhere.

    Parameters
    ----------
    branches, competitors
        `tables.BRANCHES`, equipped (see `catalogue.equip`), and `tables.COMPETITORS`: the scale of pull.
    """
    reach = access.reach
    pull = utilities(reach, access.outlets["attractiveness"].to_numpy(), settings[0])
    row = np.repeat(np.arange(reach.cell_id.size), np.diff(reach.indptr))
    light = catalogue.formats.loc[[SMALLEST_FORMAT]].assign(rating=NEW_RATING)
    scale = take_yardstick(branches, competitors, settings[0])
    return Prospects(
        access,
        np.bincount(row, pull, minlength=reach.cell_id.size) + market.outside,
        float(raw_attractiveness(light, settings[0])[0] / scale.unit),
        forecast.cells["potential_horizon_wan"].reindex(reach.cell_id).to_numpy(dtype=float),
        break_even_wan(catalogue, settings[2].viable_years, settings[1]),
        settings[0],
    )


def break_even_wan(catalogue: Catalogue, years: float, settings: EconomicsSettings) -> float:
    """Return the deposits whose margin pays a light branch: running cost and fit-out by year (D§6.3).

    (opex + capex / years) / (spread + fees); infinite where deposits earn nothing.
    """
    light = catalogue.formats.loc[[SMALLEST_FORMAT]]
    cost = float((light["opex_wan"] + light["capex_wan"] / years).sum())
    margin = settings.spread + settings.fee_share
    return cost / margin if margin > 0.0 else np.inf


def win_deposits(
    prospects: Prospects, demand: Demand, grid: Grid, spots: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Return the deposits that a light branch would win at each spot alone, today and at the horizon.

    Huff's share beside everything that is there: sum of M_i u_i / (u_i + others_i), own siblings' part
    included.

    Parameters
    ----------
    spots
        ``lon``, ``lat``.
    """
    reach = pairs_within(demand, grid, spots, prospects.access.travel)
    pull = utilities(reach, np.full(len(spots), prospects.pull), prospects.settings)
    row = np.repeat(np.arange(reach.cell_id.size), np.diff(reach.indptr))
    whole = pull + prospects.others[row]
    share = np.divide(pull, whole, out=np.zeros(pull.size), where=whole > 0)
    today = demand.cells["potential_wan"].reindex(reach.cell_id).to_numpy(dtype=float)
    now, then = (
        np.bincount(reach.indices, share * potential[row], minlength=len(spots))
        for potential in (today, prospects.horizon_wan)
    )
    return now, then
