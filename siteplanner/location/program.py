"""A thin, strict door to HiGHS: one thread, one seed, and no status taken on trust."""

import math
import threading
import time
from typing import NamedTuple

import highspy
import numpy as np
import scipy.sparse as sp

from siteplanner.location.options import Floats, Ints
from siteplanner.location.rules import Rules

SHORTEST_S = 0.05
"""HiGHS is never asked to stop in less: it would return before presolve."""


NO_LIMIT = 2**31 - 1
"""HiGHS' largest whole number, which it reads as no limit."""

WAIT_S = 0.1
"""How often a waiting solve looks for Ctrl-C."""


class Answer(NamedTuple):
    """What HiGHS found.

    Attributes
    ----------
    state
        ``solved``, ``infeasible``, or ``stopped`` (by nodes or by time: point may be None).
    point, bound
        Best feasible point, and the proved upper bound on the objective.
    """

    state: str
    point: Floats | None
    bound: float


class Duals(NamedTuple):
    """Dual values of the rules and of the added rows of a solved relaxation."""

    rules: Floats
    added: Floats


class Program:
    """Maximise a linear objective over the rules plus further columns and rows.

    The columns are the sites, then ``n_extra`` continuous ones.
    """

    def __init__(self, rules: Rules, site_value: Floats, n_extra: int, seed: int) -> None:
        self._highs = _quiet_highs(seed)
        self._n_sites, self._n_rules, self._n_extra = site_value.size, rules.low.size, n_extra
        self._is_whole = False
        self._value = np.concatenate([site_value, np.ones(n_extra)])
        n_columns = self._n_sites + n_extra
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = n_columns, self._n_rules
        lp.sense_ = highspy.ObjSense.kMaximize
        lp.col_cost_ = self._value
        lp.col_lower_ = np.concatenate([rules.lower, np.full(n_extra, -highspy.kHighsInf)])
        lp.col_upper_ = np.concatenate([rules.upper, np.full(n_extra, highspy.kHighsInf)])
        lp.row_lower_ = np.maximum(rules.low, -highspy.kHighsInf)
        lp.row_upper_ = np.minimum(rules.high, highspy.kHighsInf)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = rules.matrix.indptr.astype(np.int32)
        lp.a_matrix_.index_ = rules.matrix.indices.astype(np.int32)
        lp.a_matrix_.value_ = rules.matrix.data.astype(np.float64)
        lp.a_matrix_.num_col_, lp.a_matrix_.num_row_ = n_columns, self._n_rules
        self._highs.passModel(lp)

    def limit_extra(self, most: Floats) -> None:
        """Give the further columns upper bounds."""
        at = np.arange(self._n_sites, self._n_sites + self._n_extra, dtype=np.int32)
        self._highs.changeColsBounds(at.size, at, np.full(at.size, -highspy.kHighsInf), most)

    def price_extra(self, value: Floats, low: Floats, high: Floats) -> None:
        """Give the further columns values other than 1, and bounds."""
        at = np.arange(self._n_sites, self._n_sites + self._n_extra, dtype=np.int32)
        self._value[self._n_sites :] = value
        self._highs.changeColsCost(at.size, at, value)
        self._highs.changeColsBounds(at.size, at, low, high)

    def limit_sites(self, lower: Floats, upper: Floats) -> None:
        """Fix or free sites."""
        at = np.arange(self._n_sites, dtype=np.int32)
        self._highs.changeColsBounds(at.size, at, lower, upper)

    def add_rows(self, rows: sp.csr_array, high: Floats) -> None:
        """Add ``rows @ (x, extra) <= high``."""
        low = np.full(high.size, -highspy.kHighsInf)
        start, index = rows.indptr[:-1].astype(np.int32), rows.indices.astype(np.int32)
        self._highs.addRows(high.size, low, high, rows.nnz, start, index, rows.data)

    def drop_added_rows(self, positions: Ints) -> None:
        """Delete added rows by their position among the added rows."""
        at = (positions + self._n_rules).astype(np.int32)
        self._highs.deleteRows(at.size, at)

    def relax(self, seconds: float) -> tuple[Answer, Duals]:
        """Solve the linear relaxation; warm after the first time."""
        self._set_whole(whole=False)
        answer = self._run(seconds)
        solution = self._highs.getSolution()
        duals = np.asarray(solution.row_dual, dtype=np.float64)
        return answer, Duals(duals[: self._n_rules], duals[self._n_rules :])

    def solve(
        self, seconds: float, gap: float, start: Floats | None = None, *, nodes: int = NO_LIMIT
    ) -> Answer:
        """Solve with sites 0/1, to a relative gap or for so many nodes of the search tree."""
        self._set_whole(whole=True)
        self._highs.setOptionValue("mip_max_nodes", nodes)
        self._highs.setOptionValue("mip_rel_gap", gap)
        self._highs.setOptionValue("mip_abs_gap", 1e-9)
        self._highs.clearSolver()
        if start is not None:
            guess = highspy.HighsSolution()
            guess.col_value = list(start)
            self._highs.setSolution(guess)
        deadline = time.monotonic() + seconds
        answer = self._run(seconds)
        if start is not None and answer.state == "solved" and not self._is_consistent(answer):
            self._highs.clearSolver()
            answer = self._run(deadline - time.monotonic())
        return answer

    def _is_consistent(self, answer: Answer) -> bool:
        """Tell whether the point has the value that HiGHS states.

        HiGHS 1.16 was seen to prove an optimum found at the root, and to return the start it was given.
        """
        stated = float(self._highs.getInfo().objective_function_value)
        value = float(self._value @ answer.point) if answer.point is not None else np.nan
        return abs(stated - value) <= 1e-6 * max(abs(stated), 1.0)

    def _set_whole(self, *, whole: bool) -> None:
        if whole != self._is_whole:
            kind = highspy.HighsVarType.kInteger if whole else highspy.HighsVarType.kContinuous
            at = np.arange(self._n_sites, dtype=np.int32)
            self._highs.changeColsIntegrality(at.size, at, np.full(at.size, int(kind), dtype=np.uint8))
            self._is_whole = whole

    def _run(self, seconds: float) -> Answer:
        # HiGHS counts the seconds of all solves of one object against its limit.
        limit = self._highs.getRunTime() + max(seconds, SHORTEST_S) if math.isfinite(seconds) else 1e30
        self._highs.setOptionValue("time_limit", limit)
        _run_interruptibly(self._highs)
        state = self._highs.getModelStatus()
        kinds = highspy.HighsModelStatus
        if state in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible):
            return Answer("infeasible", None, -np.inf)
        info = self._highs.getInfo()
        point = np.asarray(self._highs.getSolution().col_value, dtype=np.float64)
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        if state == kinds.kOptimal:
            bound = info.mip_dual_bound if self._is_whole else info.objective_function_value
            return Answer("solved", point, float(bound))
        bound = float(info.mip_dual_bound) if self._is_whole and np.isfinite(info.mip_dual_bound) else np.inf
        if state not in (kinds.kTimeLimit, kinds.kIterationLimit, kinds.kInterrupt, kinds.kSolutionLimit):
            bound = np.inf  # a failed solve ("Not Set", "Unknown") proves nothing
        return Answer("stopped", point if feasible and point.size else None, bound)


def solve_linear(
    rules: Rules, site_value: Floats, seconds: float, seed: int, *, nodes: int = NO_LIMIT
) -> Answer:
    """Maximise a linear value of the open set under the rules."""
    return Program(rules, site_value, 0, seed).solve(seconds, 0.0, nodes=nodes)


class _QuietHighs(highspy.Highs):
    """HiGHS prints its banner while its constructor enables callbacks: silence it just before."""

    def enableCallbacks(self) -> None:  # noqa: N802 - HiGHS' name
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def _run_interruptibly(highs: highspy.Highs) -> None:
    """Run in a thread of its own, so that Ctrl-C reaches Python while HiGHS works, and stops HiGHS too."""
    if threading.current_thread() is not threading.main_thread():
        highs.run()
        return
    highs.HandleUserInterrupt = True
    highs.startSolve()
    try:
        _wait_for(highs)
    except BaseException:
        highs.cancelSolve()  # type: ignore[no-untyped-call]
        _wait_for(highs)
        raise


def _wait_for(highs: highspy.Highs) -> None:
    """Wait for HiGHS itself: Python 3.11 takes a thread for finished once a join was interrupted."""
    while not highs.wait(WAIT_S)[0]:
        pass


def _quiet_highs(seed: int) -> highspy.Highs:
    """One thread for every solve: changing it within a process gave status "Not Set"."""
    highs = _QuietHighs()  # type: ignore[no-untyped-call]
    for option, value in (
        ("threads", 1),
        ("parallel", "off"),
        ("random_seed", seed % 2**31),
    ):
        highs.setOptionValue(option, value)
    return highs
