"""Rasters are looked at before they are read, and read without what lies beside them."""

import shutil

import numpy as np
import pytest


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
