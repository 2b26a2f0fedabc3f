"""Pieces of counts, without any cluster: cut anywhere and brought together, they make the same sums."""

import numpy as np
import pandas as pd
import pytest

from siteplanner.engines import ping_pieces
from siteplanner.engines.ping_pieces import PingCount, add_up, count_groups, count_parts, gather, share_out
from siteplanner.engines.ping_reader import count_pings
from siteplanner.engines.pings import make_binner
from siteplanner.errors import EngineError, InputError
from siteplanner.layers.ping_files import open_pings
from siteplanner.layers.records import FootfallSource
from siteplanner.stopwatch import unreported


def write_pings(folder, rows=4_000, files=3, seed=5):
    """Write pings around two counties, a few of them outside; return the folder."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "lon": rng.uniform(111.99, 112.11, rows),
            "lat": rng.uniform(36.99, 37.06, rows),
            "time": pd.Timestamp("2024-03-04", tz="UTC")
            + pd.to_timedelta(rng.integers(0, 3 * 86_400, rows), unit="s"),
            "device": rng.integers(0, 40, rows).astype(str),
            "weight": rng.exponential(2.0, rows),
        }
    )
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(rows), files)):
        frame.iloc[part].to_parquet(folder / f"{number}.parquet", row_group_size=300)
    return folder


def same(one, other):
    for name in ("keys", "rows", "high", "low", "hours"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("n_tasks", [1, 5])
def test_pieces_add_up_to_the_count_of_one_process(tmp_path, grid, monkeypatch, distinct, k, n_tasks):
    monkeypatch.setattr(ping_pieces, "BLOCK_BITS", 6)
    monkeypatch.setattr(ping_pieces, "WAITING_ROWS", 500)
    folder = write_pings(tmp_path / "pings")
    source = FootfallSource(
        str(folder), "pings", "wgs84", {}, "Asia/Shanghai", distinct_devices=distinct, suppress_below=k
    )
    files = open_pings(source)
    binner = make_binner(grid.lattice, source, weighted=True)
    count = PingCount(binner, distinct=distinct, behind=k is not None, n_parts=7)
    pieces = [
        piece
        for number, run in share_out(files.groups, n_tasks)
        for piece in count_groups(count, number, run)
    ]
    pieces = [pieces[i] for i in np.random.default_rng(1).permutation(len(pieces))]
    by_part = [piece for part in range(7) for piece in pieces if piece[0][1] % 7 == part]
    counted = list(count_parts(count, by_part))
    sums, devices = gather(count, add_up(count, counted))
    expected, behind = count_pings(source, grid.lattice, unreported)
    same(sums, expected)
    assert (devices is None) == (behind is None) == (k is None)
    if k is not None:
        same(devices, behind)


def test_row_groups_are_shared_out_in_order_and_evenly(tmp_path):
    files = open_pings(FootfallSource(str(write_pings(tmp_path / "p")), "pings", "wgs84", {}))
    runs = share_out(files.groups, 4)
    assert [group for _, run in runs for group in run] == list(files.groups)
    assert [number for number, _ in runs] == [0, 1, 2, 3]
    assert max(sum(g.n_rows for g in run) for _, run in runs) <= 4_000 / 4 + 300
    assert share_out((), 4) == []


def test_the_first_fault_by_file_and_row_is_told(tmp_path, grid):
    folder = write_pings(tmp_path / "pings")
    for name, row in (("2.parquet", 5), ("1.parquet", 700)):
        frame = pd.read_parquet(folder / name)
        frame.loc[frame.index[row], "lat"] = 400.0
        frame.to_parquet(folder / name, row_group_size=300)
    source = FootfallSource(str(folder), "pings", "wgs84", {})
    count = PingCount(make_binner(grid.lattice, source), distinct=False, behind=False, n_parts=0)
    runs = share_out(open_pings(source).groups, 9)
    pieces = [piece for number, run in reversed(runs) for piece in count_groups(count, number, run)]
    with pytest.raises(InputError, match=r"^1\.parquet row 701, column lat: found \"400.0\""):
        gather(count, pieces)


def test_a_file_that_a_machine_cannot_see_ends_with_a_word_on_where_to_put_it(tmp_path, grid):
    folder = write_pings(tmp_path / "pings")
    source = FootfallSource(str(folder), "pings", "wgs84", {})
    files = open_pings(source)
    (folder / "1.parquet").unlink()
    count = PingCount(make_binner(grid.lattice, source), distinct=False, behind=False, n_parts=0)
    with pytest.raises(EngineError, match=r"^1\.parquet is not there on a machine"):
        gather(count, count_groups(count, 0, files.groups))
