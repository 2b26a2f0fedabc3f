"""The door to the GDAL that reads vectors: it has the settings of the one that reads rasters."""

# First, as the settings must stand before the library is loaded.
import siteplanner.layers.gdal  # noqa: F401, I001
import pyogrio

__all__ = ["pyogrio"]
