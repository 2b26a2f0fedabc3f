"""The files of a run."""

from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator

from siteplanner.scenario.sections import Datum, Section, Tiles


class TableInput(Section):
    """One table file: CSV, XLSX, GeoPackage, GeoJSON, Shapefile or (Geo)Parquet."""

    path: str = Field(min_length=1, description="file, relative to the scenario")
    datum: Datum = Field(description="datum of its coordinates; there is no safe default in China (D§12.3)")
    columns: dict[str, str] = Field(default_factory=dict, description="canonical name = name in the file")
    encoding: Literal["utf-8", "gb18030", "utf-16"] | None = Field(
        default=None, description="encoding of a text file; recognised when absent"
    )
    sheet: str | None = Field(default=None, description="sheet of a workbook; the first when absent")
    layer: str | None = Field(default=None, description="layer of a GeoPackage; the first when absent")


class TicketsInput(Section):
    """Queue tickets: no coordinates, hence no datum."""

    path: str = Field(min_length=1, description="file, relative to the scenario")
    columns: dict[str, str] = Field(default_factory=dict, description="canonical name = name in the file")
    encoding: Literal["utf-8", "gb18030", "utf-16"] | None = Field(
        default=None, description="encoding of a text file; recognised when absent"
    )
    sheet: str | None = Field(default=None, description="sheet of a workbook; the first when absent")


class PopulationInput(Section):
    """Persons per pixel, GeoTIFF."""

    path: Tiles = Field(description="GeoTIFF or list of the tiles of a mosaic, relative to the scenario")
    year: int = Field(ge=1950, le=2100, description="year of the raster")
    earlier: Tiles | None = Field(default=None, description="same product, an earlier year")
    earlier_year: int | None = Field(default=None, ge=1950, le=2100, description="year of the earlier raster")
    aged_60: Tiles | None = Field(default=None, description="persons aged 60 and over per pixel")

    @model_validator(mode="after")
    def _epochs_in_order(self) -> "PopulationInput":
        if (self.earlier is None) != (self.earlier_year is None):
            msg = "earlier and earlier_year are given together or not at all"
            raise ValueError(msg)
        if self.earlier_year is not None and self.earlier_year >= self.year:
            msg = "earlier_year must lie before year"
            raise ValueError(msg)
        return self


class FootfallInput(Section):
    """Foot traffic of one of five kinds."""

    path: str = Field(min_length=1, description="file, or a folder of Parquet files for pings")
    tiles: tuple[str, ...] = Field(
        default=(), description="further tiles of a raster; path may also be a list of all of them"
    )
    kind: Literal["points", "pings", "cells", "h3", "raster"] = Field(description="what a row or pixel is")
    datum: Datum = Field(description="datum of its coordinates")
    columns: dict[str, str] = Field(default_factory=dict, description="canonical name = name in the file")
    time_zone: str | None = Field(
        default=None,
        description="IANA zone of times without an offset, on whose clock all are counted; times with one: Asia/Shanghai when absent",
    )
    time_unit: Literal["s", "ms", "us", "ns"] | None = Field(
        default=None, description="unit of times given as whole numbers since 1970 UTC"
    )
    distinct_devices: bool = Field(
        default=False,
        description="count a device once per cell and hour, however often it is seen; pings only",
    )
    suppress: bool = Field(
        default=False,
        description="figures that rest on fewer people than suppress_below are missing (D§12.6)",
    )
    suppress_below: int = Field(
        default=10,
        ge=2,
        le=10_000,
        description="k: distinct devices behind a figure, or without devices people per hour (D§12.6: 10, 15-20 for tenders)",
    )

    @model_validator(mode="after")
    def _zone_and_devices_make_sense(self) -> "FootfallInput":
        if self.time_zone is not None:
            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                msg = "time_zone must be the name of an IANA time zone, e.g. Asia/Shanghai"
                raise ValueError(msg) from None
        if self.distinct_devices and self.kind != "pings":
            msg = "distinct_devices goes with kind pings only"
            raise ValueError(msg)
        return self

    @model_validator(mode="before")
    @classmethod
    def _part_list(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        """Take a list of tiles apart into the first and the others."""
        if not isinstance(given, dict) or not isinstance(given.get("path"), list) or not given["path"]:
            return given
        return {**given, "path": given["path"][0], "tiles": [*given["path"][1:], *given.get("tiles", ())]}

    @model_validator(mode="after")
    def _only_rasters_have_tiles(self) -> "FootfallInput":
        if self.tiles and self.kind != "raster":
            msg = "tiles belong to the kind raster"
            raise ValueError(msg)
        return self


class RoadsInput(Section):
    """Roads: an OpenStreetMap extract (.osm.pbf), or a layer of lines."""

    path: str = Field(min_length=1, description="file, relative to the scenario")
    datum: Datum = Field(description="datum of its coordinates; an OpenStreetMap extract is in wgs84")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="canonical name (highway, oneway, junction, maxspeed, access, motor_vehicle, foot) = name in the file",
    )
    encoding: Literal["utf-8", "gb18030", "utf-16"] | None = Field(
        default=None, description="encoding of a text file; recognised when absent"
    )
    layer: str | None = Field(default=None, description="layer of a GeoPackage; the first when absent")
    crossings: Literal["auto", "connect", "apart"] = Field(
        default="auto",
        description="whether lines that cross without a common vertex meet; auto: not where most line ends meet another line",
    )


class Inputs(Section):
    """The files of a run."""

    branches: TableInput
    counties: TableInput
    population: PopulationInput
    footfall: FootfallInput | None = None
    competitors: TableInput | None = None
    developments: TableInput | None = None
    townships: TableInput | None = None
    sites: TableInput | None = None
    service_points: TableInput | None = None
    barriers: TableInput | None = None
    tickets: TicketsInput | None = None
    customers: TableInput | None = None
    shares: TableInput | None = None
    roads: RoadsInput | None = None
