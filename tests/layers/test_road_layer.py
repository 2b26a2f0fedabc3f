"""Roads from extracts and line layers: what is a road, for whom, in which direction; faults in one line."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from siteplanner.layers.findings import Findings
from siteplanner.layers.roads import read_roads
from siteplanner.scenario import ROAD_CLASSES, RoadsInput


def layer(path, *features, **more):
    content = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": tags, "geometry": {"type": "LineString", "coordinates": xy}}
            for tags, xy in features
        ],
    }
    path.write_text(json.dumps(content | more), encoding="utf-8")
    return path


def read(path, **spec):
    findings = Findings(path.parent)
    lines = read_roads(RoadsInput(path=path.name, **({"datum": "wgs84"} | spec)), findings)
    return lines, [str(fault) for fault in findings.faults]


HERE = [[112.50, 37.80], [112.51, 37.80]]


def users(tmp_path, **tags):
    lines, faults = read(layer(tmp_path / "r.geojson", (tags, HERE), ({"highway": "primary"}, HERE)))
    assert not faults
    if len(lines.road) == 1:
        return None
    return bool(lines.forward[0]), bool(lines.backward[0]), bool(lines.walk[0])


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"highway": "residential"}, (True, True, True)),
        ({"highway": "primary_link", "oneway": "yes"}, (True, False, True)),
        ({"highway": "secondary", "oneway": "-1"}, (False, True, True)),
        ({"highway": "motorway"}, (True, False, False)),
        ({"highway": "motorway", "oneway": "no"}, (True, True, False)),
        ({"highway": "trunk", "foot": "yes"}, (True, True, True)),
        ({"highway": "tertiary", "junction": "roundabout"}, (True, False, True)),
        ({"highway": "footway"}, (False, False, True)),
        ({"highway": "service", "access": "private"}, None),
        ({"highway": "service", "access": "no", "foot": "yes"}, (False, False, True)),
        ({"highway": "residential", "motor_vehicle": "no"}, (False, False, True)),
        ({"highway": "construction"}, None),
        ({"highway": None, "railway": "rail"}, None),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_who_may_use_a_road(tmp_path, tags, expected):
    assert users(tmp_path, **tags) == expected


def test_speed_limits(tmp_path):
    words = ["50", "30 mph", "none", "", "60;80"]
    features = [({"highway": "primary", "maxspeed": word}, HERE) for word in words]
    lines, _ = read(layer(tmp_path / "r.geojson", *features))
    np.testing.assert_allclose(lines.limit_kmh, [50.0, 48.28032, np.nan, np.nan, 60.0])


def test_own_names_and_a_layer_without_classes(tmp_path):
    path = layer(tmp_path / "r.geojson", ({"kind": "trunk"}, HERE), ({"kind": "river"}, HERE))
    lines, faults = read(path, columns={"highway": "kind"})
    assert not faults
    assert [ROAD_CLASSES[code] for code in lines.road] == ["trunk"]
    lines, _ = read(path)
    assert [ROAD_CLASSES[code] for code in lines.road] == ["unclassified"] * 2


def test_datum_is_taken_off(tmp_path):
    shifted = [[112.555299, 37.870525], [112.565299, 37.870525]]
    lines, _ = read(layer(tmp_path / "r.geojson", ({"highway": "primary"}, shifted)), datum="gcj02")
    # D§14: Taiyuan 112.549, 37.870 in WGS 84.
    assert lines.lon[0] == pytest.approx(112.549, abs=1e-5)
    assert lines.lat[0] == pytest.approx(37.870, abs=1e-5)


@pytest.mark.parametrize(
    ("features", "spec", "words"),
    [
        ([({"highway": "construction"}, HERE)], {}, ["no road at all", "construction"]),
        ([({"highway": "primary"}, [[37.8, 112.5], [37.9, 112.5]])], {}, ["swapped"]),
        ([({"kind": "primary"}, HERE)], {"columns": {"highway": "class"}}, ['"class"']),
        ([({"kind": "primary"}, HERE)], {"columns": {"speed": "kind"}}, ["speed"]),
        ([], {}, ["r.geojson"]),
    ],
)
def test_faults_are_one_line(tmp_path, features, spec, words):
    lines, faults = read(layer(tmp_path / "r.geojson", *features), **spec)
    assert lines is None
    assert len(faults) == 1
    assert all(word in faults[0] for word in words)


def test_points_are_no_roads(tmp_path):
    path = tmp_path / "r.geojson"
    point = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [1, 2]}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [point]}))
    _, faults = read(path)
    assert faults == ["r.geojson feature 1: found a Point, expected a line"]


def test_an_extract_that_is_none(tmp_path):
    path = tmp_path / "r.osm.pbf"
    path.write_bytes(b"nothing of the kind")
    _, faults = read(path)
    assert len(faults) == 1
    assert "no OpenStreetMap extract" in faults[0]
    path.write_bytes(b"\x00\x00\x00\x0d\x0a\x09OSMHeader\x18\x99")
    _, faults = read(path)
    assert len(faults) == 1
    assert "broken extract" in faults[0]


@pytest.mark.shared
def test_a_real_extract_and_a_real_layer():
    shared = Path(os.environ["SITEPLANNER_SHARED_DATA"])
    lines, faults = read(shared / "benchmarks/osm_test/test.osm.pbf")
    assert not faults
    # 343 ways with a highway tag, one of them under construction.
    assert 300 < lines.road.size <= 342
    lines, faults = read(shared / "shanxi/taiyuan_osm_lines.geojson")
    assert not faults
    assert lines.road.size <= 4_412 - 520 - 3
    assert np.isfinite(lines.lon).all()
