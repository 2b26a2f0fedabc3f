"""GCJ-02 and BD-09 to WGS 84 and back.

Both offsets are functions of the position alone. The forward formulas are the ones in public use since 2010
(sources and oracles in D§12.3 and D§14); the inverse is found by iteration, because the offset changes by
less than one metre in a hundred and so each step adds two digits.
"""

import numpy as np

from siteplanner.scenario import Datum

# Ellipsoid of the offset formula (Krassovsky 1940).
KRASSOVSKY_A_M = 6_378_245.0
KRASSOVSKY_E2 = 0.006_693_421_622_965_943

# Box in which the offset applies, degrees. The true boundary is finer; near it, and in Mongolia, Korea or
# Vietnam, points are shifted that should not be.
CHINA_WEST, CHINA_EAST = 72.004, 137.8347
CHINA_SOUTH, CHINA_NORTH = 0.8293, 55.8271

# BD-09 on top of GCJ-02: swing in radians per degree, and constant shift in degrees.
BD_SWING = np.pi * 3000.0 / 180.0
BD_LON_SHIFT, BD_LAT_SHIFT = 0.0065, 0.006

# Each step multiplies the error by about 0.01; six steps leave less than a micrometre.
INVERSE_STEPS = 6


def to_wgs84(lon: np.ndarray, lat: np.ndarray, datum: Datum) -> tuple[np.ndarray, np.ndarray]:
    """Return longitude and latitude in WGS 84, degrees; points outside China's box stay as they are."""
    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    if datum == "wgs84":
        return lon, lat
    guess_lon, guess_lat = lon, lat
    for _ in range(INVERSE_STEPS):
        there_lon, there_lat = from_wgs84(guess_lon, guess_lat, datum)
        guess_lon, guess_lat = guess_lon + (lon - there_lon), guess_lat + (lat - there_lat)
    inside = _in_china(lon, lat)
    return np.where(inside, guess_lon, lon), np.where(inside, guess_lat, lat)


def from_wgs84(lon: np.ndarray, lat: np.ndarray, datum: Datum) -> tuple[np.ndarray, np.ndarray]:
    """Return what a map in that datum would show for a WGS 84 point, degrees."""
    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    if datum == "wgs84":
        return lon, lat
    inside = _in_china(lon, lat)
    moved_lon, moved_lat = _to_gcj02(lon, lat)
    if datum == "bd09":
        moved_lon, moved_lat = _to_bd09(moved_lon, moved_lat)
    return np.where(inside, moved_lon, lon), np.where(inside, moved_lat, lat)


def _in_china(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    inside: np.ndarray = (
        (lon >= CHINA_WEST) & (lon <= CHINA_EAST) & (lat >= CHINA_SOUTH) & (lat <= CHINA_NORTH)
    )
    return inside


def _to_gcj02(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = lon - 105.0, lat - 35.0
    common = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    north_m = (
        -100.0 + 2.0 * x + 3.0 * y + 0.2 * y**2 + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + common
        + (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
        + (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    )  # fmt: skip
    east_m = (
        300.0 + x + 2.0 * y + 0.1 * x**2 + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + common
        + (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
        + (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    )  # fmt: skip
    phi = np.radians(lat)
    w2 = 1.0 - KRASSOVSKY_E2 * np.sin(phi) ** 2
    meridian_m = KRASSOVSKY_A_M * (1.0 - KRASSOVSKY_E2) / w2**1.5
    parallel_m = KRASSOVSKY_A_M / np.sqrt(w2) * np.cos(phi)
    return lon + np.degrees(east_m / parallel_m), lat + np.degrees(north_m / meridian_m)


def _to_bd09(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    radius = np.hypot(lon, lat) + 2e-5 * np.sin(lat * BD_SWING)
    angle = np.arctan2(lat, lon) + 3e-6 * np.cos(lon * BD_SWING)
    return radius * np.cos(angle) + BD_LON_SHIFT, radius * np.sin(angle) + BD_LAT_SHIFT
