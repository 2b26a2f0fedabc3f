"""Location problems over sparse arrays: where to open sites, with proof.

`max_coverage`, `max_capture`, `p_median`, `p_center` and `min_ede` choose ``n_open`` sites under the shared
keywords of `Options` and return a `Solution` whose bound is valid whatever its status; `solve_robust` chooses
for several demand scenarios at once. Sites are columns;
ties go to the lower column.

>>> import numpy as np
>>> cover = np.array([[1, 0, 1], [0, 1, 1], [0, 1, 0]])
>>> max_coverage(cover, [5.0, 2.0, 1.0], 1).open.tolist()
[False, False, True]
"""

from siteplanner.location.ede import min_ede
from siteplanner.location.errors import Infeasible, NoPlanInTime
from siteplanner.location.frontier import Compromise, Tradeoff, frontier_of_aims, frontier_of_moves
from siteplanner.location.options import Options
from siteplanner.location.p_center import p_center
from siteplanner.location.p_median import p_median
from siteplanner.location.problems import max_capture, max_coverage
from siteplanner.location.robust import solve_robust
from siteplanner.location.solution import RobustSolution, Solution
from siteplanner.location.verify import verify
from siteplanner.location.verify_robust import verify_robust
from siteplanner.location.warm import Warm

__all__ = [
    "Compromise",
    "Infeasible",
    "NoPlanInTime",
    "Options",
    "RobustSolution",
    "Solution",
    "Tradeoff",
    "Warm",
    "frontier_of_aims",
    "frontier_of_moves",
    "max_capture",
    "max_coverage",
    "min_ede",
    "p_center",
    "p_median",
    "solve_robust",
    "verify",
    "verify_robust",
]
