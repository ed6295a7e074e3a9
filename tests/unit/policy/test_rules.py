"""Rules: every condition, unknown facts, boundaries, order and default."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.rules import Match, Rule, RuleList, Subject, TimeWindow, When

NOBODY = Subject(asset="film/one", device="desktop")
SOMEBODY = Subject(
    asset="kids/one",
    device="phone",
    os="iOS",
    player="AVPlayer",
    country="IN",
    continent="AS",
    asn=64_500,
    speed_kbps=1000,
    save_data=True,
    minute_of_day=600,
)
NIGHT = TimeWindow(22 * 60, 6 * 60)


def only(*names: str) -> frozenset[str]:
    """A set of names, as the config builds it."""
    return frozenset(names)


@pytest.mark.parametrize(
    ("conditions", "of_somebody", "of_nobody"),
    [
        ({}, True, True),
        ({"device": only("phone", "tv")}, True, False),
        ({"device": only("tablet", "desktop")}, False, True),
        ({"os": only("ios", "ipados")}, True, False),
        ({"os": only("android")}, False, False),
        ({"player": only("avplayer")}, True, False),
        ({"player": only("vlc")}, False, False),
        ({"country": only("IN", "BD")}, True, False),
        ({"country": only("BD")}, False, False),
        ({"continent": only("AS")}, True, False),
        ({"continent": only("EU")}, False, False),
        ({"asn": frozenset({64_500})}, True, False),
        ({"asn": frozenset({64_501})}, False, False),
        ({"save_data": True}, True, False),
        ({"save_data": False}, False, True),
        ({"asset_prefix": ("news/", "kids/")}, True, False),
        ({"asset_prefix": ("ids/",)}, False, False),
        ({"time_of_day": (TimeWindow(0, 1), TimeWindow(600, 601))}, True, True),
        ({"time_of_day": (NIGHT,)}, False, True),
        ({"speed_known": True}, True, False),
        ({"speed_known": False}, False, True),
        ({"speed_below_kbps": 1001}, True, False),
        ({"speed_at_least_kbps": 1000}, True, False),
        ({"speed_above_kbps": 999}, True, False),
        ({"device": only("phone"), "country": only("IN"), "speed_below_kbps": 2000}, True, False),
        ({"device": only("phone"), "country": only("US")}, False, False),
    ],
)
def test_every_condition(conditions: dict[str, Any], of_somebody: bool, of_nobody: bool) -> None:
    """All conditions must hold; a condition on an unknown fact does not."""
    nobody = replace(NOBODY, minute_of_day=0)
    when = When(**conditions)
    assert (of_somebody, of_nobody) == (when.holds(SOMEBODY), when.holds(nobody))


@pytest.mark.parametrize(
    ("conditions", "speed", "expected"),
    [
        ({"speed_below_kbps": 1000}, 999, True),
        ({"speed_below_kbps": 1000}, 1000, False),
        ({"speed_at_least_kbps": 1000}, 999, False),
        ({"speed_at_least_kbps": 1000}, 1000, True),
        ({"speed_above_kbps": 1000}, 1000, False),
        ({"speed_above_kbps": 1000}, 1001, True),
        ({"speed_at_least_kbps": 10, "speed_below_kbps": 20}, 10, True),
        ({"speed_at_least_kbps": 10, "speed_below_kbps": 20}, 20, False),
        ({"speed_above_kbps": 0}, None, False),
        ({"speed_at_least_kbps": 0}, None, False),
        ({"speed_below_kbps": 10**9}, None, False),
        ({"speed_known": False, "speed_below_kbps": 10**9}, None, False),
        ({"speed_known": True, "speed_below_kbps": 1000}, 999, True),
        ({"speed_known": False}, None, True),
        ({"speed_known": True}, 0, True),
    ],
)
def test_speed_boundaries(conditions: dict[str, Any], speed: int | None, expected: bool) -> None:
    """Below and above exclude the bound, at least includes it; none holds without a speed."""
    assert expected == When(**conditions).holds(replace(NOBODY, speed_kbps=speed))


@pytest.mark.parametrize(
    ("window", "minutes", "expected"),
    [
        (TimeWindow(60, 120), (59, 60, 119, 120), (False, True, True, False)),
        (NIGHT, (1319, 1320, 1439, 0, 359, 360), (False, True, True, True, True, False)),
        (TimeWindow(60, 60), (59, 60, 61), (False, False, False)),
    ],
)
def test_windows(window: TimeWindow, minutes: tuple[int, ...], expected: tuple[bool, ...]) -> None:
    """The end is not in the window, and a window may go past midnight."""
    assert expected == tuple(window.holds(minute) for minute in minutes)


def test_the_first_rule_that_holds_wins() -> None:
    """The order decides, not how specific a rule is."""
    rules = [
        Rule(When(country=only("US")), "american"),
        Rule(When(device=only("phone")), "phone"),
        Rule(When(device=only("phone"), country=only("IN")), "narrower"),
        Rule(When(), "rest"),
    ]
    assert Match("phone", 1) == RuleList(rules).first_match(SOMEBODY, "default")
    assert Match("rest", 3) == RuleList(rules).first_match(NOBODY, "default")


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ({"asset": "kids/tv/1", "speed_kbps": 400}, 0),
        ({"asset": "kids/tv/1", "speed_kbps": 600}, 1),
        ({"asset": "kids/2", "speed_kbps": 600}, 2),
        ({"asset": "kids/2"}, 2),
        ({"asset": "news", "os": "iOS"}, 3),
        ({"asset": "news", "os": "iOS", "save_data": True}, 3),
        ({"asset": "news", "save_data": True}, 4),
        ({"asset": "news", "minute_of_day": 30}, 5),
        ({"asset": "news", "minute_of_day": 90}, 6),
        ({"asset": "news", "minute_of_day": 90, "speed_kbps": 1.0}, 8),
        ({"asset": "news", "player": "VLC", "speed_kbps": 1.0}, 7),
    ],
)
def test_every_condition_is_found_by_the_index(subject: dict[str, Any], expected: int) -> None:
    """Rules under different conditions of the index are still tried in their order."""
    rules = [
        Rule(When(asset_prefix=("kids/",), speed_below_kbps=500), "slow"),
        Rule(When(asset_prefix=("kids/tv/", "toons/")), "toons"),
        Rule(When(asset_prefix=("kids/",)), "kids"),
        Rule(When(os=only("ios")), "ios"),
        Rule(When(save_data=True), "saving"),
        Rule(When(time_of_day=(TimeWindow(0, 60),)), "night"),
        Rule(When(speed_known=False), "unknown"),
        Rule(When(player=only("vlc")), "vlc"),
        Rule(When(), "rest"),
    ]
    noon = replace(NOBODY, minute_of_day=720)
    found = RuleList(rules).first_match(replace(noon, **subject), "default")
    assert Match(rules[expected].profile, expected) == found


def test_without_a_match_the_default_serves() -> None:
    """Without a rule that holds: the default profile, and no position."""
    rule = Rule(When(device=only("tv")), "tv")
    assert Match("default", None) == RuleList([rule]).first_match(NOBODY, "default")
    assert Match("default", None) == RuleList([]).first_match(NOBODY, "default")


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (When(), "everyone"),
        (When(device=only("tv", "phone")), "device = phone | tv"),
        (
            When(os=only("ios"), player=only("vlc"), country=only("IN"), continent=only("AS")),
            "os = ios, player = vlc, country = IN, continent = AS",
        ),
        (
            When(asn=frozenset({7}), asset_prefix=("a/",), time_of_day=(NIGHT,)),
            "asn = 7, asset_prefix = a/, time_of_day = 22:00-06:00",
        ),
        (
            When(speed_below_kbps=3, speed_at_least_kbps=1, speed_above_kbps=0),
            "speed < 3 kbit/s, speed >= 1 kbit/s, speed > 0 kbit/s",
        ),
        (When(speed_known=False, save_data=True), "speed_known = false, save_data = true"),
    ],
)
def test_conditions_in_words(when: When, expected: str) -> None:
    """Conditions are shown in reasons in a short form."""
    assert expected == str(when)


_texts = st.sampled_from(["a", "b", "A", "c", None])
_nothing = st.none()  # most conditions are left out, so that some rules hold
_wanted = _nothing | _nothing | _nothing | st.frozensets(st.sampled_from(["a", "b"]), max_size=2)
_speeds = st.none() | st.sampled_from([500, 1000, 1500])
_prefixes = st.sampled_from(["", "film/", "film/1", "live"])
_rules = st.lists(
    st.builds(
        Rule,
        st.builds(
            When,
            device=_wanted,
            os=_wanted,
            player=_wanted,
            country=_wanted,
            continent=_wanted,
            asn=st.none() | st.frozensets(st.integers(1, 2), max_size=1),
            speed_below_kbps=_speeds,
            speed_above_kbps=_speeds,
            speed_known=st.none() | st.booleans(),
            save_data=st.none() | st.booleans(),
            ect=_wanted,
            asset_prefix=st.none() | st.lists(_prefixes, max_size=2).map(tuple),
            time_of_day=st.none() | st.just((TimeWindow(0, 60),)),
        ),
        st.sampled_from(["p", "q"]),
    ),
    max_size=8,
)
_subjects = st.builds(
    Subject,
    asset=st.sampled_from(["film/1", "film/2", "live", "news"]),
    device=st.sampled_from(["a", "b", "c"]),
    os=_texts,
    player=_texts,
    country=_texts,
    continent=_texts,
    asn=st.none() | st.integers(1, 2),
    speed_kbps=_speeds,
    save_data=st.booleans(),
    ect=_texts,
    minute_of_day=st.sampled_from([0, 60]),
)


@given(_rules, st.lists(_subjects, max_size=6))
def test_the_index_changes_nothing(rules: list[Rule], subjects: list[Subject]) -> None:
    """The first rule that holds is the same as by testing every rule in order."""
    rule_list = RuleList(rules)
    for subject in subjects:
        expected = next(
            (Match(rule.profile, at) for at, rule in enumerate(rules) if rule.when.holds(subject)),
            Match("default", None),
        )
        assert expected == rule_list.first_match(subject, "default")
