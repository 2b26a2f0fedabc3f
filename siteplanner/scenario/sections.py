"""What every group of parameters is made of."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

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
