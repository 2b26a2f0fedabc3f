"""Parameters of the decision and of what follows from it: rules, money, formats and clusters."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from siteplanner.scenario.sections import Count, NonNegative, Positive, Section, Share, ZoneClass

MONTHS_PER_YEAR = 12
Month = Annotated[int, Field(ge=1, le=MONTHS_PER_YEAR)]


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


class PhasingSettings(Section):
    """When each move can be made (D§10, D§13.3)."""

    approval_months: Count = Field(
        default=4, le=60, description="bank's approval and regulator's reply (D§10: 1-2 and 1-3 months)"
    )
    works_months: Count = Field(default=3, le=60, description="fit-out (D§10: 2-4 months)")
    acceptance_months: Count = Field(
        default=2, le=60, description="fire and security acceptance, licence, notices (D§10: 9 months in all)"
    )
    frozen_months: tuple[Month, ...] = Field(
        default=(12, 1, 2, 3), description="months in which nothing opens or closes (D§13.3 [A]: peak season)"
    )
    quarterly_batch: int = Field(
        default=2,
        ge=1,
        le=1_000,
        description="moves that open in a prefecture in a quarter (D§13.3); no source",
    )
    yearly_share: float = Field(
        default=0.06, gt=0.0, le=1.0, description="share of the network moved a year (D§13.3: 3-6 %)"
    )
    yearly_capex_wan: Positive | None = Field(
        default=None, description="most spent on moves a year, 10,000 CNY; no limit when absent"
    )
    lease_window_months: Count = Field(
        default=6, le=120, description="a place may be left so long before its lease ends; no source"
    )
    lease_wait_months: Count = Field(
        default=12, le=120, description="longest wait for a lease; a longer one is broken; no source"
    )
    lease_break_months: NonNegative = Field(
        default=6.0, le=120.0, description="most months of rent that breaking a lease costs; no source"
    )
    homes_occupied: float = Field(
        default=0.4, gt=0.0, lt=1.0, description="lived-in share of new homes that opens a branch (D§13.3)"
    )

    @model_validator(mode="after")
    def _some_month_is_free(self) -> "PhasingSettings":
        if len(set(self.frozen_months)) == MONTHS_PER_YEAR:
            msg = "frozen_months must leave a month in which something may open"
            raise ValueError(msg)
        return self


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
    dependence_range: Share = Field(
        default=0.15, description="P90 of the dependent share less its median, and median less P10; no source"
    )
    delta_range: float = Field(
        default=1.5,
        ge=1.0,
        le=10.0,
        description="P90 of a distance scale over its median, and median over P10; no source",
    )
    short_move_range: Share = Field(
        default=0.015, description="half of the range of what a short move keeps (D§7.2: .95-.98)"
    )
    models_differ: Share = Field(
        default=0.10, description="retention by attrition and by choice differ from here (D§7.2: 10 points)"
    )
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
