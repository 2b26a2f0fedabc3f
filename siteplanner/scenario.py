"""Every parameter of a run: type, unit, default, range and source.

``D§n`` cites section n of the project's domain notes (`docs/domain.md`); "no source" marks a planning default.
"""

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=0)]
ZoneClass = Literal[
    "dense_saturated", "dense", "dense_productive", "blank_true", "blank", "blank_contested", "inflow", "inclusive",
    "balanced", "thin",
]  # fmt: skip
Datum = Literal["wgs84", "gcj02", "bd09"]
ROAD_CLASSES = (
    "motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential", "living_street",
    "service", "track", "path",
)  # fmt: skip
Language = Literal["zh", "en"]
PixelMethod = Literal["auto", "area", "centre"]


def _name_files(given: Any) -> str | tuple[str, ...]:  # noqa: ANN401 - whatever the file holds
    names = given if isinstance(given, list | tuple) else (given,)
    if not names or not all(isinstance(name, str) and name for name in names):
        msg = "the name of a file, or a list of the names of a mosaic's tiles"
        raise ValueError(msg)
    return tuple(names) if isinstance(given, list | tuple) else str(given)


# One file, or the tiles of a mosaic.
Tiles = Annotated[str | tuple[str, ...], PlainValidator(_name_files)]


class Section(BaseModel):
    """A frozen group of parameters; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


# --- inputs -------------------------------------------------------------------------------------------------


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
    roads: RoadsInput | None = None


# --- steps --------------------------------------------------------------------------------------------------


class GridSettings(Section):
    """The equal-area lattice on which everything is counted."""

    cell_m: float = Field(default=500.0, ge=50.0, le=20_000.0, description="cell side, m (D§6.3: 500 m)")
    h3_resolution: int | None = Field(
        default=None,
        ge=4,
        le=10,
        description="people and footfall are also summed to H3 cells of this resolution",
    )
    pixel_method: PixelMethod = Field(
        default="auto",
        description="a pixel is split by area, or goes whole to the cell of its centre; auto splits pixels longer than a quarter cell",
    )


class DemandSettings(Section):
    """Who might come, and how often."""

    weight_home: Share = Field(
        default=0.4, description="share of residents in the mix (D§3.1 [A] with footfall)"
    )
    weight_work: Share = Field(default=0.4, description="share of weekday 09-17 footfall (D§3.1 [A])")
    weight_visit: Share = Field(default=0.2, description="share of weekend 09-17 footfall (D§3.1 [A])")
    footfall_spread_m: NonNegative = Field(
        default=1_000.0,
        description="footfall is spread over a square of this side, m: signalling places people within 250-500 m (D§12.2)",
    )
    county_control: Literal["none", "residents"] = Field(
        default="none",
        description="whether people are scaled so that each county has the census residents of the county table",
    )
    share_18_34: Share = Field(
        default=0.227,
        description="share of residents aged 18-34 where the county table has none (census 2020, China; recalled)",
    )
    share_35_59: Share = Field(default=0.375, description="share of residents aged 35-59, likewise")
    share_60: Share = Field(
        default=0.187,
        description="share of residents aged 60+ where neither the county table nor a raster has one, likewise",
    )
    businesses_per_1000: NonNegative = Field(
        default=130.0,
        le=1_000.0,
        description="small businesses, sole traders included, per 1,000 residents where the county table has none "
        "(China 2023: about 130; recalled)",
    )
    visits_per_person_year: Positive = Field(
        default=3.0,
        le=100.0,
        description="branch visits per grown person and year before migration online (D§3.1 [A])",
    )
    visits_per_business_year: NonNegative = Field(
        default=4.0,
        le=250.0,
        description="branch visits per small business and year before migration online; no source",
    )
    business_days_per_year: int = Field(
        default=250, ge=200, le=366, description="business days, 1/year; no source"
    )
    migration_18_34_share: Share = Field(
        default=0.85,
        description="share of non-cash visits that went online, aged 18-34 (D§3.1: the speech's 80 % of all; by age no source)",
    )
    migration_35_59_share: Share = Field(default=0.75, description="the same, aged 35-59")
    migration_60_share: Share = Field(
        default=0.3, description="the same, aged 60+ (D§3.1 [A]: elderly 0.2-0.4)"
    )
    migration_business_share: Share = Field(
        default=0.3, description="the same, small businesses (D§3.1 [A]: corporate 0.2-0.4)"
    )
    migration_18_34_per_year: Share = Field(
        default=0.05,
        description="share of the remaining non-cash visits that goes online each year, aged 18-34; no source",
    )
    migration_35_59_per_year: Share = Field(default=0.05, description="the same, aged 35-59; no source")
    migration_60_per_year: Share = Field(default=0.05, description="the same, aged 60+; no source")
    migration_business_per_year: Share = Field(
        default=0.03, description="the same, small businesses; no source"
    )
    cash_share: Share = Field(
        default=0.3, description="share of visits that need cash or a person; no source"
    )
    cash_migration_share: Share = Field(
        default=0.3, description="share of those that went online (D§3.1 [A])"
    )
    aged_60_factor: Positive = Field(
        default=1.5,
        le=10.0,
        description="visits of a person aged 60+ against a younger grown one, before migration; no source",
    )
    deposits_18_34_factor: NonNegative = Field(
        default=0.6, le=10.0, description="deposits a head aged 18-34 against one aged 35-59; no source"
    )
    deposits_60_factor: NonNegative = Field(
        default=1.0, le=10.0, description="deposits a head aged 60+ against one aged 35-59; no source"
    )
    deposits_per_business_wan: NonNegative = Field(
        default=5.0,
        description="deposits of a small business, 10,000 CNY; told beside the household deposits; no source",
    )
    growth_cap_per_year: Share = Field(
        default=0.05,
        le=0.5,
        description="residents grow and shrink in the forecast by no more than this a year; no source",
    )
    deposits_growth_per_year: float = Field(
        default=0.0,
        ge=-0.2,
        le=0.3,
        description="growth of deposits a head in the forecast, 1/year; 0: in today's money",
    )
    deposits_per_person_cny: Positive = Field(
        default=60_000.0,
        description="household deposits a head, CNY (D§6.3 [A]); counties that tell their deposits keep theirs",
    )
    rural_deposit_factor: Positive = Field(
        default=0.4,
        le=1.0,
        description="deposits a head in rural cells against core and urban ones; disposable income per head, Shanxi 2020: "
        "13,878 and 34,793 CNY (NBS, recalled)",
    )
    town_deposit_factor: Positive = Field(
        default=0.7,
        le=1.0,
        description="deposits a head in town cells against core and urban ones; midway, no source",
    )
    household_size: Positive = Field(default=2.5, le=10.0, description="persons per household (D§3.3)")
    occupancy_final: Share = Field(default=0.85, description="final occupancy of a development (D§3.3 [A])")
    occupancy_half_years: Positive = Field(default=2.0, description="years to half of it (D§3.3 [A])")
    occupancy_rate: Positive = Field(default=1.1, description="logistic rate, 1/year (D§3.3 [A])")
    plan_year: int = Field(default=2026, ge=2000, le=2100, description="year for which demand is stated")
    horizon_years: int = Field(
        default=5, ge=1, le=15, description="years ahead for pipeline, forecast and cash flow (D§7.3)"
    )

    @model_validator(mode="after")
    def _ages_in_one_whole(self) -> "DemandSettings":
        if self.share_18_34 + self.share_35_59 + self.share_60 > 1.0:
            msg = "share_18_34, share_35_59 and share_60 add up to more than 1"
            raise ValueError(msg)
        return self


class Travel(Section):
    """Speed and reach of people."""

    speed_kmh: Positive = Field(description="door-to-door speed, km/h (D§4 [A])")
    detour: float = Field(ge=1.0, le=3.0, description="path length over straight distance")
    reach_km: Positive = Field(
        description="no trip is longer than this, straight km; on roads, than the minutes that this takes"
    )
    on_roads: Literal["walk", "drive"] = Field(
        default="drive", description="how people go where a road network is given (D§4: core walks)"
    )


class TravelClass(Travel):
    """Speed and reach of people of one kind of settlement, and where it begins."""

    density_per_km2: NonNegative = Field(description="from this many residents per km2 (3x3 km focal mean)")


class RoadSettings(Section):
    """Speeds on a road network, where one is given (`inputs.roads`); no source unless one is named."""

    motorway_kmh: Positive = Field(default=90.0, le=150.0, description="free speed on motorways, km/h")
    trunk_kmh: Positive = Field(default=65.0, le=150.0, description="on trunk roads, km/h")
    primary_kmh: Positive = Field(default=55.0, le=150.0, description="on primary roads, km/h")
    secondary_kmh: Positive = Field(default=45.0, le=150.0, description="on secondary roads, km/h")
    tertiary_kmh: Positive = Field(default=40.0, le=150.0, description="on tertiary roads, km/h")
    unclassified_kmh: Positive = Field(default=35.0, le=150.0, description="on roads without a class, km/h")
    residential_kmh: Positive = Field(default=30.0, le=150.0, description="on residential streets, km/h")
    living_street_kmh: Positive = Field(default=10.0, le=150.0, description="on living streets, km/h")
    service_kmh: Positive = Field(default=15.0, le=150.0, description="on service roads, km/h")
    track_kmh: Positive = Field(default=15.0, le=150.0, description="on tracks, km/h")
    factor_core: Positive = Field(default=0.45, le=1.0, description="speed in core cells against free speed")
    factor_urban: Positive = Field(default=0.5, le=1.0, description="in urban cells")
    factor_town: Positive = Field(default=0.6, le=1.0, description="in town cells")
    factor_rural: Positive = Field(default=0.85, le=1.0, description="in rural cells")
    walk_kmh: Positive = Field(default=4.8, le=10.0, description="on foot, km/h (D§4 [A])")
    parking_min: NonNegative = Field(
        default=3.0, le=60.0, description="minutes of a drive that are not driven: to the car and from it"
    )
    snap_km: Positive = Field(
        default=2.0,
        le=50.0,
        description="cells and outlets farther from every road are reached over the straight distance instead",
    )


class AccessSettings(Section):
    """Travel by settlement, straight or on roads, and floating catchments."""

    core: TravelClass = TravelClass(
        density_per_km2=8_000.0, speed_kmh=4.8, detour=1.25, reach_km=3.0, on_roads="walk"
    )
    urban: TravelClass = TravelClass(density_per_km2=1_500.0, speed_kmh=16.5, detour=1.25, reach_km=6.0)
    town: TravelClass = TravelClass(density_per_km2=300.0, speed_kmh=19.0, detour=1.3, reach_km=10.0)
    rural: Travel = Travel(speed_kmh=35.0, detour=1.4, reach_km=20.0)
    roads: RoadSettings = RoadSettings()
    measure: Literal["2sfca", "e2sfca", "m2sfca", "bfca", "raam"] = Field(
        default="e2sfca",
        description="how counter-hours within reach are shared among people: Luo & Wang 2003, Luo & Qi 2009, Delamater 2013, Paez et al. 2019, Saxon & Snow 2020 (D§5)",
    )
    trip_weights: Literal["bands", "gaussian"] = Field(
        default="bands",
        description="weight of a trip in e2sfca, m2sfca and bfca: by bands, or Dai's Gaussian up to the last band (D§5)",
    )
    raam_core_min: Positive = Field(
        default=15.0, description="minutes that weigh as much as mean crowding (D§5 [A])"
    )
    raam_urban_min: Positive = Field(default=15.0, description="the same in urban cells (D§5 [A])")
    raam_town_min: Positive = Field(default=30.0, description="the same in town cells (D§5 [A])")
    raam_rural_min: Positive = Field(default=30.0, description="the same in rural cells (D§5 [A])")
    bands_min: tuple[float, float, float] = Field(
        default=(10.0, 20.0, 30.0), description="bands of trips, minutes (Luo & Qi 2009)"
    )
    band_weights: tuple[Share, Share, Share] = Field(
        default=(1.0, 0.68, 0.22), description="weights of the bands (Luo & Qi 2009; D§5)"
    )
    cover_min: Positive = Field(
        default=15.0, le=120.0, description="a person is covered within this many minutes"
    )
    barrier_factor: float = Field(
        default=2.0,
        ge=1.0,
        le=20.0,
        description="a straight trip across a barrier that states no factor takes this many times as long; no source",
    )
    hours_from: float | None = Field(
        default=None,
        ge=0.0,
        lt=24.0,
        description="begin of the weekday hours for which access is told apart, e.g. 17",
    )
    hours_to: float | None = Field(
        default=None, gt=0.0, le=24.0, description="end of these hours: outlets open all of them count"
    )
    usual_opens_at: float = Field(
        default=9.0, ge=0.0, lt=24.0, description="hour at which outlets open that do not tell (D§3.2: 09-17)"
    )
    usual_closes_at: float = Field(
        default=17.0, gt=0.0, le=24.0, description="hour at which they close (D§3.2: 09-17)"
    )

    @model_validator(mode="after")
    def _in_order(self) -> "AccessSettings":
        if (self.hours_from is None) != (self.hours_to is None):
            msg = "hours_from and hours_to are given together or not at all"
            raise ValueError(msg)
        if self.hours_from is not None and self.hours_to is not None and self.hours_from >= self.hours_to:
            msg = "hours_to must lie after hours_from"
            raise ValueError(msg)
        if self.usual_opens_at >= self.usual_closes_at:
            msg = "usual_closes_at must lie after usual_opens_at"
            raise ValueError(msg)
        if not 0.0 < self.bands_min[0] < self.bands_min[1] < self.bands_min[2]:
            msg = "bands_min must ascend"
            raise ValueError(msg)
        if not self.core.density_per_km2 >= self.urban.density_per_km2 >= self.town.density_per_km2:
            msg = "density_per_km2 must not rise from core to urban to town"
            raise ValueError(msg)
        return self

    @model_validator(mode="before")
    @classmethod
    def _keep_what_is_not_named(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        """Let a settlement class name only what it changes."""
        if not isinstance(given, dict):
            return given
        usual = {name: field.default for name, field in cls.model_fields.items()}
        return {
            name: {**usual[name].model_dump(), **value}
            if isinstance(value, dict) and isinstance(usual.get(name), Travel)
            else value
            for name, value in given.items()
        }


class MarketSettings(Section):
    """Huff shares over all banks with an outside option."""

    decay_form: Literal["exponential", "power", "gaussian", "combined", "step"] = Field(
        default="exponential", description="how attraction falls with minutes (D§4)"
    )
    decay_per_min: Positive = Field(
        default=0.11,
        le=2.0,
        description="exponential and combined: lambda, 1/minute (D§4; w(10 min) = 0.33)",
    )
    decay_power: Positive = Field(
        default=1.5, le=3.0, description="power and combined: beta (D§4: 1.5 in towns, 1.0-1.2 outside)"
    )
    decay_least_min: Positive = Field(
        default=1.5,
        le=30.0,
        description="power and combined: no trip counts as shorter, minutes (D§4: 0.1-0.2 km, about this on foot)",
    )
    decay_sigma_min: Positive = Field(
        default=6.75, le=120.0, description="gaussian: sigma, minutes (w(10 min) = 0.33 as the exponential)"
    )
    decay_steps_min: tuple[float, float, float] = Field(
        default=(10.0, 20.0, 30.0), description="step: ends of the stretches, minutes (D§5)"
    )
    decay_step_weights: tuple[Share, Share, Share] = Field(
        default=(1.0, 0.68, 0.22), description="step: weights of the stretches (D§5)"
    )
    outside_share: float = Field(
        default=0.125,
        ge=0.0,
        lt=1.0,
        description="share of visits that no outlet wins where a bank is within 1 km (D§4 [A]: 10-15 %)",
    )
    capacity_exponent: Positive = Field(
        default=0.5, le=2.0, description="exponent of counter-equivalents (D§4)"
    )
    device_equivalent: NonNegative = Field(default=0.5, description="counters per smart device (D§4 [A])")
    atm_equivalent: NonNegative = Field(default=0.2, description="counters per ATM (D§4 [A])")
    rival_big: Positive = Field(
        default=1.0, description="attractiveness of a big bank without data (D§4 [A])"
    )
    rival_postal: Positive = Field(
        default=0.9, description="attractiveness of postal savings without data (D§4 [A])"
    )
    rival_joint: Positive = Field(
        default=0.8, description="attractiveness of a joint-stock bank without data (D§4 [A])"
    )
    rival_city: Positive = Field(
        default=0.8, description="attractiveness of a city bank without data (D§4 [A])"
    )
    rival_rural_urban: Positive = Field(default=0.8, description="rural credit in town (D§4 [A])")
    rival_rural_township: Positive = Field(default=1.2, description="rural credit in a township (D§4 [A])")

    @model_validator(mode="after")
    def _steps_in_order(self) -> "MarketSettings":
        if not 0.0 < self.decay_steps_min[0] < self.decay_steps_min[1] < self.decay_steps_min[2]:
            msg = "decay_steps_min must ascend"
            raise ValueError(msg)
        if not self.decay_step_weights[0] >= self.decay_step_weights[1] >= self.decay_step_weights[2]:
            msg = "decay_step_weights must not rise"
            raise ValueError(msg)
        if self.decay_step_weights[0] <= 0.0:
            msg = "the first of decay_step_weights must be above 0"
            raise ValueError(msg)
        return self


class ZoneSettings(Section):
    """Zone classes: percentiles of the cells with visits of one settlement class (D§6.3 [A])."""

    dense_supply_pct: float = Field(
        default=75.0, ge=0, le=100, description="dense: own supply from this percentile"
    )
    dense_overlap: Share = Field(
        default=0.4, description="dense: overlap of the own outlets within the band, or"
    )
    dense_lq: Positive = Field(default=1.25, description="dense: location quotient within the band")
    saturated_performance: Positive = Field(
        default=0.9, description="dense zones below this observed over predicted volume are saturated"
    )
    productive_performance: Positive = Field(
        default=1.1, description="dense zones from this observed over predicted volume are productive"
    )
    blank_demand_pct: float = Field(
        default=60.0, ge=0, le=100, description="blank: visits from this percentile"
    )
    blank_supply_pct: float = Field(
        default=25.0, ge=0, le=100, description="blank: own supply up to this percentile"
    )
    contested_pct: float = Field(
        default=75.0,
        ge=0,
        le=100,
        description="contested: most visits where rival supply is from this percentile",
    )
    true_blank_pct: float = Field(
        default=25.0,
        ge=0,
        le=100,
        description="true: most visits where rival supply is up to this percentile",
    )
    thin_demand_pct: float = Field(
        default=25.0, ge=0, le=100, description="thin: visits up to this percentile"
    )
    inflow_growth_pct: float = Field(
        default=80.0, ge=0, le=100, description="top quintile of growth (D§3.3 [A])"
    )
    inflow_people: NonNegative = Field(default=2_000.0, description="people gained within 1 km (D§3.3 [A])")
    inflow_households: NonNegative = Field(
        default=2_000.0, description="pipeline households within 1 km (D§3.3 [A])"
    )
    band_urban_m: Positive = Field(default=1_500.0, description="Gi* distance band in towns, m (D§6.3)")
    band_rural_m: Positive = Field(default=5_000.0, description="Gi* distance band outside, m (D§6.3)")
    fdr_q: float = Field(
        default=0.05, gt=0.0, lt=1.0, description="false discovery rate (Benjamini & Hochberg 1995)"
    )
    min_residents: NonNegative = Field(
        default=2_000.0,
        description="blank and inflow zones with fewer residents fall back to balanced; no source",
    )


class QuotaSettings(Section):
    """How many branches a county should gain or lose (D§6.1)."""

    theta: Share = Field(default=0.7, description="weight of deposits against growth (D§6.1 [A])")
    max_change: int = Field(
        default=4, ge=0, le=100, description="largest gain or loss of a county in one plan; no source"
    )


class SiteSettings(Section):
    """Candidates where the user gives no sites."""

    per_zone: int = Field(default=3, ge=1, le=50, description="best spots taken in one destination zone")
    max_sites: int = Field(default=1_500, ge=1, le=20_000, description="candidates kept, best first")


class QueueSettings(Section):
    """Queues, from tickets."""

    longest_wait_min: Positive = Field(
        default=10.0,
        le=240.0,
        description="a longer wait is overtime, min (D§9.1: the speech does not state it)",
    )
    opens_at_hour: float = Field(
        default=9.0, ge=0.0, lt=24.0, description="waits count from this hour; no source"
    )


class ScoreSettings(Section):
    """Weights of the release and attract scores (D§8.1 [A]); each list is rescaled to sum to 1."""

    release_overlap: NonNegative = Field(
        default=0.20, description="weight of: overlap with siblings (D§8.1 [A])"
    )
    release_surplus: NonNegative = Field(
        default=0.20, description="weight of: own supply beyond demand (D§8.1 [A])"
    )
    release_performance: NonNegative = Field(
        default=0.15, description="weight of: volume below potential (D§8.1 [A])"
    )
    release_retention: NonNegative = Field(
        default=0.15, description="weight of: customers that would stay (D§8.1 [A])"
    )
    release_trend: NonNegative = Field(default=0.10, description="weight of: demand that shrinks (D§8.1 [A])")
    release_cost: NonNegative = Field(
        default=0.10, description="weight of: running cost and end of lease (D§8.1 [A])"
    )
    release_queue: NonNegative = Field(default=0.05, description="weight of: queues are short (D§8.1 [A])")
    attract_gap: NonNegative = Field(default=0.25, description="weight of: unmet demand (D§8.1 [A])")
    attract_growth: NonNegative = Field(
        default=0.15, description="weight of: growth and pipeline (D§8.1 [A])"
    )
    attract_potential: NonNegative = Field(default=0.15, description="weight of: deposits (D§8.1 [A])")
    attract_rivals: NonNegative = Field(default=0.10, description="weight of: few rivals (D§8.1 [A])")
    attract_access: NonNegative = Field(
        default=0.10, description="weight of: people within reach (D§8.1 [A])"
    )
    attract_cost: NonNegative = Field(default=0.10, description="weight of: low cost of premises (D§8.1 [A])")
    attract_inclusive: NonNegative = Field(
        default=0.10, description="weight of: inclusive effect (D§8.1 [A])"
    )
    attract_synergy: NonNegative = Field(
        default=0.05, description="weight of: a core branch near by (D§8.1 [A])"
    )

    @model_validator(mode="after")
    def _something_weighs(self) -> "ScoreSettings":
        for kind in ("release", "attract"):
            if not any(value for name, value in self if name.startswith(f"{kind}_")):
                msg = f"at least one weight of {kind} must be above 0"
                raise ValueError(msg)
        return self


class RelocationSettings(Section):
    """The decision: which branches move where."""

    max_moves: int = Field(
        default=20, ge=0, le=10_000, description="moves in the plan (3-6 % of a network a year, D§13.3)"
    )
    sources: tuple[ZoneClass, ...] = Field(
        default=("dense_saturated", "dense"),
        description="zone classes that branches may leave; none named: any (D§6.3: dense zones are the source pool)",
    )
    source_overlap: Share = Field(
        default=0.5,
        description="or from anywhere but a productive core with this overlap with siblings (D§6.2 [A])",
    )
    destinations: tuple[ZoneClass, ...] = Field(
        default=("blank_true", "blank", "blank_contested", "inflow", "inclusive"),
        description="zone classes that branches may enter; none named: any; the user's own sites always (D§6.3)",
    )
    money_weight: Share = Field(
        default=0.5,
        description="deposits against visits in the worth of a customer; 0 is visits alone; no source",
    )
    inclusion_weight: NonNegative = Field(
        default=1.0,
        le=100.0,
        description="extra worth of a visit from an inclusive county, in visits; no source",
    )
    cover_weight: NonNegative = Field(
        default=0.05,
        le=100.0,
        description="worth, in visits a day, of one person brought within reach of any bank; no source",
    )
    score_weight: NonNegative = Field(
        default=1.0,
        le=100.0,
        description="worth, in visits a day, of one point of release or attract score; no source",
    )
    spacing_core_km: NonNegative = Field(default=0.5, description="own-own spacing (D§7.4 [A])")
    spacing_urban_km: NonNegative = Field(default=1.0, description="own-own spacing (D§7.4 [A])")
    spacing_town_km: NonNegative = Field(default=2.0, description="own-own spacing (D§7.4 [A])")
    spacing_rural_km: NonNegative = Field(default=5.0, description="own-own spacing (D§7.4 [A])")
    gap: float = Field(
        default=0.001, gt=0.0, lt=1.0, description="stop when bound and plan differ by this share"
    )
    time_limit_s: Positive = Field(
        default=90.0,
        le=86_400.0,
        description="longest solver time, s; a plan that it stops may differ between machines",
    )
    seed: int = Field(
        default=20190305, ge=0, le=2**31 - 1, description="seed of the solver; same seed, same plan"
    )


class RuleSettings(Section):
    """Hard rules of a relocation (D§10)."""

    protected: tuple[str, ...] = Field(default=(), description="branch_id of branches that stay")
    keep_last_in_township: bool = Field(default=True, description="rule CN-5")
    keep_last_own_in_county: bool = Field(default=True, description="rule CN-6, made hard")
    county_floor: dict[str, Count] = Field(
        default_factory=dict, description="county_id = fewest own branches after the plan"
    )
    county_cap: dict[str, Count] = Field(
        default_factory=dict, description="county_id = most own branches after the plan"
    )
    tier_when_unknown: Literal["U", "C", "T"] = Field(
        default="U",
        description="legal tier of a place when neither it nor a township tells; said in the output",
    )


class EconomicsSettings(Section):
    """Money of a move (D§7, all [A])."""

    spread: Share = Field(default=0.013, description="FTP spread on deposits (D§7.3)")
    fee_share: Share = Field(default=0.002, description="fees on deposits per year (D§6.3)")
    discount_rate: Share = Field(default=0.08, description="per year (D§7.3)")
    closing_cost_wan: NonNegative = Field(default=60.0, description="10,000 CNY a closing (D§7.3)")
    ramp: tuple[Share, Share, Share, Share, Share] = Field(
        default=(0.25, 0.50, 0.70, 0.85, 1.0), description="de-novo ramp, years 1-5 (D§7.3)"
    )
    loss_min: Share = Field(default=0.05, description="least two-year loss (D§7.2)")
    loss_max: Share = Field(default=0.55, description="largest two-year loss (D§7.2)")
    dependence_u: Share = Field(default=0.35, description="branch-dependent share, urban (D§7.2)")
    dependence_c: Share = Field(default=0.50, description="branch-dependent share, county seat (D§7.2)")
    dependence_t: Share = Field(default=0.70, description="branch-dependent share, township (D§7.2)")
    delta_u_km: Positive = Field(default=1.5, description="distance scale of loss, urban (D§7.2)")
    delta_c_km: Positive = Field(default=3.0, description="distance scale of loss, county seat (D§7.2)")
    delta_t_km: Positive = Field(default=8.0, description="distance scale of loss, township (D§7.2)")
    short_move_u_km: Positive = Field(default=1.0, description="same-market move, urban (D§7.2)")
    short_move_ct_km: Positive = Field(default=3.0, description="same-market move, elsewhere (D§7.2)")
    short_move_retention: Share = Field(default=0.965, description="kept in a short move (D§7.2: .95-.98)")
    inertia: float = Field(default=4.0, ge=1.0, le=20.0, description="kappa, pull of the own brand (D§4)")

    @model_validator(mode="after")
    def _losses_in_order(self) -> "EconomicsSettings":
        if self.loss_min > self.loss_max:
            msg = "loss_min must not be above loss_max"
            raise ValueError(msg)
        return self


class FormatSettings(Section):
    """Which kind of branch stands at a destination."""

    catalogue: str | None = Field(
        default=None, description="TOML file of formats; the package's own when absent"
    )
    visits_per_counter_day: Positive = Field(
        default=45.0, description="visits one counter serves a day; no source"
    )


class ClusterSettings(Section):
    """Core and satellites (D§9.6 [A])."""

    max_size: int = Field(default=7, ge=2, le=20, description="branches in a cluster (D§9.6 [A])")
    radius_u_km: Positive = Field(
        default=3.0, description="satellite to core, urban, straight km (D§9.6 [A])"
    )
    radius_ct_km: Positive = Field(
        default=20.0, description="satellite to core, elsewhere, straight km (D§9.6 [A])"
    )


# What may not differ if two engines are to mean the same: `engines.spark` sets it, scenarios may not.
SPARK_FIXED = {
    # Times with a zone are instants whatever the zone of the cluster; times without one stay as they are.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    # `lon` and `LON` are two columns, and a file that is lost or broken is never passed over.
    "spark.sql.caseSensitive": "true",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}
# Spark's own pattern of what it hides in its logs (spark.redaction.regex).
_CREDENTIAL = re.compile(r"secret|password|token|access[.]?key", re.IGNORECASE)


class EngineSettings(Section):
    """Where the counting runs."""

    kind: Literal["embedded", "spark"] = Field(
        default="embedded", description="engine; spark needs the extra siteplanner[spark] and Java 17"
    )
    master: str | None = Field(
        default=None,
        pattern=r"^(local(\[(\*|[1-9][0-9]*)\])?|yarn|(spark|k8s)://\S+)$",
        description="Spark's master; absent: what spark-submit or the cluster's own configuration says, else all cores here",
    )
    spark_conf: dict[str, str] = Field(
        default_factory=dict,
        description="options of the Spark session, as text; credentials are refused: scenarios are stored with results",
    )

    @model_validator(mode="after")
    def _options_act(self) -> "EngineSettings":
        for name in self.spark_conf:
            if not name.startswith("spark."):
                msg = f'"{name}" in spark_conf does not begin with "spark."'
            elif name in SPARK_FIXED:
                msg = f"{name} is fixed: both engines must mean the same"
            elif name in {"spark.master", "spark.remote", "spark.app.name"}:
                msg = f"{name} is no option of spark_conf; engine.master names the cluster"
            elif _CREDENTIAL.search(name):
                msg = f"{name} is a credential: give it to spark-submit or the cluster's configuration"
            else:
                continue
            raise ValueError(msg)
        return self


class OutputSettings(Section):
    """What readers see."""

    language: Language = Field(default="zh", description="language of what readers see")
    synthetic: bool = Field(default=False, description="say everywhere that the data are synthetic")


class Scenario(Section):
    """A whole run, as read from one TOML file."""

    name: str = Field(pattern=r"^[\w-][\w. -]{0,79}$", description="names the output folder")
    title_zh: str = Field(default="", description="title of the outputs in Chinese; the name when empty")
    title_en: str = Field(default="", description="title of the outputs in English; the name when empty")
    inputs: Inputs
    grid: GridSettings = GridSettings()
    demand: DemandSettings = DemandSettings()
    access: AccessSettings = AccessSettings()
    market: MarketSettings = MarketSettings()
    zones: ZoneSettings = ZoneSettings()
    quotas: QuotaSettings = QuotaSettings()
    sites: SiteSettings = SiteSettings()
    queues: QueueSettings = QueueSettings()
    scores: ScoreSettings = ScoreSettings()
    relocation: RelocationSettings = RelocationSettings()
    rules: RuleSettings = RuleSettings()
    economics: EconomicsSettings = EconomicsSettings()
    formats: FormatSettings = FormatSettings()
    clusters: ClusterSettings = ClusterSettings()
    engine: EngineSettings = EngineSettings()
    output: OutputSettings = OutputSettings()
