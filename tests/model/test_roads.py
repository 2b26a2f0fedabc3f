"""Road lines to a graph, and shortest trips on it, against hand calculation and networkx."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplanner.model.roads import PIECE_KM, RoadLines, build_network, components, is_drawn_as_network
from siteplanner.model.sphere import EARTH_RADIUS_KM
from siteplanner.model.travel import Ends, Snapped, driving, snap, trips_within, walking
from siteplanner.scenario import ROAD_CLASSES, RoadSettings

KM_DEG = np.degrees(1.0 / EARTH_RADIUS_KM)
"""Degrees of latitude that are one km; near the equator also of longitude."""


def roads(*lines, **told):
    """Lines as lists of (x km, y km) at the equator; what is told is one value for all lines or one each."""
    sizes = [len(line) for line in lines]
    xy = np.array([point for line in lines for point in line], dtype=float) * KM_DEG
    usual = {"road": ROAD_CLASSES.index("primary"), "forward": True, "backward": True, "walk": True}
    usual["limit_kmh"] = np.nan
    each = {name: np.broadcast_to(told.get(name, value), len(lines)).copy() for name, value in usual.items()}
    return RoadLines(xy[:, 0], xy[:, 1], np.concatenate(([0], np.cumsum(sizes))), **each)


def node_at(network, x, y):
    return int(np.argmin(np.hypot(network.lon - x * KM_DEG, network.lat - y * KM_DEG)))


def minutes_between(streets, start, end, limit=1e3):
    """Minutes of the trip between two points in km that lie on nodes; None without one."""
    free = np.zeros(1)
    ends = [Ends(np.array([x * KM_DEG]), np.array([y * KM_DEG]), free) for x, y in (start, end)]
    origin, place = (snap(streets, one, 1.0) for one in ends)
    trips = list(trips_within(streets, origin, place, np.array([limit])))
    found = [float(part.minutes[0]) for part in trips if part.minutes.size]
    return found[0] if found else None


def test_lines_meet_at_common_vertices():
    network = build_network(roads([(0, 0), (1, 0), (2, 0)], [(1, 0), (1, 1)]), "apart")
    assert network.km.sum() == pytest.approx(3.0, rel=1e-6)
    assert len(set(components(network.lon.size, network.start, network.end))) == 1
    assert network.km.max() <= 2 * PIECE_KM + 1e-9


def test_a_bridge_is_no_crossing_unless_asked():
    cross = roads([(0, 0), (2, 0)], [(1, -1), (1, 1)])
    apart, joined = (build_network(cross, how) for how in ("apart", "connect"))
    assert len(set(components(apart.lon.size, apart.start, apart.end))) == 2
    assert len(set(components(joined.lon.size, joined.start, joined.end))) == 1
    assert joined.km.sum() == pytest.approx(4.0, rel=1e-6)


def test_a_line_that_ends_on_another_meets_it_where_lines_are_connected():
    tee = roads([(0, 0), (2, 0)], [(0.7, 0), (0.7, 1)])
    network = build_network(tee, "connect")
    streets = walking(network, RoadSettings(walk_kmh=5.0))
    assert minutes_between(streets, (0, 0), (0.7, 1)) == pytest.approx(1.7 * 12, rel=1e-5)


def test_auto_connects_only_what_was_not_drawn_as_a_network():
    drawn = roads([(0, 0), (1, 0)], [(1, 0), (2, 0)], [(1, 0), (1, 1)], [(0.5, -1), (0.5, 1)])
    loose = roads([(0, 0), (2, 0)], [(0.5, -1), (0.5, 1)], [(1.5, -1), (1.5, 1)])
    # Three of eight ends meet another line.
    assert not is_drawn_as_network(drawn)
    touching = roads([(0, 0), (1, 0)], [(1, 0), (1, 1)], [(1, 1), (0, 0)], [(0.5, -1), (0.5, 1)])
    assert is_drawn_as_network(touching)
    assert not is_drawn_as_network(loose)
    assert len(set(components(*parts(build_network(loose, "auto"))))) == 1
    assert len(set(components(*parts(build_network(touching, "auto"))))) == 2


def parts(network):
    return network.lon.size, network.start, network.end


def test_repeated_vertices_and_points_are_dropped():
    network = build_network(roads([(0, 0), (0, 0), (0.1, 0)], [(5, 5), (5, 5)]), "apart")
    assert network.km.sum() == pytest.approx(0.1, rel=1e-5)


def test_speed_by_class_limit_and_factor():
    lines = roads(
        [(0, 0), (1, 0)], [(1, 0), (2, 0)], [(2, 0), (3, 0)],
        road=[ROAD_CLASSES.index(name) for name in ("primary", "residential", "primary")],
        limit_kmh=[np.nan, np.nan, 30.0],
    )  # fmt: skip
    network = build_network(lines, "apart")
    speeds = RoadSettings(primary_kmh=60.0, residential_kmh=20.0)
    whole = driving(network, np.full(network.km.size, 0.5), speeds)
    # 1 km at 30, 10 and 15 km/h.
    assert minutes_between(whole, (0, 0), (3, 0)) == pytest.approx(2 + 6 + 4, rel=1e-5)


def test_one_way_streets_bind_drivers_and_nobody_on_foot():
    lines = roads([(0, 0), (1, 0)], [(1, 0), (1, 1), (0, 0)], backward=[False, True])
    network = build_network(lines, "apart")
    speeds = RoadSettings(primary_kmh=60.0, walk_kmh=6.0)
    drive = driving(network, np.ones(network.km.size), speeds)
    assert minutes_between(drive, (0, 0), (1, 0)) == pytest.approx(1.0, rel=1e-5)
    assert minutes_between(drive, (1, 0), (0, 0)) == pytest.approx(1 + np.sqrt(2), rel=1e-5)
    assert minutes_between(walking(network, speeds), (1, 0), (0, 0)) == pytest.approx(10.0, rel=1e-5)


def test_of_two_roads_between_two_places_the_quicker_counts():
    lines = roads([(0, 0), (0.2, 0)], [(0, 0), (0.2, 0)], road=[0, ROAD_CLASSES.index("track")])
    network = build_network(lines, "apart")
    streets = driving(network, np.ones(network.km.size), RoadSettings(motorway_kmh=120, track_kmh=12))
    assert minutes_between(streets, (0, 0), (0.2, 0)) == pytest.approx(0.1, rel=1e-5)


def test_small_pieces_of_road_catch_nobody():
    grid_lines = [[(x, 0), (x, 20)] for x in range(3)] + [[(0, y), (2, y)] for y in range(21)]
    network = build_network(roads(*grid_lines, [(0.5, 0.4), (0.5, 0.5)]), "connect")
    slip = build_network(roads(*grid_lines, [(0.5, 0.4), (0.5, 0.5)]), "connect")
    streets = walking(slip, RoadSettings())
    there = Ends(np.array([0.5 * KM_DEG]), np.array([0.45 * KM_DEG]), np.array([12.0]))
    snapped = snap(streets, there, 2.0)
    assert snapped.node[0] >= 0
    assert snapped.minutes[0] == pytest.approx(0.45 * 12, abs=0.25 * 12)
    assert network.lon.size == slip.lon.size


def test_ends_far_from_every_road_have_no_trip():
    streets = walking(build_network(roads([(0, 0), (1, 0)]), "apart"), RoadSettings())
    far = Ends(np.array([0.0]), np.array([3 * KM_DEG]), np.array([12.0]))
    assert snap(streets, far, 2.0).node.tolist() == [-1]
    assert snap(streets, far, 4.0).minutes[0] == pytest.approx(36.0, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_trips_are_those_of_networkx(seed):
    rng = np.random.default_rng(seed)
    spots = rng.uniform(0, 2, (14, 2))
    lines = [[spots[a], spots[b]] for a, b in rng.integers(0, 14, (22, 2)) if a != b]
    size = len(lines)
    forward = rng.random(size) < 0.8
    network = build_network(
        roads(
            *lines,
            road=rng.integers(0, 10, size),
            forward=forward,
            backward=~forward | (rng.random(size) < 0.5),
            limit_kmh=np.where(rng.random(size) < 0.3, 25.0, np.nan),
        ),
        "connect" if seed % 2 else "apart",
    )
    speeds, factor = RoadSettings(), rng.uniform(0.3, 1.0, network.km.size)
    streets = driving(network, factor, speeds)
    graph = nx.MultiDiGraph()
    for edge in range(network.km.size):
        kind = ROAD_CLASSES[network.lines.road[network.line[edge]]]
        kmh = np.fmin(getattr(speeds, f"{kind}_kmh"), network.lines.limit_kmh[network.line[edge]])
        weight = network.km[edge] / (kmh * factor[edge]) * 60
        if network.lines.forward[network.line[edge]]:
            graph.add_edge(int(network.start[edge]), int(network.end[edge]), weight=weight)
        if network.lines.backward[network.line[edge]]:
            graph.add_edge(int(network.end[edge]), int(network.start[edge]), weight=weight)
    limit = 6.0
    origins, places = rng.choice(streets.nodes, 5), rng.choice(streets.nodes, 4)
    found = np.full((5, 4), np.inf)
    ends = [Snapped(at, np.zeros(at.size)) for at in (origins, places)]
    for part in trips_within(streets, *ends, np.full(5, limit)):
        found[part.origin, part.place] = part.minutes
    for i, start in enumerate(origins):
        reached = nx.single_source_dijkstra_path_length(graph, int(start), cutoff=limit, weight="weight")
        expected = [reached.get(int(end), np.inf) for end in places]
        np.testing.assert_allclose(found[i], expected, rtol=1e-5, atol=1e-6)
