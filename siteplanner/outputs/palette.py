"""Colours of paper and workbook: few, distinct for the colour-blind, legible in grey print."""

INK = "#1c2430"
MUTED = "#5b6675"
LINE = "#c9d0d8"
PAPER = "#ffffff"
ACCENT = "#1f5f8b"
LEAVING = "#a8452f"

# Sources warm, destinations cool, growth violet, inclusion ochre; what calls for no action stays pale.
ZONE_COLOURS = {
    "dense_saturated": "#a8452f",
    "dense": "#cf7a52",
    "dense_productive": "#e5b48f",
    "blank_true": "#1f5f8b",
    "blank": "#5b9bc8",
    "blank_contested": "#a9cbe3",
    "inflow": "#7a5ba6",
    "inclusive": "#c79a1e",
    "balanced": "#e4e7ea",
    "thin": "#f3f4f5",
}
# On paper only the classes that a plan acts on are drawn.
ACTION_CLASSES = tuple(key for key in ZONE_COLOURS if key not in {"balanced", "thin"})
