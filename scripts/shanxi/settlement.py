"""Where people live inside a township: towns with a dense core, villages along roads and valleys, hamlets."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import Delaunay, cKDTree

from .apportion import fill_to_limits
from .lattice import Lattice, smooth_noise, to_degrees, to_km

PIXEL_CAP = 950.0  # persons per 7.5-arc-second pixel of ordinary texture, 22 thousand per square kilometre
TOWN_RADIUS_KM = (
    0.27  # e-folding radius of a town of 3,000 people; grows with the square root of people, nearly
)
RADIUS_POWER = 0.45
FIELD_FLOOR = 0.05  # built-up land ends where the density field falls below this share of its peak
ROAD_LIMIT_KM = 28.0
CHUNK = 45  # people per scattered handful of houses


@dataclass(frozen=True)
class Land:
    """The pixels of the province and what each of them belongs to."""

    lattice: Lattice
    km: np.ndarray  # plane coordinates of the inside pixels
    county: np.ndarray
    owner: np.ndarray  # township row of each inside pixel
    river: np.ndarray  # true where nobody lives
    rim: np.ndarray  # true where a neighbouring pixel belongs to another township or county

    @property
    def pixels_of(self) -> list[np.ndarray]:
        """Inside pixels of every township."""
        order = np.argsort(self.owner, kind="stable")
        edges = np.searchsorted(self.owner[order], np.arange(self.owner.max() + 2))
        return [order[edges[row] : edges[row + 1]] for row in range(len(edges) - 1)]


def make_land(lattice: Lattice, owner: np.ndarray, rivers: pd.DataFrame) -> Land:
    """Collect the pixel tables once."""
    inside = lattice.inside
    km = to_km(*lattice.centres(inside))
    river = np.zeros(len(inside), bool)
    for _, course in rivers.groupby("river"):
        points = to_km(course["lon"].to_numpy(), course["lat"].to_numpy())
        width = course["half_width_km"].to_numpy()
        for start, end, half in zip(points[:-1], points[1:], width[:-1], strict=True):
            river |= distance_to_segment(km, start, end) < half
    return Land(lattice, km, lattice.county.ravel()[inside], owner, river, find_rim(lattice, owner))


def find_rim(lattice: Lattice, owner: np.ndarray) -> np.ndarray:
    """Mark pixels with a neighbour of another township."""
    grid = np.full(lattice.county.size, -1, np.int32)
    grid[lattice.inside] = owner
    grid = np.pad(grid.reshape(lattice.county.shape), 1, constant_values=-1)
    middle = grid[1:-1, 1:-1]
    height, width = middle.shape
    rim = np.zeros(middle.shape, bool)
    for down in (0, 1, 2):
        for right in (0, 1, 2):
            rim |= grid[down : down + height, right : right + width] != middle
    return rim.ravel()[lattice.inside]


def distance_to_segment(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distance of points from a line segment, all in kilometres."""
    along = end - start
    part = np.clip((points - start) @ along / (along @ along), 0, 1)
    return np.hypot(*(points - start - part[:, None] * along).T)


def draw_texture(land: Land, rng: np.random.Generator) -> np.ndarray:
    """Street blocks: dense quarters beside parks, works and stations where nobody lives."""
    shape = land.lattice.county.shape
    inside = land.lattice.inside
    quarter = smooth_noise(shape, 5, rng).ravel()[inside]
    block = rng.standard_normal(len(inside))
    empty = smooth_noise(shape, 3, rng).ravel()[inside] > 1.25
    return np.where(empty | land.river, 0.0, np.exp(0.30 * quarter + 0.28 * block))


def spread_towns(
    land: Land, table: pd.DataFrame, people: np.ndarray, centres: pd.DataFrame, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Spread each township's townspeople; also return the share of each pixel that is new since 2010."""
    texture = draw_texture(land, rng)
    old, new = city_field(land, centres, "old"), city_field(land, centres, "new")
    seat_km = to_km(table["lon"].to_numpy(), table["lat"].to_numpy())
    radius = TOWN_RADIUS_KM * (np.maximum(people, 300.0) / 3000.0) ** RADIUS_POWER
    heading = rng.uniform(0, 2 * np.pi, len(table))
    edge = np.exp(0.55 * smooth_noise(land.lattice.county.shape, 7, rng).ravel()[land.lattice.inside])
    towns, fresh = np.zeros(len(land.km)), np.zeros(len(land.km))
    for row, pixels in enumerate(land.pixels_of):
        if people[row] < 1 or len(pixels) == 0:
            continue
        here = land.km[pixels]
        tier = table["tier"].iloc[row]
        seat = np.exp(-np.hypot(*(here - seat_km[row]).T) / radius[row]) * (0.30 if tier == "U" else 1.0)
        offset = 2.6 * radius[row] * np.array([np.cos(heading[row]), np.sin(heading[row])])
        suburb = np.exp(-np.hypot(*(here - seat_km[row] - offset).T) / (0.75 * radius[row]))
        suburb *= 0.5 if tier == "C" else 0.0
        settled = old[pixels] + seat
        young = new[pixels] + suburb
        field = settled + young
        built = field * edge[pixels] >= FIELD_FLOOR * max(field.max(), 0.4)
        field = np.where(built, field, 0) * texture[pixels]
        if field.sum() == 0:
            field = np.exp(-np.hypot(*(here - seat_km[row]).T) / radius[row])
        limit = np.where(field > 0, PIXEL_CAP * np.clip(texture[pixels], 0.4, 1.35), 0.0)
        limit = limit * max(1.0, people[row] / max(limit.sum(), 1.0))
        towns[pixels] = fill_to_limits(field, people[row], limit)
        fresh[pixels] = young / np.maximum(settled + young, 1e-9)
    return towns, fresh


def city_field(land: Land, centres: pd.DataFrame, kind: str) -> np.ndarray:
    """Sum the density fields of the listed city centres of one kind."""
    field = np.zeros(len(land.km))
    for centre in centres[centres["kind"] == kind].itertuples():
        distance = np.hypot(*(land.km - to_km(np.array([centre.lon]), np.array([centre.lat]))[0]).T)
        field += centre.weight * np.exp(-((distance / (1.45 * centre.radius_km)) ** 1.6))
    return np.where(field < FIELD_FLOOR, 0.0, field)


def spread_villages(
    land: Land, table: pd.DataFrame, people: np.ndarray, basin: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Place villages along the roads between seats, hamlets around them, and fill them with people."""
    count = np.maximum(table["villages"].to_numpy(), 1)
    count = np.where(people > 0, np.minimum(count, np.maximum(people // 60, 1)), 0).astype(int)
    row = np.repeat(np.arange(len(table)), count)
    village = place_villages(land, table, row, basin, rng)
    size = rng.lognormal(0, 0.65, len(row))
    size *= (people / np.maximum(np.bincount(row, size, len(table)), 1e-9))[row]
    scattered = size * np.where(rng.random(len(row)) < basin[row], 0.10, 0.34)
    house = scatter(village, size - scattered, 0.085 + 0.05 * np.sqrt(size / 400), rng)
    number = 6 + rng.poisson(17 - 8 * basin[row])
    hamlet = np.repeat(np.arange(len(row)), number)
    away = rng.lognormal(0.55, 0.6, len(hamlet))
    turn = draw_headings(village, basin[row], rng, hamlet)
    spot = village[hamlet] + away[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    farm = scatter(spot, (scattered / number)[hamlet], np.full(len(hamlet), 0.06), rng)
    return gather(land, [house, farm], people)


def draw_headings(
    village: np.ndarray, basin: np.ndarray, rng: np.random.Generator, hamlet: np.ndarray
) -> np.ndarray:
    """Return the way from each hamlet's village: along the valley in the hills, any in the basins."""
    nearest = cKDTree(village).query(village, k=2)[1][:, 1]
    valley = np.arctan2(*(village[nearest] - village).T[::-1])[hamlet]
    along = valley + np.pi * rng.integers(0, 2, len(hamlet)) + rng.normal(0, 0.3, len(hamlet))
    anywhere = rng.uniform(0, 2 * np.pi, len(hamlet))
    return np.where(rng.random(len(hamlet)) < 0.75 * (1 - basin[hamlet]), along, anywhere)


def scatter(
    spot: np.ndarray, people: np.ndarray, spread_km: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Break settlements into handfuls of houses around their middle."""
    pieces = np.maximum(np.ceil(people / CHUNK), 1).astype(int)
    owner = np.repeat(np.arange(len(spot)), pieces)
    where = spot[owner] + rng.standard_normal((len(owner), 2)) * spread_km[owner, None]
    return where, (people / pieces)[owner]


def gather(land: Land, parts: list[tuple[np.ndarray, np.ndarray]], people: np.ndarray) -> np.ndarray:
    """Add handfuls to pixels and restore the people of each township."""
    grid = np.zeros(land.lattice.county.size)
    for where, size in parts:
        np.add.at(grid, land.lattice.locate(*to_degrees(where)), size)
    villages = np.where(land.river, 0.0, grid[land.lattice.inside])
    have = np.bincount(land.owner, villages, len(people))
    return villages * (people / np.maximum(have, 1e-9))[land.owner]


def place_villages(
    land: Land, table: pd.DataFrame, row: np.ndarray, basin: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Choose a spot for every village inside its own township."""
    seat = to_km(table["lon"].to_numpy(), table["lat"].to_numpy())
    starts, neighbours = road_neighbours(seat)
    bend = [smooth_noise(land.lattice.county.shape, 30, rng) for _ in range(2)]
    owner = np.full(land.lattice.county.size, -1, np.int32)
    owner[land.lattice.inside] = land.owner
    pixels_of = land.pixels_of
    spot = np.empty((len(row), 2))
    missing = np.arange(len(row))
    for _ in range(12):
        if len(missing) == 0:
            break
        here = row[missing]
        degree = starts[here + 1] - starts[here]
        other = neighbours[
            np.minimum(starts[here] + (rng.random(len(here)) * degree).astype(int), len(neighbours) - 1)
        ]
        part = rng.uniform(0.04, 0.62, len(here))[:, None]
        line = seat[here] + part * (seat[other] - seat[here])
        line += bend_at(land.lattice, bend, line) * np.minimum(1, 4 * part)
        line += rng.standard_normal(line.shape) * (0.18 + 0.67 * basin[here, None])
        loose = rng.random(len(here)) < 0.12 + 0.55 * basin[here]
        anywhere = np.array(
            [
                pixels_of[r][int(u * len(pixels_of[r]))]
                for r, u in zip(here, rng.random(len(here)), strict=True)
            ]
        )
        line[loose] = land.km[anywhere[loose]]
        fits = owner[land.lattice.locate(*to_degrees(line))] == here
        spot[missing[fits]] = line[fits]
        spot[missing[~fits]] = land.km[anywhere[~fits]]
        missing = missing[~fits]
    return spot


def bend_at(lattice: Lattice, bend: list[np.ndarray], km: np.ndarray) -> np.ndarray:
    """Read the winding of the valleys at some points, in kilometres."""
    pixel = lattice.locate(*to_degrees(km))
    return np.column_stack([1.3 * part.ravel()[pixel] for part in bend])


def road_neighbours(seat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join seats that have no third seat in the circle between them (Gabriel graph): row starts and lists."""
    corners = Delaunay(seat).simplices
    pairs = np.unique(
        np.sort(np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]]), axis=1), axis=0
    )
    middle = (seat[pairs[:, 0]] + seat[pairs[:, 1]]) / 2
    length = np.hypot(*(seat[pairs[:, 0]] - seat[pairs[:, 1]]).T)
    blocked = np.array([
        (np.hypot(*(seat - m).T) < size / 2 - 1e-6).any() or size > ROAD_LIMIT_KM
        for m, size in zip(middle, length, strict=True)
    ])  # fmt: skip
    pairs = pairs[~blocked]
    both = np.vstack([pairs, pairs[:, ::-1], np.column_stack([np.arange(len(seat))] * 2)])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    return np.searchsorted(both[:, 0], np.arange(len(seat) + 1)), both[:, 1]
