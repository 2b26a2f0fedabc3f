"""Parameters of the layout: zones, quotas, candidate sites, queues and scores."""

from typing import Literal

from pydantic import Field, model_validator

from siteplanner.scenario.sections import NonNegative, Positive, Section, Share


class ZoneSettings(Section):
    """Zone classes: percentiles of the cells with visits of one settlement class (D§6.3 [A])."""

    method: Literal["classes", "hdbscan", "regions"] = Field(
        default="classes",
        description="what is judged by the rules: cells, which then join; clusters of demand (HDBSCAN); or contiguous regions of like cells (max-p)",
    )
    least_visits: Positive = Field(
        default=100.0,
        description="hdbscan, regions: fewest visits a day, all banks, of a cluster or region; no source",
    )
    core_visits: Positive = Field(
        default=50.0,
        description="hdbscan: visits a day within a cell's core distance, HDBSCAN's min_samples by weight; no source",
    )
    link_m: Positive = Field(
        default=1_500.0,
        le=10_000.0,
        description="hdbscan: no link between cells of a cluster is longer, m (D§6.3: 0.8-1 km in towns)",
    )
    clusters: Literal["eom", "leaf"] = Field(
        default="eom",
        description="hdbscan: take the clusters that persist longest (excess of mass), or the finest of the tree",
    )
    shifts: int = Field(
        default=4,
        ge=0,
        le=64,
        description="times that zones are found again on a lattice shifted by a part of a cell, for their stability; no source",
    )
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
    viable_years: Positive = Field(
        default=8.0,
        le=50.0,
        description="blank and inflow zones fall back to balanced where what a light branch would win does not pay its running cost and this part of its fit-out, years (D§6.3)",
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
