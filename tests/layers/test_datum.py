"""Datum conversions against the oracles of D§14."""

import numpy as np
import pytest

from siteplanner.layers.datum import from_wgs84, to_wgs84

# lon, lat in WGS 84, GCJ-02, BD-09 (D§14; six decimals, about 0.1 m).
ORACLES = {
    "Taiyuan": ((112.549, 37.870), (112.555299, 37.870525), (112.561679, 37.876849)),
    "Datong": ((113.300, 40.077), (113.307016, 40.078200), (113.313496, 40.084252)),
    "Yuncheng": ((111.007, 35.027), (111.012812, 35.026263), (111.019217, 35.032519)),
}
MICRODEGREE = 1.1e-6
MM_IN_DEGREES = 1e-3 / 111_195.0


@pytest.mark.parametrize("city", ORACLES)
@pytest.mark.parametrize(("datum", "column"), [("gcj02", 1), ("bd09", 2)])
def test_oracles_hold_both_ways(city, datum, column):
    wgs84, shown = ORACLES[city][0], ORACLES[city][column]
    forward = from_wgs84(np.array([wgs84[0]]), np.array([wgs84[1]]), datum)
    assert np.abs(np.ravel(forward) - shown).max() < MICRODEGREE
    back = to_wgs84(np.array([shown[0]]), np.array([shown[1]]), datum)
    assert np.abs(np.ravel(back) - wgs84).max() < MICRODEGREE


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_round_trip_is_closer_than_a_millimetre(datum):
    lon, lat = np.meshgrid(np.arange(75.0, 135.0, 0.37), np.arange(18.0, 53.0, 0.41))
    there = from_wgs84(lon, lat, datum)
    back = to_wgs84(*there, datum)
    assert max(np.abs(back[0] - lon).max(), np.abs(back[1] - lat).max()) < MM_IN_DEGREES


def test_points_abroad_and_wgs84_stay():
    lon, lat = np.array([-70.0, 2.35]), np.array([12.5, 48.85])
    for datum in ("wgs84", "gcj02", "bd09"):
        assert np.array_equal(to_wgs84(lon, lat, datum), (lon, lat))
