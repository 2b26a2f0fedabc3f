"""A small region with known answers: two square counties, a raster, two branches."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from siteplanner.errors import InputError
from siteplanner.layers.findings import Findings
from siteplanner.layers.gdal import rasterio
from siteplanner.layers.reading import _read, check_layers, read_layers
from siteplanner.layers.scenario_file import load_scenario

WEST_COUNTY = shapely.box(112.0, 37.0, 112.2, 37.2)
EAST_COUNTY = shapely.box(112.2, 37.0, 112.4, 37.2)
# "Jia xian" and "Yi xian" in Chinese: every character is in GB 2312.
NAMES = ["\u7532\u53bf", "\u4e59\u53bf"]
BRANCHES = (
    f"branch_id,name,lon,lat\nB1,{NAMES[0]}\u652f\u884c,112.1,37.1\nB2,{NAMES[1]}\u652f\u884c,112.3,37.1\n"
)


class World:
    """Writes files into one folder, makes scenarios that name them, and reads or checks them."""

    names = NAMES
    branches_text = BRANCHES

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inputs = {
            "branches": '{ path = "branches.csv", datum = "wgs84" }',
            "counties": '{ path = "counties.geojson", datum = "wgs84" }',
            "population": '{ path = "people.tif", year = 2020 }',
        }
        self.write("branches.csv", BRANCHES)
        self.counties().to_file(folder / "counties.geojson", driver="GeoJSON")
        self.raster("people.tif", np.arange(40 * 60, dtype="float32").reshape(40, 60))

    def counties(self) -> gpd.GeoDataFrame:
        columns = {"county_id": ["01", "02"], "name": NAMES, "geometry": [WEST_COUNTY, EAST_COUNTY]}
        return gpd.GeoDataFrame(columns, crs="EPSG:4326")

    def write(self, name, content):
        data = content if isinstance(content, bytes) else content.encode()
        (self.folder / name).write_bytes(data)

    def raster(self, name, values, *, crs="EPSG:4326", corner=(111.9, 37.3), step=0.01, **options):
        bands = values if values.ndim == 3 else values[None]
        count, height, width = bands.shape
        place = rasterio.Affine(step, 0.0, corner[0], 0.0, -step, corner[1])
        with rasterio.open(
            self.folder / name, "w", driver="GTiff", height=height, width=width, count=count,
            dtype=bands.dtype, crs=crs, transform=place, **options,
        ) as file:  # fmt: skip
            file.write(bands)

    def scenario(self, **inputs):
        lines = [f"{key} = {value}" for key, value in {**self.inputs, **inputs}.items()]
        self.write("scenario.toml", 'name = "test"\n[inputs]\n' + "\n".join(lines))
        return load_scenario(self.folder / "scenario.toml")

    def table(self, name, datum="wgs84", **more):
        extra = "".join(f", {key} = {value}" for key, value in more.items())
        return f'{{ path = "{name}", datum = "{datum}"{extra} }}'

    def read(self, **inputs):
        return read_layers(self.scenario(**inputs), self.folder)

    def headers(self, **inputs):
        return [str(fault) for fault in _read(self.scenario(**inputs), Findings(self.folder))[1]]

    def faults(self, **inputs):
        scenario = self.scenario(**inputs)
        faults = check_layers(scenario, self.folder)
        # A run judges the pixels when it sums them, not when it reads the layers.
        headers = _read(scenario, Findings(self.folder))[1]
        assert set(headers) <= set(faults)
        if headers:
            with pytest.raises(InputError) as caught:
                read_layers(scenario, self.folder)
            assert caught.value.faults == headers
        return [str(fault) for fault in faults]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)
