import bank_town
import numpy as np
import pytest

from siteplanner.model.reconciliation import BRIDGE, Counted, bridge, reconcile


@pytest.fixture(scope="module")
def town():
    return bank_town.plan(bank_town.make_scenario(relocation={"max_moves": 3}))


def test_one_move_by_hand():
    """100 won net; the old place had 60 by the model and 80 in truth, 50 once the new place is open.

    By choice 20 of the 50 stay: the market model loses 30 and says +70. By attrition a tenth of 80 goes:
    with 9 of homes to come the ledger says 100 - 8 + 9 = 101. A tenth of 50 is lost instead of 30 (+25), a
    tenth of the 10 who had switched (-1), a tenth of the 20 that the model does not know (-2), homes +9.
    """
    one = [np.array([value]) for value in (100.0, 50.0, 20.0, 60.0, 80.0, 0.1, 9.0)]
    told = bridge(Counted(*one))
    assert [told[name][0] for name in BRIDGE] == pytest.approx([70.0, 25.0, -1.0, -2.0, 9.0])
    assert sum(told.values())[0] == pytest.approx(101.0)


def test_every_move_and_the_network_balance(town):
    moves, lines = town.ledger.moves, town.ledger.reconciliation["deposits_wan"]
    assert len(moves) == 3
    np.testing.assert_allclose(moves[list(BRIDGE)].sum(axis=1), moves["net_wan"], rtol=1e-9)
    assert lines["choice_wan"] + lines["inertia_wan"] == pytest.approx(lines["market_net_wan"], rel=1e-9)
    assert lines[list(BRIDGE)].sum() == pytest.approx(lines["net_wan"], rel=1e-9)
    assert lines["net_wan"] == pytest.approx(moves["net_wan"].sum(), rel=1e-12)
    assert lines["inertia_wan"] > 0.0


def test_the_market_line_is_the_difference_of_the_two_networks(town):
    kpis, lines = town.ledger.kpis, town.ledger.reconciliation["deposits_wan"]
    change = kpis.loc["deposits_own_wan", "after"] - kpis.loc["deposits_own_wan", "before"]
    assert lines["market_net_wan"] == pytest.approx(change, rel=1e-6)
    for name in (*BRIDGE, "net_wan"):
        assert kpis.loc[name, "after"] == pytest.approx(lines[name], rel=1e-12)


def test_without_inertia_the_first_line_is_the_market():
    plain = bank_town.plan(bank_town.make_scenario(economics={"inertia": 1.0}))
    lines = plain.ledger.reconciliation["deposits_wan"]
    assert lines["inertia_wan"] == 0.0
    assert lines["choice_wan"] == lines["market_net_wan"]


def test_without_moves_nothing_changes(town):
    lines = reconcile(town.ledger.moves.head(0), 0.0)
    assert list(lines.index) == ["choice_wan", "inertia_wan", *BRIDGE, "net_wan"]
    assert not lines["deposits_wan"].any()
