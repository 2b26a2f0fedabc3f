"""Parameters of travel, access and the market: by what road people come, and to whom."""

from typing import Any, Literal

from pydantic import Field, model_validator

from siteplanner.scenario.sections import NonNegative, Positive, Section, Share


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
    decay_factor_core: Positive = Field(
        default=1.0,
        le=10.0,
        description="attraction in core cells falls as the decay to this power, hence so many times as fast",
    )
    decay_factor_urban: Positive = Field(default=1.0, le=10.0, description="the same in urban cells")
    decay_factor_town: Positive = Field(default=1.0, le=10.0, description="the same in town cells")
    decay_factor_rural: Positive = Field(default=1.0, le=10.0, description="the same in rural cells")
    attractiveness_exponent: NonNegative = Field(
        default=1.0, le=5.0, description="alpha: exponent of attractiveness in the choice of an outlet (D§4)"
    )
    calibration: Literal["auto", "origins", "shares", "totals", "none"] = Field(
        default="auto",
        description="what the decay and alpha are fitted to: customers' origins, surveyed shares, branch volumes, nothing; auto: the first there is (D§4)",
    )
    prior_width_decay: Positive = Field(
        default=0.5,
        le=5.0,
        description="fit to branch volumes: standard deviation of the decay factor about 1; no source",
    )
    prior_width_attractiveness: Positive = Field(
        default=0.5,
        le=5.0,
        description="fit to branch volumes: standard deviation of alpha about the scenario's; no source",
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
