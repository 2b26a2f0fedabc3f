import numpy as np
import pandas as pd
import pytest

from siteplanner.model.queues import measure_queues, queue_of
from siteplanner.scenario import QueueSettings


def tickets(*rows):
    frame = pd.DataFrame(rows, columns=["branch_id", "taken", "called"])
    return frame.assign(taken=pd.to_datetime(frame["taken"]), called=pd.to_datetime(frame["called"]))


BRANCHES = pd.Index(["A", "B", "C"], name="branch_id")
DAY = "2026-03-16"


def test_overtime_by_hand():
    rows = tickets(
        ("A", f"{DAY} 10:00", f"{DAY} 10:10"),  # ten minutes are not longer than ten
        ("A", f"{DAY} 10:00", f"{DAY} 10:11"),
        ("A", f"{DAY} 08:30", f"{DAY} 09:05"),  # five minutes from opening
        ("A", "2026-03-17 11:00", None),  # left without a call
        ("B", f"{DAY} 12:00", f"{DAY} 12:01"),
    )
    queues = measure_queues(rows, BRANCHES, QueueSettings())
    np.testing.assert_allclose(queues["overtime_share"], [0.5, 0.0, np.nan])
    np.testing.assert_allclose(queues["tickets_per_day"], [2.0, 1.0, np.nan])
    np.testing.assert_allclose(queue_of(queues), [0.5, 0.0, 0.25])


def test_a_stricter_limit_and_a_later_opening_count_otherwise():
    rows = tickets(("A", f"{DAY} 08:50", f"{DAY} 09:04"), ("A", f"{DAY} 10:00", f"{DAY} 10:04"))
    strict = measure_queues(rows, BRANCHES, QueueSettings(longest_wait_min=3.0))
    early = measure_queues(rows, BRANCHES, QueueSettings(longest_wait_min=3.0, opens_at_hour=10.0))
    assert strict.loc["A", "overtime_share"] == pytest.approx(1.0)
    assert early.loc["A", "overtime_share"] == pytest.approx(0.5)


def test_no_tickets_leave_every_branch_alike():
    queues = measure_queues(tickets(), BRANCHES, QueueSettings())
    assert queues["overtime_share"].isna().all()
    np.testing.assert_allclose(queue_of(queues), 0.0)


def test_order_of_tickets_does_not_matter():
    rows = tickets(*[("A", f"{DAY} 1{i}:00", f"{DAY} 1{i}:{10 + i}") for i in range(5)])
    one = measure_queues(rows, BRANCHES, QueueSettings())
    pd.testing.assert_frame_equal(one, measure_queues(rows.iloc[::-1], BRANCHES, QueueSettings()))
