import json

import numpy as np
import pandas as pd
import pytest
from region import write_region, write_rivers

from siteplanner.errors import InputError
from siteplanner.layers.reading import read_layers
from siteplanner.layers.scenario_file import load_scenario

BARRIERS = '[inputs.barriers]\npath = "rivers.geojson"\ndatum = "wgs84"\n'
POINTS = '[inputs.service_points]\npath = "points.csv"\ndatum = "wgs84"\n'


def layers_of(folder, more):
    return read_layers(load_scenario(write_region(folder, more=more)), folder)


def faults_of(folder, more):
    with pytest.raises(InputError) as refused:
        layers_of(folder, more)
    return refused.value.faults


def put(folder, *shapes, name="rivers.geojson"):
    features = [{"type": "Feature", "properties": {}, "geometry": shape} for shape in shapes]
    (folder / name).write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")


def test_barriers_are_read_with_their_factors(tmp_path):
    write_rivers(tmp_path)
    barriers = layers_of(tmp_path, BARRIERS).barriers
    assert [shape.geom_type for shape in barriers.shapes] == ["LineString", "Polygon"]
    np.testing.assert_array_equal(barriers.factor, [np.nan, 3.0])


def test_barriers_in_another_datum_are_shifted(tmp_path):
    write_rivers(tmp_path)
    straight = layers_of(tmp_path, BARRIERS).barriers.shapes[0]
    shifted = layers_of(tmp_path, BARRIERS.replace("wgs84", "gcj02")).barriers.shapes[0]
    far = np.hypot(*(np.array(straight.coords) - np.array(shifted.coords)).T)
    # Some 560 m to the west.
    assert far == pytest.approx(0.0064, abs=0.0008)


def test_without_the_layers_there_are_none_and_it_is_said(tmp_path):
    layers = layers_of(tmp_path, "")
    assert layers.barriers is None
    assert layers.service_points.empty
    assert {("absent_layer", "barriers"), ("absent_layer", "service_points")} <= set(layers.notes)


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ({"type": "Point", "coordinates": [112.1, 37.6]}, "a Point"),
        ({"type": "LineString", "coordinates": []}, "an empty LineString"),
        ({"type": "LineString", "coordinates": [[37.6, 112.1], [37.7, 112.1]]}, "look swapped"),
    ],
)
def test_what_is_no_barrier_is_refused(tmp_path, shape, found):
    put(tmp_path, shape)
    (fault,) = faults_of(tmp_path, BARRIERS)
    assert (fault.file, fault.column) == ("rivers.geojson", "geometry")
    assert found in fault.found


def test_a_factor_below_one_is_refused(tmp_path):
    write_rivers(tmp_path)
    path = tmp_path / "rivers.geojson"
    path.write_text(path.read_text("utf-8").replace("3.0", "0.5"), "utf-8")
    (fault,) = faults_of(tmp_path, BARRIERS)
    assert fault.column == "factor"


def test_service_points_are_read_numbered_and_counted(tmp_path):
    where = {"lon": [112.32, 112.1, 120.0], "lat": [37.63, 37.72, 30.0]}
    frame = pd.DataFrame({**where, "kind": ["agent", "", ""]})
    frame.to_csv(tmp_path / "points.csv", index=False)
    layers = layers_of(tmp_path, POINTS)
    assert layers.service_points.index.tolist() == ["P00001", "P00002"]
    assert layers.service_points["kind"].tolist() == ["agent", "agent"]
    assert ("outside_region", "service_points", "1") in layers.notes


@pytest.mark.parametrize(
    ("opens", "closes", "column", "found"),
    [("17", "9", "closes_at", "9, with opens_at 17"), ("9", "9", "closes_at", "9, with opens_at 9"),
     ("9", "", "closes_at", "nothing"), ("", "17", "opens_at", "nothing")],
)  # fmt: skip
def test_opening_hours_that_end_before_they_begin_are_refused(tmp_path, opens, closes, column, found):
    scenario = write_region(tmp_path)
    branches = pd.read_csv(tmp_path / "branches.csv", dtype=str)
    branches = branches.assign(opens_at="8.5", closes_at="17")
    branches.loc[2, ["opens_at", "closes_at"]] = (opens, closes)
    branches.to_csv(tmp_path / "branches.csv", index=False)
    with pytest.raises(InputError) as refused:
        read_layers(load_scenario(scenario), tmp_path)
    (fault,) = refused.value.faults
    assert (fault.file, fault.column, fault.found) == ("branches.csv", column, found)
