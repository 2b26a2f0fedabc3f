from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siteplanner.model.market import share_pairs
from siteplanner.model.standing import NO_PLACE, move, take_stand

# Columns of the weights: visits of three segments, all visits, money.
SEGMENTS, VISITS, MONEY = slice(0, 3), 3, 4


def region(seed=0, rows=240, own=30, rivals=40, sites=30, reach_km=6.0):
    """Strew cells and places over a square of 20 km; a pull by distance, and a corner out of all reach."""
    rng = np.random.default_rng(seed)
    cells, places = rng.uniform(0.0, 20.0, (rows, 2)), rng.uniform(2.0, 18.0, (own + rivals + sites, 2))
    cells[:3] = 60.0
    km = np.linalg.norm(cells[:, None] - places[None], axis=2)
    pull = rng.uniform(0.3, 2.0, len(places))
    utility = np.where(km <= reach_km, pull * np.exp(-0.5 * km), 0.0)
    # Two places that pull nobody, and cells with no way out.
    utility[:, [1, own + 1]] = 0.0
    outside = np.where(rng.random(rows) < 0.1, 0.0, 0.05)
    segments = rng.lognormal(1.0, 1.0, (rows, 3))
    weights = np.column_stack((segments, segments.sum(axis=1), rng.lognormal(6.0, 1.0, rows)))
    mine = np.r_[np.ones(own, bool), np.zeros(rivals, bool), np.ones(sites, bool)]
    is_open = np.arange(len(places)) < own + rivals
    reached = km <= reach_km
    indptr = np.concatenate(([0], np.cumsum(reached.sum(axis=1))))
    pairs = (indptr, np.nonzero(reached)[1].astype(np.int32), utility[reached])
    return pairs, utility, outside, weights, mine, is_open


def by_hand(utility, outside, weights, mine, is_open):
    """Shares of rows and volumes and overlap of places, over the whole table at once (D§4, D§6.2)."""
    u = utility * is_open
    total = outside + u.sum(axis=1)
    share = np.divide(u, total[:, None], out=np.zeros_like(u), where=total[:, None] > 0.0)
    ours = u[:, mine].sum(axis=1)
    siblings = np.divide(ours[:, None] - u, ours[:, None], out=np.zeros_like(u), where=ours[:, None] > 0.0)
    volumes = share.T @ weights
    served = (weights[:, :1] * share * siblings).sum(axis=0) * mine
    overlap = np.divide(served, volumes[:, 0], out=np.zeros(len(mine)), where=volumes[:, 0] > 0.0)
    rows = np.column_stack((share[:, mine].sum(axis=1), share[:, ~mine].sum(axis=1)))
    return np.column_stack((rows, 1.0 - rows.sum(axis=1))), volumes, overlap


def draw_move(rng, standing, sites):
    """Close one of ours that is open, and open one of ours that is shut."""
    choices = np.flatnonzero(sites & standing.is_open), np.flatnonzero(sites & ~standing.is_open)
    return tuple(int(rng.choice(choice)) for choice in choices)


def check_balance(flows, before, after, mine):
    """Every customer of the move comes from somewhere and goes somewhere, in every segment."""
    one = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(flows.gained, flows.from_own + flows.from_rivals + flows.from_outside, **one)
    np.testing.assert_allclose(flows.left, flows.to_own + flows.to_rivals + flows.to_outside, **one)
    change = (after - before)[mine].sum(axis=0)
    np.testing.assert_allclose(
        flows.gained - flows.from_own - flows.to_rivals - flows.to_outside, change, **one
    )
    rivals = (after - before)[~mine].sum(axis=0)
    np.testing.assert_allclose(flows.to_rivals - flows.from_rivals, rivals, **one)
    for name in type(flows).__dataclass_fields__:
        values = getattr(flows, name)
        assert (values >= 0.0).all()
        assert values[SEGMENTS].sum() == pytest.approx(values[VISITS], rel=1e-9, abs=1e-9)


def shared_anew(utility, outside, mine, is_open, inertia):
    """Share of each place in each row, for new customers and for who lost a branch of ours."""
    shares = []
    for factor in (1.0, inertia):
        u = utility * is_open * np.where(mine, factor, 1.0)
        total = outside + u.sum(axis=1)
        shares.append(np.divide(u, total[:, None], out=np.zeros_like(u), where=total[:, None] > 0.0))
    return shares


@pytest.mark.parametrize("inertia", [1.0, 4.0])
def test_a_thousand_random_moves_balance_and_equal_the_whole_network_anew(inertia):
    """Those who ever lost a branch of ours and all others share all places anew."""
    pairs, utility, outside, weights, mine, is_open = region()
    sticky = np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    standing = take_stand(pairs, outside, weights, (mine, is_open), inertia=inertia, sticky=sticky)
    rng = np.random.default_rng(1)
    scale = weights.sum(axis=0)
    lost = np.zeros(len(outside))
    for _ in range(1_000):
        before = standing.won().copy()
        closed, opened = draw_move(rng, standing, mine)
        both = standing.is_open.copy()
        both[opened] = True
        first = shared_anew(utility, outside, mine, both, inertia)[0]
        lost += (1.0 - lost) * first[:, closed]
        check_balance(move(standing, closed, opened), before, standing.won(), mine)
        first, again = shared_anew(utility, outside, mine, standing.is_open, inertia)
        mixed = first + lost[:, None] * (again - first)
        volumes = np.column_stack((mixed.T @ weights[:, :4], first.T @ weights[:, 4]))
        np.testing.assert_allclose(standing.won() / scale, volumes / scale, atol=1e-13)
        np.testing.assert_allclose(standing.shares()[:, 0], mixed[:, mine].sum(axis=1), atol=1e-12)
        held = (again - first)[:, mine].sum(axis=1) * lost
        np.testing.assert_allclose(standing.held(), (weights.T @ held) * sticky, atol=1e-6)
        ours = (utility * standing.is_open)[:, mine].sum(axis=1, keepdims=True)
        siblings = np.divide(ours - utility, ours, out=np.zeros_like(utility), where=ours > 0.0)
        served = (weights[:, :1] * mixed * siblings).sum(axis=0)[mine]
        won = volumes[mine, 0]
        overlap = np.divide(served, won, out=np.zeros(won.size), where=won > 0.0)
        np.testing.assert_allclose(standing.overlap()[mine], overlap, rtol=0.0, atol=1e-9)


def test_without_inertia_the_standing_is_the_market_of_its_open_places():
    pairs, utility, outside, weights, mine, is_open = region(seed=2)
    standing = take_stand(pairs, outside, weights, (mine, is_open))
    rng = np.random.default_rng(3)
    for _ in range(50):
        move(standing, *draw_move(rng, standing, mine))
    anew = take_stand(pairs, outside, weights, (mine, standing.is_open))
    np.testing.assert_allclose(standing.volumes, anew.volumes, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(standing.shares(), anew.shares(), rtol=1e-9, atol=1e-15)
    shares, volumes, overlap = by_hand(utility, outside, weights, mine, standing.is_open)
    np.testing.assert_allclose(standing.won(), volumes, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(standing.shares(), shares, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(standing.overlap()[mine], overlap[mine], rtol=0.0, atol=1e-9)


@given(st.integers(0, 10_000), st.floats(1.0, 20.0))
def test_inertia_never_keeps_fewer_customers(seed, inertia):
    pairs, _, outside, weights, mine, is_open = region(seed=seed, rows=40, own=8, rivals=8, sites=8)
    plain = take_stand(pairs, outside, weights, (mine, is_open))
    drawn = take_stand(pairs, outside, weights, (mine, is_open), inertia=inertia)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        change = draw_move(rng, plain, mine)
        move(plain, *change)
        move(drawn, *change)
    more = drawn.won()[mine].sum(axis=0) - plain.won()[mine].sum(axis=0)
    assert (more >= -1e-9 * plain.won().sum(axis=0)).all()
    np.testing.assert_allclose(drawn.held(), more, rtol=1e-9, atol=1e-9 * weights.sum())


def test_a_standing_is_that_of_shared_pairs():
    pairs, _, outside, weights, mine, _ = region()
    standing = take_stand(pairs, outside, weights, (mine, np.ones(mine.size, bool)))
    shares, volumes = share_pairs(pairs, outside, weights, mine)
    np.testing.assert_array_equal(standing.shares(), shares)
    np.testing.assert_array_equal(np.column_stack((standing.won(), standing.overlap())), volumes)


def test_each_half_of_a_move_is_the_difference_of_whole_networks():
    _, utility, outside, weights, mine, is_open = region(seed=3)
    pairs = region(seed=3)[0]
    standing = take_stand(pairs, outside, weights, (mine, is_open))
    closed, opened = 4, 80
    flows = move(standing, closed, opened)
    states = [is_open.copy() for _ in range(3)]
    states[1][opened] = states[2][opened] = True
    states[2][closed] = False
    start, both, end = (by_hand(utility, outside, weights, mine, state)[1] for state in states)
    siblings = mine & (np.arange(mine.size) != opened)
    np.testing.assert_allclose(flows.gained, both[opened], rtol=1e-12)
    np.testing.assert_allclose(flows.from_own, (start - both)[siblings].sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(flows.from_rivals, (start - both)[~mine].sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(flows.left, both[closed], rtol=1e-12)
    siblings = mine & (np.arange(mine.size) != closed)
    np.testing.assert_allclose(flows.to_own, (end - both)[siblings].sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(flows.to_rivals, (end - both)[~mine].sum(axis=0), rtol=1e-9)


@given(st.integers(0, 10_000))
def test_moves_undone_leave_the_network_as_it_was(seed):
    pairs, _, outside, weights, mine, is_open = region(seed=seed, rows=40, own=8, rivals=8, sites=8)
    standing = take_stand(pairs, outside, weights, (mine, is_open))
    before = deepcopy(standing)
    rng = np.random.default_rng(seed)
    done = []
    for _ in range(6):
        done.append(draw_move(rng, standing, mine))
        move(standing, *done[-1])
    for closed, opened in reversed(done):
        move(standing, opened, closed)
    np.testing.assert_array_equal(standing.is_open, before.is_open)
    np.testing.assert_allclose(standing.sums, before.sums, rtol=0.0, atol=0.0)
    np.testing.assert_allclose(standing.volumes, before.volumes, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 10_000), st.integers(16, 23))
def test_another_place_of_ours_never_lowers_what_we_win(seed, opened):
    pairs, _, outside, weights, mine, is_open = region(seed=seed, rows=40, own=8, rivals=8, sites=8)
    standing = take_stand(pairs, outside, weights, (mine, is_open))
    before = standing.won()[mine].sum(axis=0)
    flows = move(standing, NO_PLACE, opened)
    assert (standing.won()[mine].sum(axis=0) >= before * (1.0 - 1e-12)).all()
    assert not flows.left.any()


@pytest.mark.parametrize(("inertia", "share"), [(1.0, 0.238), (4.0, 0.555)])
def test_inertia_of_the_toy_of_the_domain_notes(inertia, share):
    """D§14: A 1, .8, 1, d .5, 1.5, .8, beta 1.5; after closing own1, own share .238, with kappa 4 .555."""
    utility = np.array([1.0 * 0.5**-1.5, 0.8 * 1.5**-1.5, 1.0 * 0.8**-1.5])
    pairs = (np.array([0, 3]), np.arange(3, dtype=np.int32), utility)
    mine, is_open = np.array([True, True, False]), np.ones(3, bool)
    standing = take_stand(pairs, np.zeros(1), np.ones((1, 1)), (mine, is_open), inertia=inertia)
    own, sibling = standing.won()[0, 0], standing.won()[1, 0]
    flows = move(standing, 0, NO_PLACE)
    assert flows.left == pytest.approx(0.607, abs=5e-4)
    assert flows.to_own / flows.left == pytest.approx(share, abs=1.5e-3)
    # Those of own1 choose by kappa; those of own2 stay.
    assert standing.shares()[0, 0] == pytest.approx(sibling + own * flows.to_own[0] / flows.left[0])


def test_a_rival_that_opens_takes_from_us_and_from_others():
    pairs, utility, outside, weights, mine, is_open = region(seed=5)
    is_open = is_open & (np.arange(mine.size) != 45)
    standing = take_stand(pairs, outside, weights, (mine, is_open))
    flows = move(standing, NO_PLACE, 45)
    start, end = (by_hand(utility, outside, weights, mine, now)[1] for now in (is_open, standing.is_open))
    np.testing.assert_allclose(flows.from_own, (start - end)[mine].sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(flows.gained, end[45], rtol=1e-12)


def test_the_last_place_leaves_its_customers_to_nobody():
    pairs = (np.array([0, 2, 2]), np.arange(2, dtype=np.int32), np.array([1.0, 0.5]))
    mine = np.ones(2, bool)
    standing = take_stand(pairs, np.zeros(2), np.array([[3.0], [7.0]]), (mine, np.array([True, False])))
    flows = move(standing, 0, NO_PLACE)
    assert (flows.left, flows.to_own, flows.to_rivals, flows.to_outside) == (3.0, 0.0, 0.0, 3.0)
    assert standing.shares().tolist() == [[0.0, 0.0, 1.0]] * 2
    flows = move(standing, NO_PLACE, 1)
    assert (flows.gained, flows.from_own, flows.from_outside) == (3.0, 0.0, 3.0)


def test_what_is_open_is_not_opened_nor_what_is_shut_closed():
    pairs, _, outside, weights, mine, is_open = region()
    standing = take_stand(pairs, outside, weights, (mine, is_open))
    with pytest.raises(ValueError, match="place 3 is open already"):
        move(standing, NO_PLACE, 3)
    with pytest.raises(ValueError, match="place 90 is shut already"):
        move(standing, 90, 91)


def test_a_copy_stays_and_so_do_the_inputs():
    pairs, _, outside, weights, mine, is_open = region()
    given_arrays = deepcopy((pairs, outside, weights, mine, is_open))
    standing = take_stand(pairs, outside, weights, (mine, is_open))
    kept, before = standing.copy(), deepcopy(standing)
    move(standing, 0, 80)
    for name in ("is_open", "sums", "volumes", "loyal"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(before, name))
    for now, then in zip(
        (*pairs, outside, weights, mine, is_open), (*given_arrays[0], *given_arrays[1:]), strict=True
    ):
        np.testing.assert_array_equal(now, then)
