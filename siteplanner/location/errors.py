"""Errors that a solve may end with; input faults are plain ``ValueError``."""


class Infeasible(ValueError):  # noqa: N818 - the name is the public contract
    """No set of sites satisfies the constraints.

    Attributes
    ----------
    constraints
        A small set of clashing constraints in the caller's keyword names: dropping any one of them
        makes the rest satisfiable.
    details
        The same clash constraint by constraint, as sentences ("group_min: at least 2 open in group 3").
    """

    constraints: tuple[str, ...]
    details: tuple[str, ...]

    def __init__(self, constraints: tuple[str, ...], details: tuple[str, ...] = ()) -> None:
        self.constraints = constraints
        self.details = details
        super().__init__(f"no set of sites satisfies all of: {'; '.join(details or constraints)}")


class NoPlanInTime(TimeoutError):  # noqa: N818 - reads as the sentence it is
    """The time limit passed before any feasible set of sites was found."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no feasible set of sites was found within {seconds:g} s; raise time_limit")
