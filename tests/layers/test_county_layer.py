"""The county layer: repaired or refused by feature."""

import geopandas as gpd
import pytest
import shapely


def write_counties(world, shapes, ids=None):
    frame = gpd.GeoDataFrame(
        {"county_id": ids or [f"{i}" for i in range(len(shapes))], "name": ["x"] * len(shapes)},
        geometry=shapes, crs="EPSG:4326",
    )  # fmt: skip
    frame.to_file(world.folder / "counties.geojson", driver="GeoJSON")


def test_a_bowtie_is_repaired_and_noted(world):
    bowtie = shapely.Polygon([(112.0, 37.0), (112.4, 37.2), (112.4, 37.0), (112.0, 37.2)])
    write_counties(world, [bowtie])
    world.write("branches.csv", "branch_id,name,lon,lat\nB1,a,112.05,37.1\n")
    layers = world.read()
    assert ("repaired_polygons", "counties", "1") in layers.notes
    # Two triangles with base 0.2 and height 0.2.
    assert shapely.area(layers.counties.geometry.to_numpy()).sum() == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("shapes", "ids", "expected"),
    [
        ([shapely.Point(112, 37)], None, "found a Point, expected a polygon"),
        ([None], None, "found nothing, expected a polygon"),
        ([shapely.Polygon()], None, "found an empty polygon, expected a polygon"),
        ([shapely.Polygon([(112, 37), (112.4, 37), (112, 37)])], None, "found a polygon without area"),
        ([shapely.box(37, 112, 37.4, 112.4)], None, "(lon and lat look swapped)"),
        ([shapely.box(-179, 37, 179, 38)], None, "not across the antimeridian"),
        ([shapely.box(112, 37, 112.4, 37.2)] * 2, ["a", "a"], 'found "a" again'),
    ],
)
def test_counties_that_are_no_polygons_are_named(world, shapes, ids, expected):
    write_counties(world, shapes, ids)
    found = world.faults()
    assert len(found) == 1
    assert expected in found[0]
    assert found[0].startswith("counties.geojson feature ")


def test_shares_of_age_above_all_residents_are_named_with_their_county(world):
    shapes = [shapely.box(112.0, 37.0, 112.2, 37.2), shapely.box(112.2, 37.0, 112.4, 37.2)]
    frame = gpd.GeoDataFrame(
        {
            "county_id": ["a", "b"],
            "name": ["a", "b"],
            "share_18_34": [0.4, 0.4],
            "share_35_59": [0.4, 0.4],
            "share_60": [0.2, 0.3],
        },
        geometry=shapes,
        crs="EPSG:4326",
    )
    frame.to_file(world.folder / "counties.geojson", driver="GeoJSON")
    found = world.faults()
    assert len(found) == 1
    assert "feature 2 (county_id b)" in found[0]
    assert "share_18_34, share_35_59, share_60: found shares that add up to 1.1" in found[0]
