"""What is kept of how playback goes."""

import struct

import pytest

from gateway.client.cmcd_report import Report
from gateway.client.playback import (
    CLOCK_SET_MS,
    MAX_BYTES,
    MAX_CDN_CHARS,
    MAX_CODE_CHARS,
    MAX_CODES,
    MAX_COUNT,
    MAX_TROUBLES,
    KnownNames,
    Playback,
    TroubleReport,
)
from gateway.client.session import SessionPlace, SessionRecord, asset_name

NOW_S = 1_800_000_000.0
TS_MS = 1_800_000_000_000
CODES = tuple(f"{number}".rjust(MAX_CODE_CHARS, "E") for number in range(MAX_CODES + 1))
KNOWN = KnownNames({"eu-1": 0}, frozenset({"mine", "c" * MAX_CDN_CHARS}), frozenset(CODES))
TROUBLES = tuple(
    TroubleReport(2**64 - 1 - MAX_TROUBLES + number, MAX_COUNT, MAX_COUNT)
    for number in range(MAX_TROUBLES)
)
FULL = Playback(
    time_s=0xFFFF_FFFF,
    latest=2**64 - 1,
    states=(2**64 - 1, "p"),
    cdns=(2**64 - 1, "c" * MAX_CDN_CHARS),
    delays=(2**64 - 1, 0xFFFF_FFFE),
    codes=tuple((2**64 - 1, code) for code in CODES[:MAX_CODES]),
    troubles=TROUBLES,
)


def heard(*reports: Report, before: Playback | None = None) -> Playback:
    """The playback after these reports in one batch."""
    return (before or Playback()).heard(reports, NOW_S, KNOWN)


def test_a_session() -> None:
    """Counts add up, the last state and CDN count, and the start delay stays."""
    playback = heard(
        Report(state="s", start_delay_ms=800, time_ms=TS_MS),
        Report(state="p", starved=True, cdn="eu-1", time_ms=TS_MS + 1),
    )
    playback = heard(
        Report(starved=True, errors=(CODES[0], "?"), time_ms=TS_MS + 2), before=playback
    )
    assert ("p", "eu-1", 800) == (playback.state, playback.cdn, playback.start_delay_ms)
    assert (2, 2, (CODES[0],)) == (playback.stalls, playback.errors, playback.error_codes)
    assert (int(NOW_S), 1 << 50 | TS_MS + 2) == (playback.time_s, playback.latest)


def test_what_says_nothing_changes_nothing() -> None:
    """So nothing needs to be written."""
    playback = heard(Report(state="p"))
    assert playback is heard(Report(sid="a", speed_kbps=500), before=playback)
    record = SessionRecord(playback=playback)
    assert record is record.heard((Report(speed_kbps=500),), NOW_S, KNOWN)


@pytest.mark.parametrize(
    ("time_ms", "stalls", "state"),
    [
        (TS_MS + 1, 2, "p"),
        (TS_MS, 1, "r"),
        (TS_MS - 1, 2, "r"),  # a batch that was overtaken by a later one
        (TS_MS - CLOCK_SET_MS, 2, "r"),
        (TS_MS - CLOCK_SET_MS - 1, 2, "p"),
        (0, 2, "p"),
        (None, 2, "p"),
    ],
)
def test_what_arrives_again_counts_once(time_ms: int | None, stalls: int, state: str) -> None:
    """By the player's clock, unless that was set."""
    playback = heard(Report(starved=True, state="r", time_ms=TS_MS))
    playback = heard(Report(starved=True, time_ms=time_ms, state="p"), before=playback)
    assert (stalls, state) == (playback.stalls, playback.state)


def test_a_batch_that_reached_two_workers_counts_once() -> None:
    """A player that got no answer sends it again, and perhaps to another worker."""
    before = heard(Report(starved=True, time_ms=TS_MS))
    batch = [
        Report(starved=True, time_ms=TS_MS + 1),
        Report(errors=(CODES[0],), time_ms=TS_MS + 2),
        Report(state="p", time_ms=TS_MS + 3),
    ]
    one, other = heard(*batch, before=before), heard(*batch[1:], before=before)
    assert one == one.merged(other) == other.merged(one)
    assert (2, 1) == (one.stalls, one.errors)


def test_reports_without_a_time_count_each() -> None:
    """They are in no order but that of their arrival."""
    playback = heard(Report(starved=True, state="p"), Report(starved=True, state="a"))
    playback = heard(Report(starved=True, state="k"), before=playback)
    assert (3, "k") == (playback.stalls, playback.state)


@pytest.mark.parametrize("wrong_ms", [0, -600_000, 600_000, 1 - TS_MS], ids=str)
def test_the_gateways_clock_is_not_compared_with_the_players(wrong_ms: int) -> None:
    """Requests for playlists have no time, posted reports do; each counts as it comes."""
    playback = heard(Report(state="s", cdn="eu-1", starved=True))
    timed = [("p", 5000), ("r", 5001), (None, None), ("e", 65_000), (None, None), ("f", 65_002)]
    for state, at_ms in timed:
        time_ms = None if at_ms is None else TS_MS + wrong_ms + at_ms
        report = Report(state=state or "k", cdn="mine", starved=True, time_ms=time_ms)
        playback = heard(report, before=playback)
        assert (state or "k", "mine") == (playback.state, playback.cdn)
        if at_ms is not None:
            assert playback is heard(report, before=playback)
    assert 1 + len(timed) == playback.stalls


@pytest.mark.parametrize(
    ("cdn", "kept"), [("eu-1", "eu-1"), ("mine", "mine"), ("other", None), (None, "eu-1")]
)
def test_only_known_cdns_are_kept(cdn: str | None, kept: str | None) -> None:
    """An unknown one is not, and the one before is not in use any more."""
    playback = heard(Report(cdn="eu-1"))
    assert kept == heard(Report(cdn=cdn, starved=True), before=playback).cdn


@pytest.mark.no_cover  # thousands of reports through the same few lines
def test_everything_is_bounded() -> None:
    """The newest reports of trouble stay, and the newest error codes, each once."""
    flood = [
        Report(starved=True, errors=(CODES[number % len(CODES)],) * 999, start_delay_ms=10**14)
        for number in range(1000 * len(CODES))
    ]
    playback = heard(*flood)
    assert (MAX_TROUBLES, MAX_TROUBLES * MAX_COUNT) == (playback.stalls, playback.errors)
    assert playback.start_delay_ms is None
    assert CODES[-MAX_CODES:] == playback.error_codes


def test_a_time_that_is_out_of_range_is_kept_in_range() -> None:
    """Whatever a player says, the record can be written."""
    playback = heard(Report(starved=True, time_ms=2**80))
    for _ in range(3):
        playback = heard(Report(starved=True, time_ms=0), Report(state="p"), before=playback)
    assert playback == Playback.from_bytes(playback.to_bytes())


@pytest.mark.parametrize(
    "playback", [Playback(), FULL, heard(Report(state="w")), heard(Report(errors=("?",)))]
)
def test_the_stored_form(playback: Playback) -> None:
    """It is read back, alone and in a session's record."""
    data = playback.to_bytes()
    assert len(data) <= MAX_BYTES <= 1024
    assert playback == Playback.from_bytes(data)
    place = SessionPlace(asset_name("film"), "eu-1", 5)
    record = SessionRecord(places=(place,), playback=playback)
    assert record == SessionRecord.from_bytes(record.to_bytes())


def test_garbage_is_no_record() -> None:
    """Any cut of a record, and values that no record has."""
    whole = SessionRecord(playback=FULL).to_bytes()
    assert not any(SessionRecord.from_bytes(whole[:size]) for size in range(len(whole)))
    data = heard(Report(state="p", cdn="eu-1", errors=CODES[:1], time_ms=TS_MS)).to_bytes()
    read = Playback.from_bytes(data)
    assert read is not None
    assert "eu-1" == read.cdn
    state, cdn = 20, data.index(b"eu-1")
    assert Playback.from_bytes(data[:state] + b"z" + data[state + 1 :]) is None
    assert Playback.from_bytes(data[:state] + b"\xff" + data[state + 1 :]) is None
    assert Playback.from_bytes(data[:cdn] + b"eu\n1" + data[cdn + 4 :]) is None
    assert Playback.from_bytes(data[: cdn + 4] + b"\x05" + data[cdn + 5 :]) is None
    assert Playback.from_bytes(data[: cdn + 4] + b"\x02" + data[cdn + 5 :]) is None
    assert Playback.from_bytes(data + b"x") is None
    assert Playback.from_bytes(data + data[-10:]) is None
    assert Playback.from_bytes(FULL.to_bytes() + bytes(10)) is None


def test_the_layout_before_is_read() -> None:
    """Its counts stand for one report, at the time of the newest one."""
    head = struct.pack(">IHHIQc", int(NOW_S), 3, 2, 800, TS_MS, b"p")
    before = head + b"\x04eu-1" + b"\x01E"
    record = SessionRecord.from_bytes(b"\x03\x05" + bytes([len(before)]) + b"\x02\0\0\0\0" + before)
    assert record is not None
    assert record.playback is not None
    playback = record.playback
    assert (3, 2, ("E",)) == (playback.stalls, playback.errors, playback.error_codes)
    assert ("p", "eu-1", 800) == (playback.state, playback.cdn, playback.start_delay_ms)
    assert 4 == heard(Report(starved=True, time_ms=TS_MS + 1), before=playback).stalls
    for size in range(len(before)):
        cut = b"\x03\x05" + bytes([size]) + b"\x02\0\0\0\0" + before[:size]
        found = SessionRecord.from_bytes(cut)
        assert found is None or found.playback is None or found.playback.error_codes == ()
