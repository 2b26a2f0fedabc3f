"""Parameters of the grid and of demand: who might come, and how often."""

from typing import Literal

from pydantic import Field, model_validator

from siteplanner.scenario.sections import NonNegative, PixelMethod, Positive, Section, Share


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
