"""Rasters are looked at before they are read, and read without what lies beside them."""

import shutil

import numpy as np
import pytest

from siteplanner.errors import InputError


def test_files_beside_a_raster_change_nothing(world):
    world.write(
        "people.tif.aux.xml",
        "<PAMDataset><PAMRasterBand band='1'><Scale>-9</Scale></PAMRasterBand></PAMDataset>",
    )
    shutil.copy(world.folder / "people.tif", world.folder / "people.tif.msk")
    assert world.faults() == []


@pytest.mark.parametrize(
    ("change", "options", "expected"),
    [
        (np.nan, {}, "pixel row 3, column 4: found nan (missing pixels in all: 1)"),
        (np.inf, {}, "pixel row 3, column 4: found inf (infinite pixels in all: 1)"),
        (-99999.0, {}, "pixel row 3, column 4: found -99999 (negative pixels in all: 1)"),
        (1.0, {"crs": None}, "found no coordinate system, expected one that is declared"),
        (1.0, {"crs": 'LOCAL_CS["yard",UNIT["metre",1]]'}, "found a coordinate system that does not lead to"),
        (1.0, {"corner": (10.0, 50.0)}, "expected an overlap with the counties (112.000, 37.000 to"),
    ],
)  # fmt: skip
def test_raster_faults_are_named(world, change, options, expected):
    values = np.ones((40, 60), dtype="float32")
    values[3, 4] = change
    world.raster("people.tif", values, **options)
    found = world.faults()
    assert len(found) == 1
    assert expected in found[0]


def test_declared_nodata_is_no_fault(world):
    values = np.full((40, 60), -200.0, dtype="float32")
    values[20, 30] = 5.0
    world.raster("people.tif", values, nodata=-200.0)
    assert world.faults() == []


def test_bands_types_and_drivers_are_checked(world):
    world.raster("people.tif", np.ones((2, 40, 60), dtype="float32"))
    assert "found 2 bands" in world.faults()[0]
    world.raster("people.tif", np.zeros((40, 60), dtype="float32"))
    assert "found no people at all" in world.faults()[0]
    world.write("people.tif", '<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>')
    assert "found no readable GeoTIFF" in world.faults()[0]


def test_a_raster_that_claims_more_than_its_file_can_hold_is_refused(world):
    world.raster("small.tif", np.ones((4, 4), dtype="uint8"))
    data = (world.folder / "small.tif").read_bytes()
    # The width and height entries of the TIFF directory (tags 256 and 257, SHORT) become 40,000.
    for tag in (256, 257):
        old = tag.to_bytes(2, "little") + b"\x03\x00\x01\x00\x00\x00" + (4).to_bytes(4, "little")
        assert data.count(old) == 1
        data = data.replace(old, old[:8] + (40_000).to_bytes(4, "little"))
    world.write("people.tif", data)
    assert "found a claim of 40,000 x 40,000 pixels in" in world.faults()[0]


def test_a_file_that_is_cut_off_is_refused_before_it_is_read(world):
    people = np.random.default_rng(1).random((512, 512)).astype("float32")
    world.raster("people.tif", people, step=0.001, tiled=True, blockxsize=256, blockysize=256)
    data = (world.folder / "people.tif").read_bytes()
    world.write("people.tif", data[: len(data) // 2])
    assert world.headers()[0].endswith("expected a whole file: this one is cut off")


@pytest.mark.parametrize(
    ("value", "dtype", "times", "expected"),
    [
        (3.4028234663852886e38, "float32", 1, "found 3.40282e+38 (impossibly large pixels in all: 1)"),
        (4_294_967_295, "uint32", 3, "found 4.29497e+09 (impossibly large pixels in all: 3)"),
        (65_535, "uint16", 2, "found 65535 as the largest count, 2 times"),
        (99_999.0, "float64", 5, "found 99999 as the largest count, 5 times"),
        (255, "uint8", 30, "found 255 as the largest count, 30 times"),
    ],
)
def test_values_that_stand_for_no_data_undeclared_are_named(world, value, dtype, times, expected):
    values = np.ones((40, 60), dtype=dtype)
    values[7, 9 : 9 + times] = value
    world.raster("people.tif", values)
    assert world.faults() == [
        (
            f"people.tif pixel row 7, column 9: {expected}, "
            "expected persons >= 0; declare the value that stands for no data"
        )
    ]
    world.raster("people.tif", values, nodata=value)
    assert world.faults() == []


def test_true_counts_that_look_like_fills_are_people(world):
    values = np.ones((40, 60), dtype="float32")
    values[3, 3] = 9_999.0  # alone, once
    world.raster("people.tif", values)
    assert world.faults() == []
    values[4] = np.arange(9_940.0, 10_000.0)  # among its like
    world.raster("people.tif", values)
    assert world.faults() == []
    small = np.ones((40, 60), dtype="uint8")
    small[3, 3:5] = 255
    world.raster("people.tif", small)
    assert world.faults() == []


def test_faults_of_every_kind_are_counted_over_all_windows(world, monkeypatch):
    monkeypatch.setattr("siteplanner.layers.pixels.WINDOW_PIXELS", 16 * 16 * 2)
    values = np.ones((40, 60), dtype="float32")
    values[17, 50] = values[35, 2] = -3.0
    values[30, 5] = np.nan
    world.raster("people.tif", values, tiled=True, blockxsize=16, blockysize=16)
    assert [fault.split(", expected")[0] for fault in world.faults()] == [
        "people.tif pixel row 17, column 50: found -3 (negative pixels in all: 2)",
        "people.tif pixel row 30, column 5: found nan (missing pixels in all: 1)",
    ]


def test_a_run_reads_headers_and_leaves_the_pixels_to_the_sum(world):
    values = np.ones((40, 60), dtype="float32")
    values[0, 0] = -1.0
    world.raster("people.tif", values)
    assert world.headers() == []
    assert len(world.faults()) == 1
    assert world.read().population.names == ("people.tif",)


TILES = '{ path = ["west.tif", "east.tif"], year = 2020 }'


def test_a_mosaic_is_read_as_one(world):
    world.raster("west.tif", np.ones((40, 30), dtype="float32"))
    world.raster("east.tif", np.ones((40, 30), dtype="float32"), corner=(112.2, 37.3))
    layers = world.read(population=TILES)
    assert layers.population.names == ("west.tif", "east.tif")
    assert {"west.tif", "east.tif"} <= set(layers.files)
    assert world.faults(population=TILES) == []
    # One tile may lie beside the region, not all.
    world.raster("east.tif", np.ones((40, 30), dtype="float32"), corner=(115.2, 37.3))
    assert world.faults(population=TILES) == []
    world.raster("west.tif", np.ones((40, 30), dtype="float32"), corner=(114.9, 37.3))
    assert "expected an overlap with the counties" in world.faults(population=TILES)[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"corner": (112.18, 37.3)},
            (
                "east.tif: found an overlap of 2.00 x 40.00 pixels with west.tif, "
                "expected tiles side by side: people would count twice"
            ),
        ),
        (
            {"corner": (112.2, 37.3), "step": 0.02},
            "east.tif: found pixels of 0.02 by 0.02, expected those of west.tif, 0.01 by 0.01",
        ),
        (
            {"corner": (112.2, 37.3), "crs": "EPSG:4490"},
            "east.tif: found the coordinate system EPSG:4490, expected that of west.tif, EPSG:4326",
        ),
    ],
)
def test_tiles_that_do_not_fit_are_refused(world, options, expected):
    world.raster("west.tif", np.ones((40, 30), dtype="float32"))
    world.raster("east.tif", np.ones((40, 30), dtype="float32"), **options)
    assert world.faults(population=TILES) == [expected]


def test_lists_of_tiles_are_checked_as_a_scenario(world):
    with pytest.raises(InputError, match=r"found \[\], expected the name of a file, or a list of the names"):
        world.scenario(population="{ path = [], year = 2020 }")
    spec = '{ path = ["west.tif", "people.tif"], kind = "raster", datum = "wgs84" }'
    footfall = world.scenario(footfall=spec).inputs.footfall
    assert (footfall.path, footfall.tiles) == ("west.tif", ("people.tif",))
    with pytest.raises(InputError, match="tiles belong to the kind raster"):
        world.scenario(footfall=spec.replace('"raster"', '"points"'))
    world.raster("west.tif", np.ones((40, 60), dtype="float32"), corner=(111.3, 37.3))
    assert world.read(footfall=spec).footfall.raster.names == ("west.tif", "people.tif")
