"""The same coverage questions put to other tools, with their CPU time."""

import resource
import time

import highspy
import numpy as np
from location_questions import Question

LIMIT_S = 300
"""Seconds that a rival's solver may take; building its model is not limited."""


def solve_with_spopt(question: Question) -> dict[str, float]:
    """Solve with spopt and the solver that PuLP ships."""
    import pulp
    from spopt.locate import MCLP

    far = 1.0 - question.matrix.toarray()
    start = _cpu_seconds()
    model = MCLP.from_cost_matrix(far, question.weight, 0.5, p_facilities=question.n_open)
    model.solve(pulp.PULP_CBC_CMD(msg=False, timeLimit=LIMIT_S))
    return {"seconds": _cpu_seconds() - start, "value": float(pulp.value(model.problem.objective))}


def solve_with_highs(question: Question) -> dict[str, float]:
    """Solve the compact program with HiGHS directly."""
    n_rows, n_sites = question.matrix.shape
    start = _cpu_seconds()
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("time_limit", float(LIMIT_S))
    x = [highs.addBinary() for _ in range(n_sites)]
    y = [highs.addVariable(0.0, 1.0, obj=-float(w)) for w in question.weight]
    highs.addConstr(sum(x) == question.n_open)
    ptr, sites = question.matrix.indptr, question.matrix.indices
    for row in range(n_rows):
        here = sites[ptr[row] : ptr[row + 1]]
        index = np.append(here + x[0].index, y[row].index).astype(np.int32)
        value = np.append(np.ones(here.size), -1.0)
        highs.addRow(0.0, highspy.kHighsInf, index.size, index, value)
    highs.run()
    return {
        "seconds": _cpu_seconds() - start,
        "value": -float(highs.getInfo().objective_function_value),
    }


RIVALS = {"spopt": solve_with_spopt, "highs": solve_with_highs}


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
