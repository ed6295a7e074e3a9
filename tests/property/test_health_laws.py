"""Laws of an edge's health record and of its stored form."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import Clock
from gateway.edge.health import (
    NEVER_PROBED,
    HealthRecord,
    HealthThresholds,
    ProbeOutcome,
    after_probe,
    condition,
)
from gateway.edge.live import LivePosition
from gateway.store.coordination.health_board import Finding, decode_findings, encode_findings

CLOCK = Clock(lambda: 2.0**31, lambda: 2.0**31)
positions = st.integers(0, 2**64 - 1).flatmap(
    lambda first: st.builds(
        LivePosition,
        st.just(first),
        st.integers(first - 1, min(first + 99, 2**64 - 1)),
        st.just(5.25),
    )
)
rules_strategy = st.builds(
    HealthThresholds,
    fall=st.integers(1, 5),
    rise=st.integers(1, 5),
    slow_s=st.just(0.4),
    slow_start_s=st.sampled_from([0.0, 10.0, 60.0]),
)
outcomes = st.builds(
    ProbeOutcome, st.sampled_from([0.1, 0.35, 0.9]), st.sampled_from(["", "", "no"])
)
steps = st.lists(st.tuples(outcomes, st.floats(0, 400)), max_size=80)


def trace(
    rules: HealthThresholds, probes: list[tuple[ProbeOutcome, float]]
) -> list[tuple[HealthRecord, float]]:
    """The record after each probe, and when the probe ended."""
    health, now_s, found = NEVER_PROBED, 1000.0, []
    for outcome, pause_s in probes:
        now_s += pause_s
        health = after_probe(health, outcome, rules, now_s)
        found.append((health, now_s))
    return found


@given(rules_strategy, steps)
def test_an_edge_changes_its_state_for_a_reason(
    rules: HealthThresholds, probes: list[tuple[ProbeOutcome, float]]
) -> None:
    """It goes down with the ``fall``-th failure in a row, exactly; it comes back from down only
    after ``rise`` good probes in a row at least; it takes viewers unless it is down."""
    before = NEVER_PROBED
    failed = good = 0
    for (outcome, _), (health, now_s) in zip(probes, trace(rules, probes), strict=True):
        failed, good = (failed + 1, 0) if outcome.failure else (0, good + 1)
        falls = before.state != "down" and failed >= rules.fall
        assert falls is (before.state != "down" and health.state == "down")
        if before.state == "down" != health.state:
            assert good >= rules.rise
        assert (health.state == "down") is (condition(health, rules, now_s).admits == 0)
        before = health


@given(rules_strategy, steps, st.lists(st.floats(0, 200), max_size=10))
def test_a_share_only_grows_with_time(
    rules: HealthThresholds, probes: list[tuple[ProbeOutcome, float]], pauses: list[float]
) -> None:
    """Without new probes, the share of viewers that an edge takes never gets smaller."""
    found = trace(rules, probes) or [(NEVER_PROBED, 1000.0)]
    health, now_s = found[-1]
    shares = []
    for pause_s in [0.0, *pauses]:
        now_s += pause_s
        shares.append(condition(health, rules, now_s).admits)
    assert sorted(shares) == shares


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8),
        st.builds(
            Finding,
            st.integers(0, 2**32 - 1),
            st.builds(
                HealthRecord,
                st.sampled_from(["up", "degraded", "down"]),
                st.sampled_from(["", "HTTP 503", "slow: answered in 410 ms"]),
                since_s=st.none() | st.integers(0, 2**31).map(float),
                returned_s=st.none() | st.integers(0, 2**31).map(float),
                falls=st.integers(0, 1000),
            ),
            st.none() | positions,
        ),
        max_size=5,
    )
)
def test_what_is_shared_is_read_as_it_was(findings: dict[str, Finding]) -> None:
    """What was written can be read back unchanged."""
    found = decode_findings(encode_findings(findings, CLOCK), CLOCK)
    assert found is not None
    assert (findings, 0) == (found.by_edge, found.faults)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=11) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=30,
)
ROW = st.lists(
    st.sampled_from(["e", "up", "down", "", "\x1b", 7, -7, 1.5, 10**400, True, None, float("nan")]),
    min_size=10,
    max_size=10,
)


@given(st.binary(max_size=50) | JSON.map(lambda v: json.dumps(v).encode()) | ROW.map(
    lambda row: json.dumps([row]).encode()
))  # fmt: skip
def test_garbage_is_never_believed(value: bytes) -> None:
    """Any bytes in Redis give records or None, and never raise."""
    found = decode_findings(value, CLOCK)
    for finding in {} if found is None else found.by_edge.values():
        shown = condition(finding.health, HealthThresholds(2, 2, 0.4, 30), 1e9)
        assert (True, True) == (0 <= shown.admits <= 1, shown.why.isprintable())
