"""The pure core's one entry: the truth table, the limits, the key, the reasons."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.client.facts import Capability, Device, DeviceKind, Facts, Limits, Throughput
from gateway.config.load import load
from gateway.decision import (
    Choice,
    Decision,
    Inquiry,
    Memo,
    Policy,
    choice_of,
    decide,
    inquire,
    nearest_edges,
    remembered_tiers,
)
from gateway.edge.capacity import Leased, Placement, PlacementOutcome
from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition, Fleet
from gateway.edge.override import WHOLE, Override
from gateway.explanation import reasons_of
from gateway.ladder.fit import NothingToPlayError
from gateway.play.hls.edit import edit_of
from gateway.play.hls.ladder import ladder_of
from gateway.policy.profile import Profile
from gateway.policy.rules import Rule, When
from gateway.policy.start import StartRule, StartRules
from gateway.reason import Reason, Step
from gateway.store.caches.decisions import ladder_name, ranking_name
from geodata.place import NOT_LOOKED_UP, UNKNOWN, Place
from manifests.codecs import CodecFamily, VideoRange
from manifests.hls.multivariant import MultivariantPlaylist, keep_everything
from tests.unit.ladder.sources import AAC, HEVC, iframes, media, playlist, variant

SHIPPED = load(environ={}).policy
LADDER = playlist(
    variant("240p", 200, "426x240"),
    variant("360p", 500, "640x360"),
    variant("720p", 1200, "1280x720"),
    variant("1080p", 2500, "1920x1080"),
    variant("4k", 8000, "3840x2160"),
)
RUNGS = {"mobile_2g": 1, "mobile_3g": 2, "mobile_4g": 3, "wifi": 4, "fiber": 5}
CAPS = {
    "mobile_2g": (200_000, 240),
    "mobile_3g": (500_000, 360),
    "mobile_4g": (1_200_000, 720),
    "wifi": (2_500_000, 1080),
    "fiber": (8_000_000, 2160),
}
DESKTOP = Device(DeviceKind.DESKTOP, os="Windows")
OTHERS = [kind for kind in DeviceKind if kind is not DeviceKind.PHONE]
SPARSE = ("IN", "BD", "PK")
PARIS = Place("found", "FR", "EU", 48.9, 2.4, 20.0)
FRANCE = PARIS._replace(accuracy_km=400.0)


def facts_of(
    device: Device = DESKTOP,
    place: Place = PARIS,
    kbps: int | None = None,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    **more: Any,
) -> Facts:
    """The facts of a request."""
    speed = None if kbps is None else Throughput(kbps, "query")
    return Facts("film", device, place, speed, limits=limits, **more)


def policy(profile: Profile, *edges: Edge) -> Policy:
    """A policy of one profile for all."""
    return Policy(
        profiles={profile.name: profile},
        rules=(),
        default_profile=profile.name,
        edges=edges or (Edge("one", "https://one.example/"),),
        time_zone="UTC",
        version="1",
    )


def inquiry(
    facts: Facts,
    of: Policy = SHIPPED,
    fleet: Fleet | None = None,
    source: MultivariantPlaylist = LADDER,
    version: str = "v1",
    memo: Memo | None = None,
) -> Inquiry:
    """What is to be decided, on the ladder above unless another is given."""
    ladder = ladder_of(source, version)
    return inquire(of, fleet or Fleet.of(of.edges), facts, ladder, memo or Memo())


def decided(
    facts: Facts,
    of: Policy = SHIPPED,
    fleet: Fleet | None = None,
    source: MultivariantPlaylist = LADDER,
) -> Decision:
    """The decision, with nothing worked out before."""
    return decide(inquiry(facts, of, fleet, source), Memo())


def choice(facts: Facts, of: Policy = SHIPPED) -> Choice:
    """The profile and the limits."""
    return choice_of(inquiry(facts, of))


def told(facts: Facts, of: Policy = SHIPPED, fleet: Fleet | None = None) -> list[Reason]:
    """Every reason for the decision on the ladder above."""
    return [*reasons_of(decided(facts, of, fleet))]


def first(facts: Facts, of: Policy = SHIPPED) -> str:
    """The edge that serves."""
    return decided(facts, of).edge.id


def key(facts: Facts, of: Policy = SHIPPED, version: str = "v1") -> tuple[str, str]:
    """The names of that decision's halves in the store."""
    wanted = inquiry(facts, of, version=version)
    return ladder_name(wanted), ranking_name(wanted)


@pytest.mark.parametrize(
    ("kinds", "countries", "kbps", "profile"),
    [
        ([DeviceKind.PHONE], ["IN", "US", None], 0, "mobile_2g"),
        ([DeviceKind.PHONE], ["IN", "US", None], 999, "mobile_2g"),
        ([DeviceKind.PHONE], ["IN", "US", None], 1000, "mobile_3g"),
        ([DeviceKind.PHONE], ["IN", "US", None], 2999, "mobile_3g"),
        ([DeviceKind.PHONE], ["IN", "US", None], 3000, "mobile_4g"),
        ([DeviceKind.PHONE], ["IN", "US", None], 90_000, "mobile_4g"),
        ([DeviceKind.PHONE], ["IN", "US", None], None, "mobile_4g"),
        (OTHERS, SPARSE, 0, "mobile_4g"),
        (OTHERS, SPARSE, 5000, "mobile_4g"),
        (OTHERS, SPARSE, 5001, "wifi"),
        (OTHERS, SPARSE, 90_000, "wifi"),
        (OTHERS, SPARSE, None, "mobile_4g"),
        (OTHERS, ["US", "DE", "LK", None], 0, "wifi"),
        (OTHERS, ["US", "DE", "LK", None], 20_000, "wifi"),
        (OTHERS, ["US", "DE", "LK", None], 20_001, "fiber"),
        (OTHERS, ["US", "DE", "LK", None], None, "wifi"),
    ],
)
def test_the_truth_table(
    kinds: list[DeviceKind], countries: list[str | None], kbps: int | None, profile: str
) -> None:
    """Every cell of the README's table, on both sides of each boundary."""
    for kind in kinds:
        for country in countries:
            place = Place("found" if country else "unknown", country)
            facts = facts_of(Device(kind), place, kbps)
            limits = choice(facts).limits
            decision = decided(facts)
            assert profile == decision.choice.profile.name
            assert CAPS[profile] == (limits.max_bandwidth, limits.max_height)
            assert list(range(RUNGS[profile])) == sorted(decision.kept)


@pytest.mark.parametrize(
    ("continent", "edge"),
    [
        ("NA", "us-east-1"),
        ("EU", "eu-west-1"),
        ("AF", "eu-west-1"),
        ("AS", "ap-southeast-1"),
        ("SA", "sa-east-1"),
        ("OC", "ap-southeast-2"),
        ("AN", "global"),
    ],
)
def test_the_shipped_edges(continent: Any, edge: str) -> None:
    """Each continent's own edge, wherever in it the viewer is."""
    somewhere = Place("found", "ZZ", continent)
    for latitude, longitude in ((None, None), (0.0, 0.0), (-90.0, 0.0), (64.0, -140.0)):
        place = somewhere._replace(latitude=latitude, longitude=longitude, accuracy_km=1000.0)
        facts = facts_of(place=place)
        assert edge == first(facts)


@pytest.mark.parametrize("place", [UNKNOWN, NOT_LOOKED_UP])
def test_the_shipped_fallback(place: Place) -> None:
    """Unknown places go to the global edge."""
    facts = facts_of(place=place)
    assert "global" == first(facts)


ABLE = Capability(
    max_height=720,
    max_frame_rate=30.0,
    codecs=frozenset({CodecFamily.AVC}),
    video_ranges=frozenset({VideoRange.SDR}),
    spatial=True,
)


@pytest.mark.parametrize(
    ("profile", "device", "asked", "expected"),
    [
        ({"max_bitrate_kbps": 9}, {}, {}, {"max_bandwidth": 9000}),
        ({"max_bitrate_kbps": 9}, {}, {"max_bitrate_kbps": 8}, {"max_bandwidth": 8000}),
        ({"max_bitrate_kbps": 9}, {}, {"max_bitrate_kbps": 10}, {"max_bandwidth": 9000}),
        ({}, {}, {"max_bitrate_kbps": 10}, {"max_bandwidth": 10_000}),
        ({}, {}, {}, {"max_bandwidth": None, "max_height": None, "max_frame_rate": None}),
        ({"max_height": 1080}, {"capability": ABLE}, {"max_height": 2160}, {"max_height": 720}),
        ({"max_height": 1080}, {"capability": ABLE}, {"max_height": 360}, {"max_height": 360}),
        ({"max_height": 240}, {"capability": ABLE}, {"max_height": 360}, {"max_height": 240}),
        ({}, {}, {"min_height": 360}, {"min_height": 360}),
        ({"max_frame_rate": 60.0}, {"capability": ABLE}, {}, {"max_frame_rate": 30.0}),
        ({"max_frame_rate": 25.0}, {"capability": ABLE}, {}, {"max_frame_rate": 25.0}),
        (
            {"codecs": frozenset({CodecFamily.HEVC}), "video_range": frozenset({VideoRange.PQ})},
            {"capability": ABLE},
            {"codecs": frozenset({CodecFamily.AV1})},
            {
                "allowed_codecs": frozenset({CodecFamily.HEVC}),
                "device_codecs": ABLE.codecs,
                "wanted_codecs": frozenset({CodecFamily.AV1}),
                "allowed_ranges": frozenset({VideoRange.PQ}),
                "device_ranges": ABLE.video_ranges,
            },
        ),
        ({}, {"capability": ABLE}, {}, {"immersive": True}),
        ({}, {}, {}, {"immersive": False, "audio_only": True, "untouched": False}),
        ({}, {"os": "tvOS"}, {}, {"audio_only": False}),
        ({}, {}, {}, {"screen": True}),
        ({}, {"capability": Capability(screen=False)}, {}, {"screen": False}),
        (
            {"device_limits": False},
            {"capability": Capability(screen=False)},
            {},
            {"screen": True, "untouched": True},
        ),
        ({"min_rungs": 3}, {}, {}, {"min_rungs": 3}),
        (
            {"device_limits": False},
            {"os": "tvOS", "capability": replace(ABLE, spatial=False)},
            {},
            {
                "max_height": None,
                "max_frame_rate": None,
                "device_codecs": None,
                "device_ranges": None,
                "immersive": True,
                "audio_only": True,
                "untouched": True,
            },
        ),
    ],
)
def test_profile_and_device_and_request(
    profile: dict[str, Any], device: dict[str, Any], asked: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The least of each cap; the device's own limits only where the profile wants them."""
    facts = facts_of(Device(DeviceKind.TV, **device), limits=Limits(**asked))
    limits = choice(facts, policy(Profile("p", **profile))).limits
    assert expected == {name: getattr(limits, name) for name in expected}


@pytest.mark.parametrize(
    ("profile", "kbps", "start"),
    [
        ({}, None, 1_200_000),  # 2 Mbit/s (B4)
        ({"start_bitrate_kbps": 800}, None, 500_000),
        ({"start_bitrate_kbps": 2500}, None, 2_500_000),
        ({"start_bitrate_kbps": 800}, 5000, 2_500_000),
        ({}, 3124, 1_200_000),
        ({}, 3125, 2_500_000),
        ({"headroom": 0.5}, 3125, 1_200_000),
        ({"headroom": 1.0}, 200, 200_000),
        ({"headroom": 1.0}, 199, 0),
        ({}, 0, 0),
        ({}, 10**12, 8_000_000),
        ({"device_limits": False}, 5000, 0),  # the source's order stays whatever the speed
    ],
)
def test_where_to_start(profile: dict[str, Any], kbps: int | None, start: int) -> None:
    """A share of the measured speed, else the profile's, rounded down to a peak of the ladder."""
    found = choice(facts_of(kbps=kbps), policy(Profile("p", **profile)))
    assert start == found.limits.start_bandwidth


SLOW = (
    StartRule(When(asn=frozenset({7})), 3000),
    StartRule(When(country=frozenset({"FR"})), 600),
)


@pytest.mark.parametrize(
    ("profile", "facts", "start", "told_as"),
    [
        (
            {},
            facts_of(),
            500_000,
            (
                "start within 600 kbit/s, because no speed is known and start.rules[1] matches "
                "(country = FR) [start-bitrate-rule]"
            ),
        ),
        (
            {},
            facts_of(place=PARIS._replace(asn=7)),
            2_500_000,
            (
                "start within 3000 kbit/s, because no speed is known and start.rules[0] matches "
                "(asn = 7) [start-bitrate-rule]"
            ),
        ),
        (  # the profile's start bit rate stays the most
            {"start_bitrate_kbps": 1300},
            facts_of(place=PARIS._replace(asn=7)),
            1_200_000,
            "start within 1300 kbit/s, set by the profile [start-bitrate-profile]",
        ),
        (
            {"start_bitrate_kbps": 1300},
            facts_of(),
            500_000,
            (
                "start within 600 kbit/s, because no speed is known and start.rules[1] matches "
                "(country = FR) [start-bitrate-rule]"
            ),
        ),
        (
            {"start_bitrate_kbps": 600},
            facts_of(),
            500_000,
            "start within 600 kbit/s, set by the profile [start-bitrate-profile]",
        ),
        (
            {},
            facts_of(place=UNKNOWN),
            1_200_000,
            (
                "start within 2000 kbit/s, the default, because no speed is known "
                "[start-bitrate-default]"
            ),
        ),
        (  # a known speed comes first, and so will a prior
            {},
            facts_of(kbps=9000),
            2_500_000,
            "start within 7200 kbit/s, 80% of the measured 9000 kbit/s [start-bitrate-speed]",
        ),
        (
            {"headroom": 0.855},
            replace(facts_of(), throughput=Throughput(1000, "prior")),
            500_000,
            "start within 855 kbit/s, 85.5% of the presumed 1000 kbit/s [start-bitrate-speed]",
        ),
        (
            {},
            replace(facts_of(), throughput=Throughput(700, "hints")),
            500_000,
            "start within 560 kbit/s, 80% of the hinted 700 kbit/s [start-bitrate-speed]",
        ),
        (  # the source's order stays
            {"device_limits": False},
            facts_of(),
            0,
            None,
        ),
    ],
)
def test_where_an_unknown_network_starts(
    profile: dict[str, Any], facts: Facts, start: int, told_as: str | None
) -> None:
    """Speed, then a start rule within the profile's start bit rate, then that, then the default."""
    of = replace(policy(Profile("p", **profile)), start=StartRules(SLOW))
    found = [str(reason) for reason in told(facts, of) if reason.code.startswith("start-bitrate")]
    assert start == choice(facts, of).limits.start_bandwidth
    assert ([] if told_as is None else [f"start: {told_as}"]) == found


def test_a_start_rule_changes_no_profile() -> None:
    """Whatever the start rules say, the same rungs stay."""
    slow = replace(SHIPPED, start=StartRules((StartRule(When(), 1),)))
    for facts in (facts_of(), facts_of(Device(DeviceKind.PHONE)), facts_of(save_data=True)):
        usual, found = decided(facts), decided(facts, slow)
        assert usual.choice.profile == found.choice.profile
        assert sorted(usual.kept) == sorted(found.kept)
        assert 0 == found.kept[0]


def test_a_profile_that_keeps_everything() -> None:
    """Everything stays, in its order, however slow the client and whatever its device."""
    source = playlist(
        media("AUDIO", "a"),
        variant("top", 9000, "3840x2160", HEVC, "VIDEO-RANGE=PQ"),
        variant("low", 100, "426x240", more='AUDIO="a"'),
        variant("sound", 64, codecs=AAC),
        iframes("i", 99_000, "3840x2160", HEVC),
    )
    tv = Device(DeviceKind.TV, os="tvOS", capability=ABLE)
    everything = policy(Profile("all", device_limits=False))
    facts = facts_of(tv, kbps=1)
    found = decided(facts, everything, source=source)
    edit = edit_of(source, found.kept, found.choice.limits)
    assert (keep_everything(source), ()) == (edit, found.ladder_reasons)


def test_codecs_that_nothing_has() -> None:
    """The request's own codecs are an error of their own when nothing has them."""
    facts = facts_of(limits=Limits(codecs=frozenset({CodecFamily.VP9})))
    with pytest.raises(NothingToPlayError, match="vp9"):
        decided(facts)


def test_steering_keeps_its_pathway() -> None:
    """C1.1 on the way through the core: the source says where steering starts."""
    source = playlist(
        '#EXT-X-CONTENT-STEERING:SERVER-URI="s",PATHWAY-ID="B"',
        variant("a", 100, more='PATHWAY-ID="A"'),
        variant("b", 9000, more='PATHWAY-ID="B"'),
    )
    assert (1, 0) == decided(facts_of(), source=source).kept


@pytest.mark.parametrize(
    "other",
    [
        facts_of(session="another", viewer="another"),
        facts_of(place=PARIS._replace(latitude=48.2, longitude=2.9, asn=7, anonymous=True)),
        facts_of(Device(DeviceKind.DESKTOP, os="Linux", os_version="1", player="VLC", model="x")),
        facts_of(reasons=(Reason(Step.ADDRESS, "x", "192.0.2.1"),), minute_of_day=7),
        facts_of(Device(DeviceKind.TV)),
        facts_of(limits=Limits(max_height=1080, max_bitrate_kbps=2500)),
    ],
)
def test_one_key_for_a_client_class(other: Facts) -> None:
    """Sessions, neighbours and players that are served alike share both halves."""
    assert key(facts_of()) == key(other)
    assert served(decided(facts_of())) == served(decided(other))


def served(decision: Decision) -> tuple[object, ...]:
    """What a decision says, without who asked."""
    return (decision.choice, decision.kept, decision.ladder_reasons, decision.tiers)


DIFFERENT = [
    facts_of(),
    facts_of(kbps=50_000),
    facts_of(kbps=10_000),
    facts_of(kbps=5000),
    facts_of(Device(DeviceKind.PHONE)),
    facts_of(Device(DeviceKind.DESKTOP, os="tvOS")),
    facts_of(Device(DeviceKind.DESKTOP, capability=ABLE)),
    facts_of(Device(DeviceKind.DESKTOP, capability=Capability(spatial=True))),
    facts_of(Device(DeviceKind.SPEAKER, capability=Capability(screen=False))),
    facts_of(place=UNKNOWN),
    facts_of(place=NOT_LOOKED_UP),
    facts_of(place=PARIS._replace(country="BE")),
    facts_of(place=PARIS._replace(continent="AF")),
    facts_of(place=PARIS._replace(latitude=49.9)),
    facts_of(place=PARIS._replace(accuracy_km=300.0)),
    facts_of(limits=Limits(max_height=720)),
    facts_of(limits=Limits(min_height=720)),
    facts_of(limits=Limits(max_bitrate_kbps=720)),
    facts_of(limits=Limits(codecs=frozenset({CodecFamily.AVC}))),
    facts_of(limits=Limits(codecs=frozenset({CodecFamily.AVC, CodecFamily.HEVC}))),
    replace(facts_of(), asset="another"),
]


def test_a_key_for_everything_that_matters() -> None:
    """Whatever may change the answer changes the key."""
    keys = [key(facts) for facts in DIFFERENT]
    keys += [
        key(facts_of(), version="v2"),
        key(facts_of(), replace(SHIPPED, version="2")),
        key(facts_of(), replace(SHIPPED, default_profile="fiber")),
        key(facts_of(), replace(SHIPPED, rules=(Rule(When(), "wifi"),))),
        key(facts_of(), replace(SHIPPED, start=StartRules((StartRule(When(), 200),)))),
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.no_cover  # hundreds of viewers through the same few lines
def test_a_vague_place_has_a_bounded_number_of_keys() -> None:
    """Viewers of a country fall into spots, whose number is fixed."""
    keys = {key(facts_of(place=FRANCE, viewer=f"viewer-{number}")) for number in range(500)}
    assert len(keys) == 32


def test_a_key_is_pinned() -> None:
    """Every worker and every process asks the store by the same name."""
    facts = facts_of(limits=Limits(codecs=frozenset(CodecFamily)))
    assert KEYS == key(facts, policy(Profile("p", video_range=frozenset(VideoRange))))


LIMITS = (
    "None|None|None|None|av1,avc,dolby-vision,hevc,vp9|None|None|HLG,PQ,SDR|None|False|True|True"
)
KEYS = (
    f"ladder\x001\0film\0v1\0p\0None\0{LIMITS}|1|1200000|False",
    "edges\x0081ffdcdc7fc4e4af\0EU-FR:48,2:100\x000",
)


def test_reasons_tell_every_step() -> None:
    """From the facts to the edge, in order, with who set each cap."""
    device = Device(DeviceKind.TV, capability=Capability(max_height=720))
    seen = Reason(Step.DEVICE, "seen", "a television")
    facts = facts_of(device, kbps=900, limits=Limits(max_bitrate_kbps=1000), reasons=(seen,))
    assert TOLD == [str(reason) for reason in told(facts)]


TOLD = """
place: country FR, continent EU, accuracy radius 20 km [place-found]
device: a television [seen]
profile: no rule matches; the default profile wifi is used [profile-default]
ladder: at most 720p, set by the device [max-height-device]
ladder: at most 1000 kbit/s, set by the request [max-bitrate-request]
ladder: the codecs of this tv are unknown; none is removed for it [device-codecs-unknown]
start: start within 720 kbit/s, 80% of the measured 900 kbit/s [start-bitrate-speed]
ladder: at most 1000 kbit/s and 720p: 3 of 5 rungs removed [caps]
start: start on 360p at 500 kbit/s, the highest rung within the start bit rate [start-within-speed]
edge: eu-west-1 serves the continent EU, at most 895 km from the viewer's estimated location \
[edge-continent]
""".strip().splitlines()


@pytest.mark.parametrize(
    ("of", "facts", "codes"),
    [
        (SHIPPED, facts_of(Device(DeviceKind.PHONE)), ["profile-rule", "max-height-profile"]),
        (SHIPPED, facts_of(limits=Limits(max_height=360)), ["max-height-request"]),
        (SHIPPED, facts_of(), ["max-bitrate-profile", "profile-default"]),
        (policy(Profile("p", device_limits=False)), facts_of(), ["device-limits-off"]),
        (
            replace(policy(Profile("p")), rules=(Rule(When(), "p", "mine"),)),
            facts_of(Device(DeviceKind.TV, capability=ABLE)),
            ["profile-rule", "max-height-device"],
        ),
    ],
)
def test_who_set_a_limit(of: Policy, facts: Facts, codes: list[str]) -> None:
    """Rule or default, profile, device or request."""
    assert set(codes) <= {reason.code for reason in told(facts, of)}


def test_a_device_of_no_known_class_is_called_a_device() -> None:
    """Not an unknown whose codecs are unknown."""
    said = [str(reason) for reason in told(facts_of(Device(DeviceKind.UNKNOWN)))]
    text = "ladder: the codecs of this device are unknown; none is removed for it"
    assert f"{text} [device-codecs-unknown]" in said


def test_a_rule_is_shown_by_place_and_name() -> None:
    """Operators find the rule that decided."""
    facts = facts_of(Device(DeviceKind.PHONE), kbps=999)
    assert (
        "profile: rules[0] (phone, below 1 Mbit/s) matches (device = phone, speed < 1000 kbit/s); "
        "profile mobile_2g [profile-rule]"
    ) == str(told(facts)[1])


def test_edges_are_the_viewers_own() -> None:
    """One decision serves a class; which of its equal edges serves is each viewer's."""
    edges = [Edge(name, f"https://{name}.example/") for name in "abc"]
    of = policy(Profile("p"), *edges)
    firsts = {first(facts_of(viewer=f"v{n}"), of) for n in range(50)}
    assert {"a", "b", "c"} == firsts


NEAR = Edge("near", "https://near.example/", 48.9, 2.4, continents=frozenset({"EU"}))
NEXT = Edge("next", "https://next.example/", 52.5, 13.4, continents=frozenset({"EU"}))
FAR = Edge("far", "https://far.example/", 38.9, -77.4, continents=frozenset({"NA"}))
EDGES = policy(Profile("p"), NEAR, NEXT, FAR)
DOWN = EdgeCondition("down", admits=0, why="3 probes failed")
DRAINING = EdgeCondition("draining", admits=0)


@pytest.mark.parametrize(
    ("conditions", "placed_on", "order", "codes"),
    [
        ({}, None, "near next far", ["edge-continent"]),
        ({"near": DOWN}, None, "next far", ["edge-down", "edge-continent"]),
        ({"near": DOWN}, "near", "next far", ["edge-down", "edge-continent"]),
        ({}, "far", "far near next", ["edge-held"]),
        ({"near": DOWN, "next": DOWN}, None, "far", ["edge-down", "edge-down", "edge-nearest"]),
        (
            {"near": DOWN, "next": DOWN, "far": DOWN},
            None,
            "near next far",
            ["edges-all-down", "edge-continent"],
        ),
        ({"near": DRAINING}, None, "next far near", ["edge-draining", "edge-continent"]),
        ({"near": DRAINING}, "near", "near next far", ["edge-draining", "edge-held"]),
        (
            {"near": EdgeCondition(full=True)},
            None,
            "next far near",
            ["edge-full", "edge-continent"],
        ),
        ({"near": EdgeCondition(full=True)}, "near", "near next far", ["edge-full", "edge-held"]),
        ({}, "next", "next near far", ["edge-held"]),
        ({}, "gone", "near next far", ["edge-continent"]),
        ({"far": DOWN}, None, "near next", ["edge-continent"]),
    ],
)
def test_conditions_of_edges(
    conditions: dict[str, EdgeCondition], placed_on: str | None, order: str, codes: list[str]
) -> None:
    """Down is not ranked, draining and full come last, a placed session stays; and why."""
    facts = facts_of(placed_on=placed_on)
    fleet = Fleet.of(EDGES.edges, conditions)
    assert order.split() == [edge.id for edge in decided(facts, EDGES, fleet).edges]
    reasons = told(facts, EDGES, fleet)
    assert codes == [reason.code for reason in reasons if reason.step is Step.EDGE]


@pytest.mark.parametrize("other", [EdgeCondition("degraded", admits=0.5), EdgeCondition("up", 0.1)])
@pytest.mark.parametrize("out", [DRAINING, EdgeCondition(full=True)])
def test_new_sessions_go_to_a_slow_edge_rather_than_to_a_drained_one(
    out: EdgeCondition, other: EdgeCondition
) -> None:
    """A share is that of the viewers whom another edge can take; a drained edge takes none."""
    of = policy(Profile("p"), NEAR, FAR)
    fleet = Fleet.of(of.edges, {"near": out, "far": other})
    firsts = {decided(facts_of(viewer=f"v{n}"), of, fleet).edge.id for n in range(50)}
    assert {"far"} == firsts


def test_the_reason_says_what_is_the_matter() -> None:
    """With the judge's own words."""
    reasons = told(facts_of(), EDGES, Fleet.of(EDGES.edges, {"near": DOWN}))
    assert "edge: near is down (3 probes failed); passed over [edge-down]" in map(str, reasons)


FARTHER = Edge("farther", "https://farther.example/", 37.8, -122.4)
SPARE = Edge("spare", "https://spare.example/", fallback=True)
PLAIN = Edge("plain", "https://plain.example/")
TWIN = replace(NEAR, id="twin")
LOST = Place("found", "FR", "EU")


@pytest.mark.parametrize(
    ("place", "edges", "conditions", "text"),
    [
        (
            PARIS,
            [NEAR, FAR],
            {"near": DOWN},
            (
                "far is the nearest edge that is left (those that name the viewer's country or "
                "continent were passed over)"
            ),
        ),
        (
            PARIS,
            [FAR, FARTHER],
            {"far": DRAINING},
            (
                "farther is the nearest edge that is left (no edge names the viewer's country or "
                "continent)"
            ),
        ),
        (
            PARIS,
            [NEAR, SPARE],
            {"near": EdgeCondition(full=True)},
            "spare is a fallback edge (edges that are better for this place were passed over)",
        ),
        (
            LOST,
            [FAR, SPARE],
            {},
            "spare is a fallback edge (no edge names this place, which has no coordinates)",
        ),
        (
            UNKNOWN,
            [SPARE, PLAIN],
            {"spare": DOWN},
            "plain was chosen from the edges that are left (better ones were passed over)",
        ),
        (PARIS, [NEAR, TWIN], {"twin": DRAINING}, "near serves the continent EU, at most 100 km"),
        (PARIS, [NEAR], {"near": DOWN}, "near serves the continent EU, at most 100 km"),
        (PARIS, [FAR], {"far": DOWN}, "far is the nearest edge (no edge names the viewer's"),
    ],
)
def test_the_reason_for_an_edge_is_true_while_others_are_out(
    place: Place, edges: list[Edge], conditions: dict[str, EdgeCondition], text: str
) -> None:
    """It does not say that there is no better edge where there is one that was passed over, nor
    that edges had a share which take nobody."""
    found = told(facts_of(place=place), policy(Profile("p"), *edges), Fleet.of(edges, conditions))
    [said] = [one.text for one in found if one.step is Step.EDGE and one.code in CHOSEN]
    assert said.startswith(text)
    assert "equal edges" not in said


CHOSEN = ("edge-country", "edge-continent", "edge-nearest", "edge-fallback", "edge-any")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {"near": EdgeCondition()}, True),
        ({}, {"near": DOWN}, False),
        ({"near": DOWN}, {"next": DOWN}, False),
        ({}, {"near": DRAINING}, False),
        ({}, {"near": EdgeCondition(full=True)}, False),
        ({"near": EdgeCondition(admits=0.1)}, {"near": EdgeCondition(admits=0.2)}, True),
        ({"near": EdgeCondition("degraded", 0.5)}, {}, True),
    ],
)
def test_a_decision_is_keyed_by_the_fleet(
    one: dict[str, EdgeCondition], other: dict[str, EdgeCondition], same: bool
) -> None:
    """No cached decision outlives a change of who is down, closed or open; shares are applied
    afresh for each viewer, and keep it."""
    keys = [
        inquiry(facts_of(), EDGES, Fleet.of(EDGES.edges, conditions)).ranking_key
        for conditions in (one, other)
    ]
    assert same is (keys[0] == keys[1])


def test_a_memo_is_filled_and_used() -> None:
    """The second decision takes both halves from the memo, as they are."""
    memo = Memo()
    one = decide(inquiry(facts_of()), memo)
    known = inquiry(facts_of(), memo=memo)
    assert known.is_known
    other = decide(known, memo)
    assert not inquiry(facts_of(kbps=1), memo=memo).is_known
    assert served(one) == served(other)
    assert one.kept is other.kept
    assert one.tiers is other.tiers
    assert (1, 1) == (len(memo.ladders), len(memo.rankings))


def test_steering_ranks_as_decisions_do() -> None:
    """It takes the ranking of the decision before it, and leaves one for the next decision."""
    memo = Memo()
    asked = inquiry(facts_of())
    decided = decide(asked, memo)
    place, point = asked.facts.place, asked.ranking_key[2]
    assert remembered_tiers(asked.fleet, place, point, memo) is decided.tiers
    other = Memo()
    assert remembered_tiers(asked.fleet, place, point, other) == decided.tiers
    assert decide(inquiry(facts_of(), memo=other), other).tiers == decided.tiers
    assert 1 == len(other.rankings)


def test_an_edge_that_was_slow_for_the_session_is_not_its_first() -> None:
    """While another one takes the session; alone it still serves."""
    poor = facts_of(poor_edges=frozenset({"near"}))
    assert ["next", "far", "near"] == [edge.id for edge in decided(poor, EDGES).edges]
    assert ["near"] == [edge.id for edge in decided(poor, policy(Profile("p"), NEAR)).edges]


def test_edges_where_viewers_have_trouble_come_behind_all_others() -> None:
    """Also when they would not come first, when only one edge is asked for, and where a steered
    manifest names others. The reason names those that are near."""
    for poor, order in (("next", "near far next"), ("near", "next far near")):
        facts = facts_of(poor_edges=frozenset({poor, "elsewhere"}))
        several = decided(facts, EDGES)
        one = decide(replace(inquiry(facts, EDGES), edge_count=1), Memo())
        assert order.split() == [edge.id for edge in several.edges]
        assert order.split()[:1] == [edge.id for edge in one.edges]
        assert order.split() == [edge.id for edge in nearest_edges(one)]
        for decision in (several, one):
            found = [reason.text for reason in reasons_of(decision) if reason.code == "poor-edges"]
            assert [f"viewers of this network report trouble on {poor}; others come first"] == found
    facts = facts_of(poor_edges=frozenset({"elsewhere"}))
    assert "poor-edges" not in {reason.code for reason in reasons_of(decided(facts, EDGES))}


OVERRIDES = {
    "by one": ([("near", "far")], "far", "far instead of near, by the override 0"),
    "by two, one after the other": (
        [("near", "next"), ("next", "far")],
        "far",
        (
            "far instead of next, by the override 1 (100 % of the sessions) of me@here: why; "
            "next instead of near, by the override 0"
        ),
    ),
    "of another edge": ([("next", "near")], "near", "near serves the continent"),
    "of another edge, to one that is no better": (
        [("next", "far")],
        "near",
        "near serves the continent",
    ),
}


@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize(("pairs", "first", "text"), OVERRIDES.values(), ids=OVERRIDES)
def test_why_an_edge_serves_while_there_are_overrides(
    pairs: list[tuple[str, str]], first: str, text: str, count: int
) -> None:
    """The same edge and the same reason, however many edges the answer needs."""
    overrides = [
        Override(str(number), *pair, 0, WHOLE, 0, 10**9, "me@here", "why")
        for number, pair in enumerate(pairs)
    ]
    fleet = Fleet.of(EDGES.edges, overrides=overrides)
    decision = decide(replace(inquiry(facts_of(), EDGES, fleet), edge_count=count), Memo())
    assert first == decision.edge.id
    reason = next(one for one in reasons_of(decision) if one.code.startswith("edge-"))
    assert ("edge-override" if "override" in text else "edge-continent") == reason.code
    assert reason.text.startswith(text)


def test_an_override_to_an_edge_that_is_not_ranked_is_explained() -> None:
    """Also when the source is the last edge that is considered."""
    many = tuple(Edge(f"e{at}", f"https://e{at}.example/", fallback=True) for at in range(8))
    target = Edge("t", "https://t.example/", countries=frozenset({"US"}))
    of = policy(Profile("p"), *many, target)
    place = Place("found", country="NO", continent="EU")
    for count in (1, 8):
        for source in many:
            one = Override("0", source.id, "t", 0, WHOLE, 0, 10**9, "me@here", "")
            fleet = Fleet.of(of.edges, overrides=[one])
            asked = replace(inquiry(facts_of(place=place), of, fleet), edge_count=count)
            decision = decide(asked, Memo())
            at = [edge.id for edge in decision.edges].index("t") if target in decision.edges else 0
            leased = decision.with_lease(
                Leased(Placement(at, "spilled", (0,) * 16), (None,) * 16, alone=False)
            )
            codes = [reason.code for reason in reasons_of(leased)]
            assert ("edge-override" in codes) is (leased.edge is target)
            assert target in decision.edges or count == 1


def test_the_nearest_edges_of_a_decision_for_one() -> None:
    """They are looked for when somebody asks; the one that serves comes first."""
    decision = decide(replace(inquiry(facts_of(), EDGES), edge_count=1), Memo())
    assert ["near"] == [edge.id for edge in decision.edges]
    assert ["near", "next", "far"] == [edge.id for edge in nearest_edges(decision)]
    assert nearest_edges(decided(facts_of(), EDGES)) == nearest_edges(decision)
    held = replace(decision, edges=(decision.inquiry.fleet.edges[2], decision.edge))
    assert [held.edges[0].id, "near", "next"] == [edge.id for edge in nearest_edges(held)]


@pytest.mark.parametrize(
    ("index", "order"), [(0, "near next far"), (1, "next near far"), (2, "far near next")]
)
def test_the_edge_of_the_lease_comes_first(index: int, order: str) -> None:
    """The others stay in the order of preference, and reasons say what was passed over."""
    decision = decided(facts_of(kbps=6000), EDGES)
    placement = Placement(index, "spilled" if index else "first", (900, 800, 700))
    leased = decision.with_lease(Leased(placement, (1000, 1000, None), alone=False))
    assert order.split() == [edge.id for edge in leased.edges]
    assert leased.edge.id == order.split(maxsplit=1)[0]
    assert 2500 == decision.expected_kbps()
    passed = [one.text for one in reasons_of(leased) if one.code == "edge-full"]
    assert ["near", "next"][:index] == [text.split()[0] for text in passed]


@pytest.mark.parametrize(
    ("index", "outcome", "loads", "texts"),
    [
        (
            1,
            "spilled",
            (1000, 2600, 0),
            [
                "near is full (1 of 1 Mbit/s leased); passed over",
                "2.5 Mbit/s on next, 87% of its capacity used",
            ],
        ),
        (
            1,
            "spilled",
            (900, 2600, 0),
            [
                "near has no room for 2.5 Mbit/s (0.9 of 1 Mbit/s leased); passed over",
                "2.5 Mbit/s on next, 87% of its capacity used",
            ],
        ),
        (
            0,
            "over",
            (3500, 9000, 9000),
            [
                (
                    "2.5 Mbit/s on near, 350% of its capacity used, "
                    "the least loaded edge of those considered, since none has room"
                )
            ],
        ),
    ],
)
def test_room_on_edges_in_words(
    index: int, outcome: PlacementOutcome, loads: tuple[int, ...], texts: list[str]
) -> None:
    """An edge is called full only where it is; otherwise it has no room for this session."""
    decision = decided(facts_of(kbps=6000), EDGES)
    placement = Placement(index, outcome, loads)
    leased = decision.with_lease(Leased(placement, (1000, 3000, 3000), alone=False))
    found = [reason for reason in reasons_of(leased) if reason.step is Step.LEASE]
    found = [one for one in reasons_of(leased) if one.code == "edge-full"] + found
    assert texts == [reason.text for reason in found]


@pytest.mark.parametrize("device", [DESKTOP, Device(DeviceKind.PHONE)])
@pytest.mark.parametrize("kbps", [100, 900, 2900, 90_000])
def test_a_prior_moves_the_start_rung_only(device: Device, kbps: int) -> None:
    """What is known of a network selects the rung to start on. Profile, limits, rungs, and the
    share of an edge's capacity stay as they are for an unknown speed."""
    facts = facts_of(device)
    with_prior = replace(facts, throughput=Throughput(kbps, "prior"))
    unknown, found = decided(facts), decided(with_prior)
    assert unknown.choice.profile == found.choice.profile
    assert sorted(unknown.kept) == sorted(found.kept)
    assert unknown.expected_kbps() == found.expected_kbps()
    heights = {index: rung.height for index, rung in enumerate(found.inquiry.ladder.rungs)}
    within = {100: 240, 900: 360, 2900: 720, 90_000: 720 if device.kind == "phone" else 1080}
    assert within[kbps] == heights[found.kept[0]]
