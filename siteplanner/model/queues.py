"""What queue tickets tell: who waits too long."""

import numpy as np
import pandas as pd

from siteplanner import tables
from siteplanner.scenario import QueueSettings

MINUTES_PER_HOUR = 60.0


def measure_queues(tickets: pd.DataFrame, branches: pd.Index, settings: QueueSettings) -> pd.DataFrame:
    """Measure each branch's queue from its tickets (D§9.1).

    A wait runs from taking the ticket, or from opening when it was taken before, to the call. Abandoned
    tickets stay in the denominator; one that was never called counts as overtime: patience ran out.

    Parameters
    ----------
    tickets
        `tables.TICKETS`; may be empty.
    branches
        ``branch_id`` of all own branches; those without tickets get missing values.

    Returns
    -------
    `tables.QUEUES` by ``branch_id``, in the order of `branches`.
    """
    opens = tickets["taken"].dt.normalize() + pd.to_timedelta(settings.opens_at_hour, unit="h")
    begun = tickets["taken"].where(tickets["taken"] >= opens, opens)
    wait_min = (tickets["called"] - begun).dt.total_seconds() / MINUTES_PER_HOUR
    late = (wait_min > settings.longest_wait_min) | tickets["called"].isna()
    by_branch = tickets.assign(late=late, day=tickets["taken"].dt.normalize()).groupby("branch_id", sort=True)
    measured = pd.DataFrame(
        {
            "tickets_per_day": by_branch.size() / by_branch["day"].nunique(),
            "overtime_share": by_branch["late"].mean(),
        }
    )
    queues = measured.astype(float).reindex(branches).rename_axis("branch_id")
    tables.check(queues, tables.QUEUES)
    return queues


def queue_of(queues: pd.DataFrame) -> np.ndarray:
    """Return the overtime share of every branch; the median of those measured where there are no tickets."""
    share = queues["overtime_share"]
    middle = share.median() if share.notna().any() else 0.0
    return np.asarray(share.fillna(middle), dtype=float)
