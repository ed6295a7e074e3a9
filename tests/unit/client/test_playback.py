"""What is kept of how playback goes."""

import pytest

from gateway.client.cmcd_report import Report
from gateway.client.playback import (
    CLOCK_SET_MS,
    MAX_BYTES,
    MAX_CDN_CHARS,
    MAX_CODE_CHARS,
    MAX_CODES,
    MAX_COUNT,
    KnownNames,
    Playback,
)
from gateway.client.session import SessionPlace, SessionRecord, asset_name

NOW_S = 1_800_000_000.0
TS_MS = 1_800_000_000_000
CODES = tuple(f"{number}".rjust(MAX_CODE_CHARS, "E") for number in range(MAX_CODES + 1))
KNOWN = KnownNames({"eu-1": 0}, frozenset({"mine", "c" * MAX_CDN_CHARS}), frozenset(CODES))
FULL = Playback(
    time_s=0xFFFF_FFFF,
    latest_ms=2**64 - 1,
    state="p",
    cdn="c" * MAX_CDN_CHARS,
    stalls=MAX_COUNT,
    errors=MAX_COUNT,
    error_codes=CODES[:MAX_CODES],
    start_delay_ms=0xFFFF_FFFE,
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
    expected = Playback(int(NOW_S), TS_MS + 2, "p", "eu-1", 2, 2, (CODES[0],), 800)
    assert expected == playback


def test_what_says_nothing_changes_nothing() -> None:
    """So nothing needs to be written."""
    playback = heard(Report(state="p"))
    assert playback is heard(Report(sid="a", speed_kbps=500), before=playback)
    record = SessionRecord(playback=playback)
    assert record is record.heard((Report(speed_kbps=500),), NOW_S, KNOWN)


@pytest.mark.parametrize(
    ("time_ms", "stalls"),
    [
        (TS_MS + 1, 2),
        (TS_MS, 1),
        (TS_MS - CLOCK_SET_MS, 1),
        (TS_MS - CLOCK_SET_MS - 1, 2),
        (0, 2),
        (None, 2),
    ],
)
def test_what_arrives_again_counts_once(time_ms: int | None, stalls: int) -> None:
    """By the player's clock, unless that was set."""
    playback = heard(Report(starved=True, time_ms=TS_MS))
    assert stalls == heard(Report(starved=True, time_ms=time_ms), before=playback).stalls


@pytest.mark.parametrize(
    ("cdn", "kept"), [("eu-1", "eu-1"), ("mine", "mine"), ("other", None), (None, "eu-1")]
)
def test_only_known_cdns_are_kept(cdn: str | None, kept: str | None) -> None:
    """An unknown one is not, and the one before is not in use any more."""
    playback = heard(Report(cdn="eu-1"))
    assert kept == heard(Report(cdn=cdn, starved=True), before=playback).cdn


def test_everything_is_bounded() -> None:
    """Counts end, and the newest error codes stay, each once."""
    flood = [Report(starved=True, errors=CODES, start_delay_ms=10**14)] * (MAX_COUNT + 2)
    playback = heard(*flood)
    assert (MAX_COUNT, MAX_COUNT, None) == (
        playback.stalls,
        playback.errors,
        playback.start_delay_ms,
    )
    assert CODES[-MAX_CODES:] == playback.error_codes


@pytest.mark.parametrize(
    "playback", [Playback(), FULL, heard(Report(state="w")), heard(Report(errors=("?",)))]
)
def test_the_stored_form(playback: Playback) -> None:
    """It is read back, alone and in a session's record."""
    data = playback.to_bytes()
    assert len(data) <= MAX_BYTES <= 255
    assert playback == Playback.from_bytes(data)
    place = SessionPlace(asset_name("film"), "eu-1", 5)
    record = SessionRecord(places=(place,), playback=playback)
    assert record == SessionRecord.from_bytes(record.to_bytes())


def test_garbage_is_no_record() -> None:
    """Any cut of a record, and values that no record has."""
    whole = SessionRecord(playback=FULL).to_bytes()
    assert not any(SessionRecord.from_bytes(whole[:size]) for size in range(len(whole)))
    data = FULL.to_bytes()
    assert Playback.from_bytes(data[:20] + b"z" + data[21:]) is None
    assert Playback.from_bytes(data[:20] + b"\xff" + data[21:]) is None
    assert Playback.from_bytes(data[:21] + b"\x02a\n") is None
    assert Playback.from_bytes(data[:21] + b"\x00" + b"\x01a" * (MAX_CODES + 1)) is None
    assert Playback.from_bytes(data[:21] + b"\x00\x00") is None
    assert Playback.from_bytes(data + b"x" * MAX_BYTES) is None
