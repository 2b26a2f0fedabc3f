"""Handles to what is too big to hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RasterSource:
    """Checked GeoTIFFs of counts per pixel, one or the tiles of a mosaic; opened by the engine, never held.

    Parameters
    ----------
    paths, names
        Files, and what the scenario calls them.
    year
        Year of the counts; 0 when they have none.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...]
    year: int
