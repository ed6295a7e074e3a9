"""The stored state of a session: its speed, and the edges from which it plays."""

from dataclasses import replace

import pytest

from gateway.client.cmcd_report import Report
from gateway.client.estimate import MAX_SAMPLES, Sample, SessionEstimate
from gateway.client.playback import KnownNames, Playback
from gateway.client.session import MAX_PLACES, SessionPlace, SessionRecord, SessionUser, asset_name
from tests.unit.client.estimating import CONFIG, remembered

NOW = 1_700_000_000.0
REFRESH_S = 900
FAST = SessionEstimate().updated(8000, "query", NOW, CONFIG)


def playing(*assets: str, edge: str = "eu-1") -> SessionRecord:
    """A session that has played these assets one after the other."""
    record = SessionRecord(FAST)
    for asset in assets:
        record = record.placed(asset, edge, NOW, REFRESH_S)
    return record


def test_a_session_knows_where_it_plays_each_asset_from() -> None:
    """Only the last few assets are kept; the oldest is dropped first."""
    assets = [f"film-{number}" for number in range(MAX_PLACES + 1)]
    record = playing(*assets)
    assert [None, *["eu-1"] * MAX_PLACES] == [record.edge_of(asset) for asset in assets]
    moved = record.placed(assets[1], "eu-2", NOW, REFRESH_S)
    assert ("eu-2", "eu-1") == (moved.edge_of(assets[1]), moved.edge_of(assets[2]))
    assert MAX_PLACES == len(moved.places)
    assert FAST == moved.estimate


@pytest.mark.parametrize(
    ("edge", "later_s", "same"),
    [
        ("eu-1", 0, True),
        ("eu-1", REFRESH_S - 1, True),
        ("eu-1", REFRESH_S, False),
        ("eu-1", -60, True),
        ("eu-1", -3600, False),
        ("eu-2", 0, False),
    ],
)
def test_a_record_is_written_again_when_it_changes_or_ages(
    edge: str, later_s: float, same: bool
) -> None:
    """A session that asks again soon needs no write."""
    record = playing("film")
    after = record.placed("film", edge, NOW + later_s, REFRESH_S)
    assert same == (after is record)
    assert edge == after.edge_of("film")


def test_what_is_not_whole_stays_so() -> None:
    """A record that was made without the store must not replace what is stored."""
    record = SessionRecord(whole=False).measured(FAST).placed("film", "eu-1", NOW, REFRESH_S)
    assert not record.whole


def test_an_id_that_is_too_long_is_not_remembered() -> None:
    """The length of an edge's id must fit in one byte."""
    assert playing("film", edge="e" * 255).edge_of("film") == "e" * 255
    assert SessionRecord(FAST) == playing("film", edge="e" * 256)


@pytest.mark.parametrize(
    "record",
    [
        SessionRecord(),
        SessionRecord(FAST),
        playing("a"),
        playing("a", "b", "c", "d", "\udcff").measured(remembered(*range(1, MAX_SAMPLES + 1))),
    ],
)
def test_what_was_stored_comes_back(record: SessionRecord) -> None:
    """A record can be written and read back, and is small."""
    data = record.to_bytes()
    assert record == SessionRecord.from_bytes(data)
    assert len(data) < 200


def test_the_layout() -> None:
    """Format, estimate, and for each place: the asset's hash, seconds, the edge's id."""
    record = SessionRecord(FAST, (SessionPlace(asset_name("film"), "eu-1", 7),))
    expected = b"\x02\x0b" + FAST.to_bytes() + asset_name("film") + b"\0\0\0\x07\x04eu-1"
    assert expected == record.to_bytes()


USER = SessionUser(7, 0x0102, 0xFF01)


def test_the_layout_with_users() -> None:
    """Format, the sizes of estimate and playback, the number of users, and the users."""
    record = SessionRecord(FAST, users=(USER,))
    users = b"\0\0\0\x07\x01\x02\xff\x01"
    assert b"\x05\x0b\0\0\x01" + FAST.to_bytes() + users == record.to_bytes()
    assert record == SessionRecord.from_bytes(record.to_bytes())


@pytest.mark.parametrize(
    ("name", "agent", "prefix", "expected"),
    [
        ("the same", "app/1.0", "192.0.2.0/24", True),
        ("roams", "app/1.0", "198.51.100.0/24", True),
        ("is updated", "app/1.1", "192.0.2.0/24", True),
        ("another", "app/1.1", "198.51.100.0/24", False),
        ("an unknown address", "app/1.0", "", True),
        ("another of an unknown address", "app/1.1", "", False),
    ],
)
def test_whose_session_it_is(name: str, agent: str, prefix: str, expected: bool) -> None:
    """By the User-Agent or the network; what is unknown is like nothing."""
    owner = SessionUser.of(b"name of a session", "app/1.0", "192.0.2.0/24", 7.0)
    user = SessionUser.of(b"name of a session", agent, prefix, 8.0)
    assert expected == SessionRecord(users=(owner,)).is_of(user)
    assert SessionRecord().is_of(user)
    unknown = owner._replace(network=0)
    assert (agent == "app/1.0") == SessionRecord(users=(unknown,)).is_of(user)


def test_the_last_users_are_remembered() -> None:
    """The same pair is remembered once, and the session's name is the salt of it."""
    users = [SessionUser(at, at, at + 1) for at in range(6)]
    record = SessionRecord()
    for user in users:
        record = record.used_by(user)
        assert record is record.used_by(user._replace(time_s=99))
    assert tuple(users[2:]) == record.users
    one, other = (SessionUser.of(salt, "app", "192.0.2.0/24", 7.0) for salt in (b"name", b"other"))
    assert one != other


def test_records_of_the_layout_before_are_read() -> None:
    """The first format, a speed estimate alone, and records with its estimates can be read."""
    estimate = bytes.fromhex("01 00001f40 0000000065540e80")
    expected = SessionRecord(SessionEstimate((Sample(0x65540E80, "cmcd", 8000),)))
    assert expected == SessionRecord.from_bytes(estimate)
    assert expected == SessionRecord.from_bytes(b"\x02\x0d" + estimate)


KNOWN = KnownNames(frozenset(), frozenset(), frozenset())
PLAYING = Report(state="p", time_ms=int(NOW * 1000))
HEARD = Playback().heard([PLAYING], NOW, KNOWN)


def test_the_layout_with_playback() -> None:
    """That of a session without users."""
    record = SessionRecord(FAST, playback=HEARD)
    data = record.to_bytes()
    assert record == SessionRecord.from_bytes(data)
    for size in range(len(data)):
        assert SessionRecord.from_bytes(data[:size]) is None


def test_what_two_workers_know_is_merged() -> None:
    """All samples, the last edge of each asset, all users; what lies in the future is dropped."""
    one = playing("a", "b").used_by(USER)
    other = SessionRecord(whole=False, playback=HEARD).placed("b", "eu-2", NOW + 9, REFRESH_S)
    other = other.used_by(SessionUser(8, 1, 2)).placed("c", "eu-3", NOW + 3600, REFRESH_S)
    both = one.merged(other, NOW, CONFIG)
    assert both == other.merged(one, NOW, CONFIG)
    assert both == both.merged(one, NOW, CONFIG) == both.merged(both, NOW, CONFIG)
    assert ["eu-1", "eu-2", None] == [both.edge_of(asset) for asset in "abc"]
    assert (FAST, HEARD, True) == (both.estimate, both.playback, both.whole)
    assert {USER, SessionUser(8, 1, 2)} == {*both.users}
    later = replace(other, estimate=FAST.updated(1, "query", NOW + 3600, CONFIG))
    assert FAST == one.merged(later, NOW, CONFIG).estimate


def test_a_session_that_nobody_has_used_is_new() -> None:
    """Whatever is known of it makes it an old one."""
    assert SessionRecord().is_new
    known = [playing(), playing("a"), SessionRecord(users=(USER,)), SessionRecord(playback=HEARD)]
    assert not any(record.is_new for record in known)
    assert SessionRecord().edge_of("a") is None


def test_reports_that_say_nothing_new_change_nothing() -> None:
    """The record that was is given back, and nothing needs to be written."""
    record = SessionRecord(FAST).heard([PLAYING], NOW, KNOWN)
    assert HEARD == record.playback
    assert record is record.heard([], NOW, KNOWN)


WHOLE = playing("a").to_bytes()
USED = SessionRecord(FAST, users=(USER,)).to_bytes()
PLACE = playing("a").to_bytes()[2 + len(FAST.to_bytes()) :]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02",
        b"\x02\x00",
        b"\x03" + WHOLE[1:],
        USED[:4],
        USED[:-1],
        USED + b"x",
        b"\x05\x0b\0\0\0" + FAST.to_bytes(),
        b"\x05\x0b\0\0\x05" + FAST.to_bytes() + 5 * USED[-8:],
        b"\x05\x0b\0\0\x02" + FAST.to_bytes() + 2 * USED[-8:],
        b"\x05\x0b\0\x01\x01" + FAST.to_bytes() + b"x" + USED[-8:],
        WHOLE[:-1],
        WHOLE + b"x",
        WHOLE + PLACE,
        SessionRecord(FAST).to_bytes()
        + b"".join(bytes([number]) + PLACE[1:] for number in range(MAX_PLACES + 1)),
        b"\x02\xff" + WHOLE[2:],
        b"\x02\x01\x09" + PLACE,
        WHOLE[:-1] + b" ",
        WHOLE[:-1] + b"\xff",
        WHOLE[:-5] + b"\x00",
    ],
)
def test_garbage_is_no_record(data: bytes) -> None:
    """Other bytes give None; nothing raises."""
    assert SessionRecord.from_bytes(data) is None
