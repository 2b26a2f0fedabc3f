"""The door to the GDAL that reads rasters: remote and virtual drivers are off before it is first loaded."""

import os
import warnings
from pathlib import Path
from typing import Any

# GDAL reads GDAL_SKIP once, when a library registers its drivers; hence before the imports below. The skipped
# drivers can open other files, run code or talk to the network on the word of a file's content.
SKIPPED_DRIVERS = (
    "VRT", "GTI", "OGR_VRT", "GDALG", "DERIVED", "HTTP", "WMS", "WCS", "WFS", "WMTS", "OAPIF", "OGCAPI",
    "CSW", "DAAS", "EEDA", "EEDAI", "PLMosaic", "PLSCENES", "NGW", "Elasticsearch", "Carto", "AmigoCloud",
    "STACIT", "STACTA", "ADBC",
)  # fmt: skip
SETTINGS = {
    "GDAL_SKIP": ",".join(SKIPPED_DRIVERS),
    # Files beside an input (.aux.xml, .msk, .ovr) must not change what it says.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    # Every block is read once, so that remembering blocks only costs memory, MB.
    "GDAL_CACHEMAX": "32",
}
os.environ.update(SETTINGS)

import rasterio  # noqa: E402
import rasterio.enums  # noqa: E402
import rasterio.windows  # noqa: E402

__all__ = ["open_geotiff", "rasterio"]


def open_geotiff(path: str | Path) -> Any:  # noqa: ANN401 - rasterio ships no types
    """Open a GeoTIFF and nothing else, without the files beside it."""
    settings = {key: value for key, value in SETTINGS.items() if key not in ("GDAL_SKIP", "GDAL_CACHEMAX")}
    with rasterio.Env(**settings), warnings.catch_warnings():
        # A raster without a position is named by `rasters`.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(path, driver="GTiff")
