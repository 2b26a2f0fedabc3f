"""Activity: where people work and shop by day."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .lattice import to_km
from .people import People
from .settlement import Land, city_field

SEAT_PULL_KM = 0.9


@dataclass(frozen=True)
class Activity:
    """Per inside pixel: pull of old centres and seats, and daytime people scaled to the residents' total."""

    centre: np.ndarray
    jobs: np.ndarray


def model_activity(
    land: Land, table: pd.DataFrame, persons: People, centres: pd.DataFrame, workplaces: pd.DataFrame
) -> Activity:
    """Draw the pull of centres and the daytime surface."""
    seat_km = to_km(table["lon"].to_numpy(), table["lat"].to_numpy())
    seat = np.exp(-np.hypot(*(land.km - seat_km[land.owner]).T) / SEAT_PULL_KM)
    strength = table["tier"].map({"U": 0.25, "C": 1.0, "T": 0.7}).to_numpy()[land.owner]
    centre = city_field(land, centres, "old") + strength * seat
    jobs = persons.y2020 * (0.30 + 1.4 * centre)
    for place in workplaces.itertuples():
        distance = np.hypot(*(land.km - to_km(np.array([place.lon]), np.array([place.lat]))[0]).T)
        field = np.exp(-((distance / place.radius_km) ** 2)) * ~land.river
        jobs = jobs + 45000 * place.weight * field / max(field.sum(), 1e-9)
    return Activity(centre, jobs * persons.y2020.sum() / jobs.sum())
