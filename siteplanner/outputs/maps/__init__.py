"""The map: one page that holds everything it needs and opens without a network."""

from pathlib import Path

from siteplanner.outputs.maps.cells import pack_cells
from siteplanner.outputs.maps.facts import gather_facts
from siteplanner.outputs.maps.page import build_page
from siteplanner.plan import Plan
from siteplanner.scenario import Language

__all__ = ["write_map"]


def write_map(plan: Plan, path: Path, language: Language) -> None:
    """Write the plan as one self-contained HTML page; OSError when the path cannot be written.

    The same plan and language give the same bytes.
    """
    layers, blocks = pack_cells(plan)
    facts = gather_facts(plan, language) | layers
    Path(path).write_text(build_page(facts, blocks, language), encoding="utf-8", newline="\n")
