"""The state of an edge by its probes: tables of probes and states."""

import pytest

from gateway.edge.fleet import UP, EdgeCondition
from gateway.edge.health import (
    CALM_S,
    NEVER_PROBED,
    HealthRecord,
    HealthThresholds,
    ProbeOutcome,
    after_probe,
    condition,
    is_default,
    probes_to_rise,
)

RULES = HealthThresholds(fall=2, rise=3, slow_s=0.4, slow_start_s=20)
OUTCOMES = {
    ".": ProbeOutcome(0.1),
    "m": ProbeOutcome(0.36),  # neither slow nor quick
    "s": ProbeOutcome(0.41),
    "x": ProbeOutcome(0.0, "connection refused"),
}


def run(
    probes: str, rules: HealthThresholds = RULES, health: HealthRecord = NEVER_PROBED
) -> tuple[str, HealthRecord]:
    """The first letter of the state after each probe, one per second, and the last record."""
    letters = ""
    for second, probe in enumerate(probes, start=1000):
        health = after_probe(health, OUTCOMES[probe], rules, float(second))
        letters += {"up": "u", "degraded": "d", "down": "D"}[health.state]
    return letters, health


@pytest.mark.parametrize(
    ("probes", "states"),
    [
        # Down after 2 failures in a row, up after 3 good ones in a row.
        ("..x.x..", "uuuuuuu"),
        ("xx", "uD"),
        ("xx..x...", "uDDDDDDu"),
        ("xx...", "uDDDu"),
        # What failed while it was down is forgiven when it is back.
        ("xxxxxxxx....", "uDDDDDDDDDuu"),
        # A slow one is degraded after 2 slow answers in a row, well after 3 quick ones in a row.
        ("s.s.", "uuuu"),
        ("ss..s...", "udddddd" + "u"),
        ("ssmmm...", "udddddd" + "u"),
        ("mmmmm", "uuuuu"),
        # It may return from down, or fall, as a slow one.
        ("xxsss", "uDDDd"),
        ("ssxx", "uddD"),
        # A patchy one: 3 of the last 10 failed; well when at most 1 of them did.
        (".x.x.x..", "uuuuuddd"),
        (".x.x.x......", "uuuuuddddddd"),
        (".x.x.x.......", "uuuuudddddddd"),
        (".x.x.x........", "uuuuuddddddddu"),
        ("x....x....x....", "uuuuuuuuuuuuuuu"),
    ],
)
def test_states(probes: str, states: str) -> None:
    """The state after each probe."""
    assert states == run(probes)[0]


@pytest.mark.parametrize(
    ("probes", "why", "since"),
    [
        ("..", "", None),
        ("xx..", "connection refused", 1001.0),
        ("xx...", "", 1004.0),
        (".ss..", "slow: answered in 410 ms", 1002.0),
        ("x.x.x.", "3 of the last 10 probes failed: connection refused", 1004.0),
    ],
)
def test_why_and_since(probes: str, why: str, since: float | None) -> None:
    """The cause and time of the state; they stay as long as the state does."""
    health = run(probes)[1]
    assert (why, since) == (health.why, health.since_s)


@pytest.mark.parametrize(
    ("elapsed_s", "admits"),
    [(-5.0, 0.1), (0.0, 0.1), (1.9, 0.1), (2.0, 0.2), (9.9, 0.5), (17.9, 0.9), (18.0, 1.0)],
)
def test_slow_start(elapsed_s: float, admits: float) -> None:
    """One tenth more after each tenth of 20 s; half of that while degraded."""
    back = run("xx...")[1]
    assert EdgeCondition("up", admits, why="was down" if admits < 1 else "", since_s=1004.0) == (
        condition(back, RULES, 1004.0 + elapsed_s)
    )
    slow = run("xxsss")[1]
    assert round(admits / 2, 3) == condition(slow, RULES, 1004.0 + elapsed_s).admits


@pytest.mark.parametrize(
    ("probes", "slow_start_s", "expected"),
    [
        ("", 20, UP),
        ("x..", 20, UP),
        ("xx...", 0, EdgeCondition(since_s=1004.0)),
        ("xx", 20, EdgeCondition("down", 0.0, why="connection refused", since_s=1001.0)),
        ("ss", 20, EdgeCondition("degraded", 0.5, why="slow: answered in 410 ms", since_s=1001.0)),
    ],
)
def test_what_follows_for_viewers(
    probes: str, slow_start_s: float, expected: EdgeCondition
) -> None:
    """An edge that was never down takes all viewers at once."""
    rules = HealthThresholds(2, 3, 0.4, slow_start_s)
    assert expected == condition(run(probes, rules)[1], rules, 1004.0)


def test_an_edge_that_keeps_falling_must_be_good_for_longer() -> None:
    """The probes that it takes to rise double with each fall, 16-fold at most; after a calm spell
    they are few again."""
    health, needed = NEVER_PROBED, []
    for _ in range(7):
        health = run("xx", health=health)[1]
        needed.append(probes_to_rise(health, RULES))
        states, health = run("." * 60, health=health)
        assert needed[-1] == states.index("u") + 1
    assert [3, 6, 12, 24, 48, 48, 48] == needed
    late = (health.returned_s or 0) + CALM_S + 1
    for _ in range(2):
        health = after_probe(health, OUTCOMES["x"], RULES, late)
    assert ("down", 3) == (health.state, probes_to_rise(health, RULES))


@pytest.mark.parametrize(
    ("probes", "now_s", "plain"),
    [
        ("..x.", 1004.0, True),
        ("xx", 1004.0, False),
        ("ss", 1004.0, False),
        ("xx...", 1005.0, False),
        ("xx...", 1004.0 + CALM_S, False),
        ("xx...", 1005.0 + CALM_S, True),
    ],
)
def test_what_needs_no_remembering(probes: str, now_s: float, plain: bool) -> None:
    """A record can be dropped when the edge is up and its last fall is long ago."""
    assert plain is is_default(run(probes)[1], RULES, now_s)
