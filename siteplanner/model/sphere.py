"""Distances on the mean sphere, in km: every trip and every spacing is measured with these."""

import numpy as np
from scipy.spatial import cKDTree

EARTH_RADIUS_KM = 6_371.0088
"""Mean radius R1 of GRS 80 (IUGG; Moritz 1980)."""


def great_circle_km(
    lon: np.ndarray, lat: np.ndarray, other_lon: np.ndarray, other_lat: np.ndarray
) -> np.ndarray:
    """Return great-circle distances in km between points in degrees (haversine; arguments broadcast)."""
    phi, other_phi = np.radians(lat), np.radians(other_lat)
    half = np.sin((other_phi - phi) / 2.0) ** 2
    half = half + np.cos(phi) * np.cos(other_phi) * np.sin(np.radians(other_lon - lon) / 2.0) ** 2
    return np.asarray(2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(half, 1.0))))


def unit_vectors(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return points in degrees on the unit sphere, n x 3."""
    x, y = np.radians(np.asarray(lon, dtype=float)), np.radians(np.asarray(lat, dtype=float))
    return np.column_stack((np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)))


def distances_km(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return great-circle distances between two sets of unit vectors, n x m, km."""
    square = ((left[:, None, :] - right[None, :, :]) ** 2).sum(axis=2)
    return _arc_km(np.sqrt(square))


def nearest_km(points: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance from each unit vector to the nearest of others, km, and which it is.

    Infinitely far, and ``len(others)``, where there are no others.
    """
    if len(others) == 0:
        return np.full(len(points), np.inf), np.zeros(len(points), dtype=np.int64)
    chord, which = cKDTree(others).query(points)
    return _arc_km(np.asarray(chord)), np.asarray(which)


def _arc_km(chord: np.ndarray) -> np.ndarray:
    return np.asarray(2.0 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2.0, 1.0)))
