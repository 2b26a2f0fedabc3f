"""Names that columns take their values from."""

TIERS = ("U", "C", "T", "V")
SETTLEMENTS = ("core", "urban", "town", "rural")
FORMATS = ("core", "standard", "light", "community", "self_service")
BANK_CLASSES = ("big", "postal", "joint", "city", "rural")
DEVELOPMENT_KINDS = ("commodity", "resettlement", "rental", "functional", "market")
ZONE_CLASSES = (
    "dense_saturated", "dense", "dense_productive",
    "blank_true", "blank", "blank_contested",
    "inflow", "inclusive", "balanced", "thin",
)  # fmt: skip
DENSE = ("dense_saturated", "dense", "dense_productive")
DESTINATION = ("blank_true", "blank", "blank_contested", "inflow", "inclusive")
DESTINATION_TYPES = ("residential", "functional", "emerging", "inclusive")
AGES = ("18_34", "35_59", "60")
SEGMENTS = (*AGES, "business")

FOOTFALL_BANDS = tuple(
    f"footfall_{day}_{band}"
    for day in ("weekday", "weekend")
    for band in ("night", "morning", "day", "evening")
)
