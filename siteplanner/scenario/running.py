"""Where a run counts, and what its readers see."""

import re
from typing import Literal

from pydantic import Field, model_validator

from siteplanner.scenario.sections import Language, Section

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
