"""Laws of session records: several workers may write one, and merge what they know."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.client.cmcd_report import Report
from gateway.client.estimate import SampleSource
from gateway.client.playback import CLOCK_SET_MS, KnownNames
from gateway.client.session import SessionRecord, SessionUser
from tests.unit.client.estimating import CONFIG

NOW = 1_800_000_000
KNOWN = KnownNames(("eu-0", "eu-1"), frozenset({"x"}), frozenset("ABCDEF"))
SOURCES: list[SampleSource] = ["query", "cmcd", "steering", "probe", "hints"]

seconds = st.integers(-5000, 200)
times = st.none() | st.integers(-90, 90) | st.sampled_from([-2 * CLOCK_SET_MS, 2 * CLOCK_SET_MS])
reports = st.builds(
    Report,
    time_ms=times.map(lambda ms: None if ms is None else NOW * 1000 + ms),
    starved=st.booleans(),
    state=st.sampled_from([None, "p", "r", "a"]),
    start_delay_ms=st.none() | st.integers(0, 9),
    cdn=st.sampled_from([None, "eu-0", "x", "unknown"]),
    errors=st.lists(st.sampled_from("ABCDEFG"), max_size=3).map(tuple),
)
events = st.one_of(
    st.tuples(seconds, st.sampled_from(SOURCES), st.integers(1, 9999)),
    st.tuples(seconds, st.sampled_from("abcdef"), st.sampled_from(["eu-0", "eu-1"])),
    st.tuples(seconds, st.lists(reports, max_size=50)),
    st.builds(SessionUser, seconds.map(lambda at_s: NOW + at_s), st.just(1), st.integers(0, 5)),
)


def after(record: SessionRecord, happened: Sequence[tuple[object, ...]]) -> SessionRecord:
    """The record of a worker that saw this happen."""
    for event in happened:
        match event:
            case SessionUser():
                record = record.used_by(event)
            case (int(at_s), list(heard)):
                record = record.heard(heard, NOW + at_s, KNOWN)
            case (int(at_s), str(source), int(kbps)) if source in SOURCES:
                estimate = record.estimate.updated(kbps, source, NOW + at_s, CONFIG)
                record = record.measured(estimate)
            case (int(at_s), str(asset), str(edge)):
                record = record.placed(asset, edge, NOW + at_s, 60)
    return record


def merged(one: SessionRecord, other: SessionRecord) -> SessionRecord:
    """What both know now."""
    return one.merged(other, NOW, CONFIG)


records = st.lists(events, max_size=12).map(lambda happened: after(SessionRecord(), happened))


@given(records, records, records)
def test_merging_is_a_join(one: SessionRecord, two: SessionRecord, three: SessionRecord) -> None:
    """Commutative, associative and idempotent; and the result can be stored."""
    both = merged(one, two)
    assert both == merged(two, one)
    assert merged(both, three) == merged(one, merged(two, three))
    assert both == merged(both, both) == merged(both, one) == merged(two, both)
    assert both == SessionRecord.from_bytes(both.to_bytes())


timed = st.builds(
    Report,
    time_ms=st.integers(-90, 90).map(lambda ms: NOW * 1000 + ms),
    starved=st.booleans(),
    errors=st.lists(st.sampled_from("ABCDEFG"), max_size=3).map(tuple),
)
past = st.integers(-5000, 0)
seen = st.one_of(
    st.tuples(past, st.sampled_from(SOURCES), st.integers(1, 9999)),
    st.tuples(past, st.lists(timed, max_size=20)),
)


@given(st.lists(st.tuples(st.sampled_from([{0}, {1}, {0, 1}]), seen), max_size=12))
def test_two_workers_know_what_one_would(
    happened: list[tuple[set[int], tuple[object, ...]]],
) -> None:
    """Each sees a part of what happens, and some of it both. Merged, they know what a worker knows
    that has seen everything. When a report came last may differ: one that a worker has heard
    before changes nothing, but it is new to another."""
    in_time = sorted(happened, key=lambda one: one[1][0])  # type: ignore[arg-type,return-value]
    one, other, everything = (
        after(SessionRecord(), [event for who, event in in_time if who & whose])
        for whose in ({0}, {1}, {0, 1})
    )
    expected, found = everything.merged(everything, NOW, CONFIG), merged(one, other)
    if expected.playback is not None and found.playback is not None:
        assert expected.playback.time_s <= found.playback.time_s
        found = replace(found, playback=replace(found.playback, time_s=expected.playback.time_s))
    assert expected == found
