"""Every parameter of a run: type, unit, default, range and source.

``D§n`` cites section n of the project's domain notes (`docs/domain.md`); "no source" marks a planning default.
"""

from pydantic import Field

from siteplanner.scenario.demand import DemandSettings, GridSettings
from siteplanner.scenario.inputs import (
    FootfallInput,
    Inputs,
    PopulationInput,
    RoadsInput,
    TableInput,
    TicketsInput,
)
from siteplanner.scenario.layout import (
    QueueSettings,
    QuotaSettings,
    ScoreSettings,
    SiteSettings,
    ZoneSettings,
)
from siteplanner.scenario.market import AccessSettings, MarketSettings, RoadSettings
from siteplanner.scenario.moves import (
    ClusterSettings,
    EconomicsSettings,
    FormatSettings,
    PhasingSettings,
    RelocationSettings,
    RuleSettings,
)
from siteplanner.scenario.running import SPARK_FIXED, EngineSettings, OutputSettings
from siteplanner.scenario.sections import ROAD_CLASSES, Datum, Language, PixelMethod, Section

__all__ = [
    "ROAD_CLASSES",
    "SPARK_FIXED",
    "AccessSettings",
    "ClusterSettings",
    "Datum",
    "DemandSettings",
    "EconomicsSettings",
    "EngineSettings",
    "FootfallInput",
    "FormatSettings",
    "GridSettings",
    "Inputs",
    "Language",
    "MarketSettings",
    "OutputSettings",
    "PhasingSettings",
    "PixelMethod",
    "PopulationInput",
    "QueueSettings",
    "QuotaSettings",
    "RelocationSettings",
    "RoadSettings",
    "RoadsInput",
    "RuleSettings",
    "Scenario",
    "ScoreSettings",
    "Section",
    "SiteSettings",
    "TableInput",
    "TicketsInput",
    "ZoneSettings",
]


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
    phasing: PhasingSettings = PhasingSettings()
    economics: EconomicsSettings = EconomicsSettings()
    formats: FormatSettings = FormatSettings()
    clusters: ClusterSettings = ClusterSettings()
    engine: EngineSettings = EngineSettings()
    output: OutputSettings = OutputSettings()
