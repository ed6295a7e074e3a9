"""Which edges a class has, and which limits."""

from dataclasses import replace

import pytest

from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.edge.rank import ranked_tiers
from gateway.ladder.periods import fit_all
from gateway.ladder.rung import Constraints
from gateway.play.dash.client_class import (
    EVERYTHING,
    ORDERS,
    ClientClass,
    class_limits,
    edges_for_class,
    place_of,
)
from gateway.play.dash.manifest import DashManifest, read_dash
from geodata.place import NOT_LOOKED_UP
from manifests.codecs import CodecFamily
from tests.integration.dash_titles import mpd

OSLO, STOCKHOLM, PARIS, TOKYO = (
    Edge(name, f"https://{name}.example/", latitude, longitude)
    for name, latitude, longitude in (
        ("oslo", 59.9, 10.7),
        ("stockholm", 59.3, 18.1),
        ("paris", 48.9, 2.4),
        ("tokyo", 35.7, 139.7),
    )
)
ANYWHERE = Edge("anywhere", "https://anywhere.example/", fallback=True)
EDGES = (TOKYO, ANYWHERE, PARIS, STOCKHOLM, OSLO)


def edges_of(fleet: Fleet, client: ClientClass, most: int = 3) -> list[str]:
    """The ids of a class's edges."""

    def tiers_at(place: object) -> object:
        return ranked_tiers(fleet, place, 0)  # type: ignore[arg-type]

    return [edge.id for edge in edges_for_class(client, "live", fleet, tiers_at, most)]  # type: ignore[arg-type]


FROM_OSLO = ClientClass(EVERYTHING, OSLO.key, STOCKHOLM.key)
FLEETS = [
    ("all are up", EDGES, {}, ["oslo", "stockholm", "paris"]),
    ("the first is down", EDGES, {"oslo": "down"}, ["stockholm", "paris", "tokyo"]),
    ("the first two are down", EDGES, {"oslo": "down", "stockholm": "down"}, ["paris", "tokyo"]),
    ("the first drains", EDGES, {"oslo": "draining"}, ["oslo", "stockholm", "paris"]),
    ("the next drains", EDGES, {"stockholm": "draining"}, ["oslo", "paris", "tokyo"]),
    ("the first is gone", EDGES[:4], {}, ["stockholm", "paris", "tokyo"]),
    ("both are gone", EDGES[:3], {}, ["anywhere"]),
    ("one is left", (TOKYO,), {}, ["tokyo"]),
    ("all are down", EDGES, {edge.id: "down" for edge in EDGES}, ["oslo"]),
]


@pytest.mark.parametrize(
    ("name", "edges", "states", "expected"), FLEETS, ids=[each[0] for each in FLEETS]
)
def test_edges_follow_from_the_first_and_its_health(
    name: str, edges: tuple[Edge, ...], states: dict[str, str], expected: list[str]
) -> None:
    """Near the first one, or near its substitute when it was removed."""
    conditions = {edge: EdgeCondition(state, 0.0) for edge, state in states.items()}  # type: ignore[arg-type]
    found = edges_of(Fleet.of(edges, conditions), FROM_OSLO)
    assert expected == found[: len(expected)], name
    assert len(set(found)) == len(found) <= 3


def test_equal_edges_have_a_few_orders() -> None:
    """Each the same in every process."""
    equal = [
        Edge(f"e{at}", f"https://e{at}.example/", continents=frozenset({"EU"})) for at in range(5)
    ]
    fleet = Fleet.of(equal)
    orders = {
        tuple(edges_of(fleet, ClientClass(EVERYTHING, equal[0].key, equal[1].key, order)))
        for order in range(ORDERS)
    }
    assert {"e0"} == {order[0] for order in orders}
    assert 1 < len(orders) <= ORDERS


def test_where_an_edge_is() -> None:
    """By its coordinates, else by what it serves."""
    assert (59.9, 10.7) == place_of(OSLO)[3:5]
    named = Edge("n", "https://n/", countries=frozenset({"NO", "DK"}), continents=frozenset({"EU"}))
    assert ("DK", "EU", None) == place_of(named)[1:4]
    assert NOT_LOOKED_UP == place_of(ANYWHERE)


LADDER = read_dash(mpd("dynamic").encode(), "live", 10**6)
AVC, HEVC = CodecFamily.AVC, CodecFamily.HEVC
BOTH = frozenset({AVC, HEVC})
SAME = [
    (
        "no rung is within the cap",
        Constraints(max_bandwidth=100_000),
        Constraints(max_bandwidth=150_000, max_height=1080, device_codecs=BOTH, immersive=False),
        Constraints(max_bandwidth=200_000, max_height=240),
    ),
    (
        "a least height",
        Constraints(max_bandwidth=2_600_000, min_height=300),
        Constraints(max_height=1100, min_height=360, device_codecs=BOTH, max_frame_rate=60.0),
        Constraints(max_bandwidth=2_500_000, max_height=1080, min_height=360),
    ),
    (
        "a device and a profile",
        Constraints(max_height=1080, max_bandwidth=99_000_000),
        Constraints(max_bandwidth=2_500_000, device_codecs=frozenset({AVC})),
        Constraints(max_bandwidth=2_500_000, max_height=1080),
    ),
    (
        "a device without a screen",
        Constraints(screen=False, max_height=1080, device_codecs=BOTH, max_frame_rate=60.0),
        Constraints(screen=False, max_bandwidth=130_000),
        Constraints(max_bandwidth=200_000, max_height=240),
    ),
    ("everything", Constraints(max_height=4320), Constraints(min_rungs=3), EVERYTHING),
]


@pytest.mark.parametrize(("name", "one", "other", "expected"), SAME, ids=[each[0] for each in SAME])
def test_equal_results_have_equal_limits(
    name: str, one: Constraints, other: Constraints, expected: Constraints
) -> None:
    """Whatever makes no difference is not in them."""
    found = [limits_of(LADDER, replace(each, start_bandwidth=7)) for each in (one, other)]
    assert [expected, expected] == found, name


def limits_of(manifest: DashManifest, limits: Constraints) -> Constraints:
    """The limits of a class."""
    return class_limits(manifest, fit_all(manifest.ladder.rungs, limits).kept, limits)


def test_limits_that_no_simple_ones_stand_for() -> None:
    """A cap that no rung of an advertisement meets is not the highest rung that stays. It is
    rounded to what is listed, and what makes no difference is left out."""
    text = mpd("dynamic")
    period = text[text.index("  <Period") : text.index("</Period>") + len("</Period>\n")]
    advert = mpd("dynamic", heights=(2160,))
    other = advert[advert.index("  <Period") : advert.index("</Period>") + len("</Period>\n")]
    both = text.replace(period, period + other.replace('id="1" start="PT0S"', 'id="2"'))
    manifest = read_dash(both.encode(), "live", 10**6)
    plain = Constraints(max_bandwidth=1_300_000)
    more = Constraints(
        max_bandwidth=1_200_000,
        device_codecs=BOTH,
        max_frame_rate=60.0,
        immersive=False,
        min_rungs=2,
    )
    expected = Constraints(max_bandwidth=1_200_000)
    assert [expected, expected] == [limits_of(manifest, each) for each in (plain, more)]


def test_an_mpd_of_many_representations_is_not_fitted_again() -> None:
    """Its limits are rounded, no more: that takes no time."""
    text = mpd("dynamic")
    at = text.index("      <Representation")
    one = '<Representation id="r{0}" bandwidth="{0}000" width="426" height="240"/>'
    many = read_dash(
        (text[:at] + "".join(map(one.format, range(1, 600))) + text[at:]).encode(), "live", 10**6
    )
    own = Constraints(max_bandwidth=300_500, device_codecs=frozenset({AVC}), immersive=False)
    assert replace(own, max_bandwidth=300_000) == limits_of(many, own)
