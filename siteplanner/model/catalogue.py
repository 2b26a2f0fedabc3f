"""The catalogue of branch formats: what each kind of branch has, costs and may do."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

NUMBERS = (
    "area_m2", "counters", "smart_devices", "atms", "staff", "staff_min", "hours_per_week", "opex_wan",
    "capex_wan",
)  # fmt: skip
WHOLE = ("counters", "smart_devices", "atms", "staff", "staff_min")
OF_A_BRANCH = tuple(name for name in NUMBERS if name not in {"staff_min", "capex_wan"})
FLAGS = ("full_service", "manual_cash")
RENT_REFERENCE = "urban"
"""Settlement class at whose rent the running costs of the catalogue are stated."""

NEW_RATING = "B"
"""A new place has no service rating yet: the neutral one stands in (D§4)."""

WAN = 10_000.0
MONTHS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Formats, smallest staff last, and rents.

    Parameters
    ----------
    formats
        Index ``format``; columns `NUMBERS` and `FLAGS`; ``source_*`` says where each number comes from.
    rent
        Rent by settlement class, CNY/m2/month.
    """

    formats: pd.DataFrame
    rent: dict[str, float]


def running_cost(catalogue: Catalogue, kinds: pd.Series, places: pd.DataFrame) -> pd.Series:
    """Return the running cost of formats at places, 10,000 CNY/year.

    The catalogue's cost holds the rent of an urban place; it is replaced by the rent of the place.

    Parameters
    ----------
    kinds
        Format by place.
    places
        ``settlement``, and where known the ``rent`` asked for, CNY/m2/month, and ``area_m2``; the catalogue's
        rent of the settlement class and area of the format stand in where they are missing.
    """
    table = catalogue.formats
    base = kinds.map(table["opex_wan"]).astype(float)
    usual = kinds.map(table["area_m2"]).astype(float)
    rent = _told(places, "rent").fillna(places["settlement"].map(catalogue.rent).astype(float))
    area = floor_area(catalogue, kinds, places)
    extra = (rent * area - catalogue.rent[RENT_REFERENCE] * usual) * MONTHS / WAN
    return (base + extra).clip(lower=0.0)


def floor_area(catalogue: Catalogue, kinds: pd.Series, places: pd.DataFrame) -> pd.Series:
    """Return the floor area of formats at places, m2: that of the premises where it is known."""
    return _told(places, "area_m2").fillna(kinds.map(catalogue.formats["area_m2"]).astype(float))


def _told(places: pd.DataFrame, name: str) -> pd.Series:
    return places[name].astype(float) if name in places else pd.Series(np.nan, index=places.index)


def equip(branches: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """Fill what the branch table does not tell from the branch's format, as `tables.BRANCHES` says."""
    looks = catalogue.formats.loc[branches["format"]].set_axis(branches.index)
    filled = {
        name: (
            branches[name].astype(float).fillna(looks[name].astype(float))
            if name in branches
            else looks[name]
        )
        for name in OF_A_BRANCH
    }
    whole = {name: filled[name].round().astype("int64") for name in WHOLE if name in filled}
    return branches.assign(**filled | whole)
