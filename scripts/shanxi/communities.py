"""New communities: homes handed over, or promised, where the towns grow."""

import numpy as np
import pandas as pd

from .outlets import pixel_points
from .people import People
from .settlement import Land

COMMUNITIES = 330
KINDS = {"commodity": 0.66, "resettlement": 0.14, "rental": 0.08, "functional": 0.07, "market": 0.05}
FIRST, LAST = pd.Timestamp("2016-03-01"), pd.Timestamp("2029-12-31")


def place_communities(
    land: Land, table: pd.DataFrame, persons: People, words: dict, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw communities where the model's people came after 2010, the later ones on emptier land."""
    gain = np.clip(persons.y2020.astype(float) - persons.y2010, 0, None) * (persons.fresh > 0.35)
    when = np.sort(rng.beta(1.5, 1.25, COMMUNITIES))
    handover = FIRST + pd.to_timedelta(np.round(when * (LAST - FIRST).days), unit="D")
    later = np.asarray(handover > pd.Timestamp("2021-01-01"))
    full = gain**0.9
    rim = np.where(gain > 0, persons.fresh**2 * np.sqrt(gain), 0.0)
    early = rng.choice(len(gain), int((~later).sum()), replace=False, p=full / full.sum())
    rim[early] = 0
    late = rng.choice(len(gain), int(later.sum()), replace=False, p=rim / rim.sum())
    pixels = np.concatenate([early, late])
    lon, lat = pixel_points(land, pixels, rng)
    kind = rng.choice(list(KINDS), COMMUNITIES, p=list(KINDS.values()))
    factor = pd.Series(kind).map({"functional": 0.6, "market": 0.35}).fillna(1.0).to_numpy()
    households = np.clip(np.exp(rng.normal(7.05, 0.55, COMMUNITIES)) * factor, 150, 4200)
    return pd.DataFrame(
        {
            "name": name_communities(land.owner[pixels], kind, table, words, rng),
            "lon": lon,
            "lat": lat,
            "households": np.round(households, -1).astype(int),
            "handover": handover.strftime("%Y-%m-%d"),
            "kind": kind,
        }
    )


def name_communities(
    township: np.ndarray, kind: np.ndarray, table: pd.DataFrame, words: dict, rng: np.random.Generator
) -> list[str]:
    """Invent names: the real township, then invented words, numbered where a name comes twice."""
    used: dict[str, int] = {}
    names = []
    for row, sort in zip(township, kind, strict=True):
        town = table["name"].iloc[row]
        for suffix in [*words["street_suffixes"], *words["town_suffixes"]]:
            town = town.removesuffix(suffix)
        first = words["resettlement_first" if sort == "resettlement" else "community_first"]
        last = words["community_last"][sort]
        name = town + first[rng.integers(len(first))] + last[rng.integers(len(last))]
        used[name] = used.get(name, 0) + 1
        names.append(name if used[name] == 1 else f"{name}{used[name]}")
    return names
