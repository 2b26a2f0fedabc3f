"""The one door to GDAL: its remote and virtual drivers are off before it is first loaded."""

import os

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
}
os.environ.update(SETTINGS)

import pyogrio  # noqa: E402
import rasterio  # noqa: E402
import rasterio.features  # noqa: E402
import rasterio.windows  # noqa: E402

__all__ = ["pyogrio", "rasterio"]
