"""Overrides of steering: which sessions, and in which order they try edges then."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.edge.override import WHOLE, Override, diversion_of, free_range, leads_back, point_of
from gateway.edge.rank import ordered_by_key, ranked_tiers
from geodata.place import Place

A, B, C = (Edge(name, f"https://{name}.example/v/", fallback=True) for name in "abc")
D1, D2 = (
    Edge(name, f"https://{name}.example/v/", fallback=True, template="dns") for name in ("d1", "d2")
)
VIEWERS = range(1 << 40, 2000 << 40, 1 << 40)


def override(source: str, target: str, low: int = 0, high: int = WHOLE, at: int = 0) -> Override:
    """One of that share."""
    return Override(f"{at:08x}", source, target, low, high, at, 10**9, "me@here", "")


def order(fleet: Fleet, viewer: int, count: int = 8) -> list[str]:
    """The edges in the order of a viewer."""
    tiers = ranked_tiers(fleet, Place("unknown"), 0)
    return [fleet.edges[at].id for at in ordered_by_key(fleet, tiers, viewer, count)]


def test_points_are_spread_evenly() -> None:
    """And have nothing to do with the point for another edge."""
    points = [point_of(A.key, viewer) / 2**64 for viewer in VIEWERS]
    assert 0.48 < sum(points) / len(points) < 0.52
    lower = [viewer for viewer in VIEWERS if point_of(A.key, viewer) < 2**63]
    assert 0.46 < sum(point_of(B.key, viewer) < 2**63 for viewer in lower) / len(lower) < 0.54


FREE: list[tuple[str, Sequence[tuple[int, int]], int, int | None]] = [
    ("none yet", [], 2000, 0),
    ("all at once", [], WHOLE, 0),
    ("after the first", [(0, 2000)], 2000, 2000),
    ("to the end", [(0, 2000)], 8000, 2000),
    ("more than is left", [(0, 2000)], 8001, None),
    ("between two", [(0, 1000), (3000, 4000)], 2000, 1000),
    ("after both", [(3000, 4000), (0, 1000)], 2001, 4000),
    ("in front", [(2000, 4000)], 2000, 0),
]


@pytest.mark.parametrize(
    ("taken", "share", "low"), [row[1:] for row in FREE], ids=[r[0] for r in FREE]
)
def test_free_range(taken: Sequence[tuple[int, int]], share: int, low: int | None) -> None:
    """The first gap that is large enough; those of other edges do not matter."""
    known = [override("a", "b", *bounds) for bounds in taken] + [override("c", "b")]
    assert low == free_range(known, "a", share)


def of_assets(prefix: str, source: str = "a", target: str = "b") -> Override:
    """One of all sessions of the assets with a prefix."""
    return replace(override(source, target), asset_prefix=prefix)


@pytest.mark.parametrize(
    ("asset", "goes"),
    [("live/one", "b"), ("live/", "b"), ("live", "a"), ("film", "c"), ("kids/live/one", "a")],
)
def test_overrides_of_some_assets(asset: str, goes: str) -> None:
    """The start of the id decides; the first that covers a session counts."""
    given = [of_assets("live/"), of_assets("live/one", target="c"), of_assets("film", target="c")]
    fleet = Fleet.of((A, B, C), overrides=given)
    tiers = ranked_tiers(fleet, Place("unknown"), 0)
    viewer = next(v for v in VIEWERS if order(Fleet.of((A, B, C)), v)[0] == "a")
    assert goes == fleet.edges[ordered_by_key(fleet, tiers, viewer, 3, asset)[0]].id
    found = diversion_of(fleet.diversions, fleet.edges, 0, viewer, asset)
    assert (goes == "a") is (found is None)
    assert diversion_of(fleet.diversions, fleet.edges, 0, viewer) is None


@pytest.mark.parametrize(
    ("known", "prefix", "low"),
    [
        ("live/", "film/", 0),
        ("live/", "live", None),
        ("live/", "live/one", None),
        ("live/", "", None),
        ("", "live/", None),
        ("live/1", "live/2", 0),
    ],
)
def test_other_assets_take_no_share(known: str, prefix: str, low: int | None) -> None:
    """But those that may be the same do, and may send sessions in circles."""
    assert low == free_range([of_assets(known)], "a", 1, prefix)
    assert (low is None) is leads_back([of_assets(known, "b", "a")], "a", "b", prefix)


CIRCLES = [
    ("nothing in force", [], False),
    ("the way back", [("b", "a")], True),
    ("over a third", [("b", "c"), ("c", "a")], True),
    ("onward", [("b", "c"), ("c", "d")], False),
    ("from elsewhere", [("c", "a")], False),
    ("others go in circles", [("b", "c"), ("c", "b")], False),
]


@pytest.mark.parametrize(
    ("known", "back"), [row[1:] for row in CIRCLES], ids=[r[0] for r in CIRCLES]
)
def test_circles(known: Sequence[tuple[str, str]], back: bool) -> None:
    assert back is leads_back([override(*pair) for pair in known], "a", "b")


OF_TABLES: list[tuple[str, str, str, bool]] = [
    ("the way back of an edge", "a", "d1", True),
    ("of another table", "a", "e1", False),
    ("within the table", "d1", "d2", False),
    ("the table to one of its edges", "dns", "d1", False),
]


@pytest.mark.parametrize(
    ("source", "target", "back"), [row[1:] for row in OF_TABLES], ids=[r[0] for r in OF_TABLES]
)
def test_circles_through_a_table(source: str, target: str, back: bool) -> None:
    """All edges of the table go to ``a``."""
    tables = {"dns": ["d1", "d2"], "other": ["e1"]}
    assert back is leads_back([override("dns", "a")], source, target, tables=tables)


def test_edges_of_a_table_that_send_to_each_other() -> None:
    """The target itself stays, so only the others of the table could come back to it."""
    tables = {"dns": ["d1", "d2"]}
    to_one = [override("dns", "d1")]
    assert leads_back(to_one, "d1", "d2", tables=tables)
    assert not leads_back(to_one, "d2", "a", tables=tables)
    assert leads_back([override("d1", "a"), override("a", "d2")], "dns", "d1", tables=tables)
    assert 5000 == free_range([override("dns", "d1", 0, 5000)], "d2", 1, tables=tables)
    assert 0 == free_range([override("d1", "a", 0, 5000)], "d2", 1, tables=tables)


def test_of_two_overrides_each_has_its_share() -> None:
    fleet = Fleet.of(
        (A, B, C), overrides=[override("a", "b", 0, 2000), override("a", "c", 2000, 5000)]
    )
    found = [diversion_of(fleet.diversions, fleet.edges, 0, viewer) for viewer in VIEWERS]
    to_b = sum(one is not None and one.target == 1 for one in found) / len(VIEWERS)
    to_c = sum(one is not None and one.target == 2 for one in found) / len(VIEWERS)
    assert 0.18 < to_b < 0.22
    assert 0.28 < to_c < 0.32


def test_new_sessions_try_the_target_first() -> None:
    """Those of the share alone; for all others, and behind the source, nothing changes."""
    plain = Fleet.of((A, B, C))
    fleet = Fleet.of((A, B, C), overrides=[override("a", "c", 0, 3000)], last=plain)
    moved = 0
    for viewer in VIEWERS:
        before, after = order(plain, viewer), order(fleet, viewer)
        if before == after:
            continue
        moved += before[0] == "a"
        assert before.index("a") < before.index("c")
        assert after.index("c") == after.index("a") - 1
        assert [one for one in before if one != "c"] == [one for one in after if one != "c"]
        assert order(fleet, viewer, 1) == (["c", "a"] if before[0] == "a" else before[:1])
    firsts = sum(order(plain, viewer)[0] == "a" for viewer in VIEWERS)
    assert 0.25 < moved / firsts < 0.35


@pytest.mark.parametrize("count", [1, 2, 8])
def test_the_target_of_one_is_the_source_of_the_next(count: int) -> None:
    """However many edges are asked for, the same one comes first. The chain ends at an edge that
    takes the viewer."""
    chain = [override("a", "b"), override("b", "c")]
    fleet = Fleet.of((A, B, C), overrides=chain)
    open_to_b = Fleet.of((A, B, C), {"c": EdgeCondition("draining", 0.0)}, overrides=chain)
    for viewer in VIEWERS[:200]:
        assert "c" == order(fleet, viewer, count)[0]
        assert "b" == order(open_to_b, viewer, count)[0]


def test_a_target_elsewhere_is_added() -> None:
    """Such as one of another region, which the ranking of the place does not have."""
    near = Edge("near", "https://near.example/v/", countries=frozenset({"NO"}))
    far = Edge("far", "https://far.example/v/", countries=frozenset({"US"}))
    fleet = Fleet.of((near, far), overrides=[override("near", "far")])
    place = Place("found", country="NO", continent="EU")
    tiers = ranked_tiers(fleet, place, 0)[:1]
    assert (1, 0) == ordered_by_key(fleet, tiers, 1)


@pytest.mark.parametrize(
    "condition",
    [EdgeCondition("down", 0.0), EdgeCondition("draining", 0.0), EdgeCondition(full=True)],
    ids=["down", "draining", "full"],
)
def test_a_target_that_takes_nobody(condition: EdgeCondition) -> None:
    plain = Fleet.of((A, B, C), {"c": condition})
    fleet = Fleet.of((A, B, C), {"c": condition}, overrides=[override("a", "c")])
    assert all(order(plain, viewer) == order(fleet, viewer) for viewer in VIEWERS[:50])


def test_a_table_with_dns_means_all_its_edges() -> None:
    fleet = Fleet.of((D1, D2, A), overrides=[override("dns", "a"), override("x", "a")])
    assert {0, 1} == set(fleet.diversions)
    fleet = Fleet.of((D1, D2), overrides=[override("dns", "d2")])
    assert {0} == set(fleet.diversions)


def test_overrides_do_not_change_rankings() -> None:
    """Cached rankings stay valid."""
    assert Fleet.of((A, B)).epoch == Fleet.of((A, B), overrides=[override("a", "b")]).epoch
    assert override("a", "b", 0, 1250).percent == "12.5 %"
