"""Why nothing is feasible: a small set of constraints that cannot hold together, in the caller's words."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from siteplanner.location.errors import Infeasible
from siteplanner.location.program import solve_linear
from siteplanner.location.rules import Rules

CLASH_S = 60.0
"""Longest search for the clashing constraints of an infeasible problem."""

SITES_NAMED = 6
"""Of a constraint on a list of sites, so many are named."""


class Atom(NamedTuple):
    """One constraint: a row of the rules, or a site that must be open or closed."""

    kind: str
    at: int


def explain(rules: Rules, seed: int) -> Infeasible:
    """Return the error that names a small clashing set of constraints.

    First whole keywords are dropped while the rest stays infeasible (deletion filter), then single
    constraints of those that are left (QuickXplain: Junker 2004). What time does not allow to be tested
    stays.
    """
    deadline = time.monotonic() + CLASH_S
    families = _find_families(rules, deadline, seed)
    rest = rules.without(set(rules.families()) - set(families))
    atoms = _Search(rest, deadline, seed).run()
    return Infeasible(families, tuple(_sentences(rest, atoms)))


def _find_families(rules: Rules, deadline: float, seed: int) -> tuple[str, ...]:
    nothing = np.zeros(rules.lower.size)
    dropped: set[str] = set()
    for name in rules.families():
        rest = rules.without({*dropped, name})
        if solve_linear(rest, nothing, deadline - time.monotonic(), seed).state == "infeasible":
            dropped.add(name)
    return tuple(name for name in rules.families() if name not in dropped)


class _Search:
    """QuickXplain over the rows and the locked sites of infeasible rules."""

    def __init__(self, rules: Rules, deadline: float, seed: int) -> None:
        self._rules, self._deadline, self._seed = rules, deadline, seed
        self._atoms = [Atom("row", row) for row in range(rules.low.size)]
        self._atoms += [Atom("locked_open", int(site)) for site in np.flatnonzero(rules.lower > 0)]
        self._atoms += [Atom("locked_closed", int(site)) for site in np.flatnonzero(rules.upper < 1)]

    def run(self) -> list[Atom]:
        """Return a set of constraints that clash, none of which can be spared."""
        return sorted(self._split([], [], self._atoms), key=self._atoms.index)

    def _split(self, held: list[Atom], last: list[Atom], open_atoms: list[Atom]) -> list[Atom]:
        """Return the part of the open constraints that is needed to clash with those that are held."""
        if last and self._clashes(held):
            return []
        if len(open_atoms) <= 1:
            return open_atoms
        middle = len(open_atoms) // 2
        first, second = open_atoms[:middle], open_atoms[middle:]
        needed = self._split([*held, *first], first, second)
        return self._split([*held, *needed], needed, first) + needed

    def _clashes(self, atoms: Sequence[Atom]) -> bool:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            return False
        rules = self._rules.keep(
            [atom.at for atom in atoms if atom.kind == "row"],
            [atom.at for atom in atoms if atom.kind == "locked_open"],
            [atom.at for atom in atoms if atom.kind == "locked_closed"],
        )
        answer = solve_linear(rules, np.zeros(rules.lower.size), seconds, self._seed)
        return answer.state == "infeasible"


def _sentences(rules: Rules, atoms: list[Atom]) -> list[str]:
    said = [f"{rules.family[atom.at]}: {_words(rules, atom.at)}" for atom in atoms if atom.kind == "row"]
    for kind in ("locked_open", "locked_closed"):
        sites = [atom.at for atom in atoms if atom.kind == kind]
        if sites:
            said.append(f"{kind}: {_list_sites(sites)}")
    return said


def _words(rules: Rules, row: int) -> str:
    if rules.label[row]:
        return rules.label[row]
    low, high = rules.low[row], rules.high[row]
    sites = rules.matrix.indices[rules.matrix.indptr[row] : rules.matrix.indptr[row + 1]].tolist()
    count = f"at most {high:g}" if np.isfinite(high) else f"at least {low:g}"
    return f"{count} of {_list_sites(sites)}"


def _list_sites(sites: list[int]) -> str:
    named = ", ".join(str(site) for site in sites[:SITES_NAMED])
    more = f" and {len(sites) - SITES_NAMED} more" if len(sites) > SITES_NAMED else ""
    return f"{'site' if len(sites) == 1 else 'sites'} {named}{more}"
