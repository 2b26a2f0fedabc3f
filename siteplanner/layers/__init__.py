"""Files in, checked tables and handles out."""

from siteplanner.layers.reading import check_files, check_layers, read_layers
from siteplanner.layers.records import FootfallSource, Layers, RasterSource
from siteplanner.layers.scenario_file import load_scenario

__all__ = [
    "FootfallSource",
    "Layers",
    "RasterSource",
    "check_files",
    "check_layers",
    "load_scenario",
    "read_layers",
]
