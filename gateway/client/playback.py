"""How does playback go, as the player reports it? What is kept of it with the session.

Of each report (CMCD ``sta``, ``cdn``, ``bs``, ``msd`` and ``ec``, CTA-5004 version 2) only this is
kept: one of the standard's states, counts, one duration, and those names of CDNs and error codes
that the operator has listed. No other text of a player is kept.

A report is identified by its time by the player's own clock. A player sends a batch again when it
does not know whether the first one arrived, perhaps to another worker. So everything is kept with
the time of its report, and the playback is a function of the *set* of reports: it does not depend
on the order in which they arrive, and one that arrives twice counts once. Workers may therefore
merge what they know (:meth:`Playback.merged`).
"""

import re
import struct
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from gateway.client.cmcd import TOKENS
from gateway.client.cmcd_report import Report

MAX_CODES: Final = 4
"""The most error codes that are kept of a session: the newest, each once."""
MAX_CODE_CHARS: Final = 32
MAX_CDN_CHARS: Final = 64
MAX_TROUBLES: Final = 32
"""The most reports of a stall or an error that are kept of a session: the newest."""
MAX_COUNT: Final = 0xFF
"""The most stalls, and the most errors, that one report counts for."""
CLOCK_SET_MS: Final = 3_600_000
"""A report that seems to be this much older than the newest one comes from a player whose clock
was set."""

_TIME_BITS: Final = 50
_MAX_TIME_MS: Final = (1 << _TIME_BITS) - 1
_MAX_STAMP: Final = (1 << 64) - 1
_HEAD: Final = struct.Struct(">IQQcQIQB")
_CODE: Final = struct.Struct(">QB")
_TROUBLE: Final = struct.Struct(">QBB")
_NO_DELAY: Final = 0xFFFF_FFFF
_NO_STATE: Final = "-"
_TEXT: Final = re.compile(r"[!-~]+")
MAX_BYTES: Final = (
    _HEAD.size
    + MAX_CDN_CHARS
    + 1
    + MAX_CODES * (_CODE.size + MAX_CODE_CHARS)
    + MAX_TROUBLES * _TROUBLE.size
)
"""The most bytes of the stored form."""

_PREVIOUS_HEAD: Final = struct.Struct(">IHHIQc")
_PREVIOUS_MAX_BYTES: Final = 219


class KnownNames(NamedTuple):
    """The text that may be kept: ids of edges, and what ``[cmcd]`` of the configuration lists."""

    edges: Container[str]
    cdns: frozenset[str]
    error_codes: frozenset[str]


class TroubleReport(NamedTuple):
    """A report of stalls or errors: its stamp, and how many."""

    at: int
    stalls: int
    errors: int


@dataclass(frozen=True, slots=True)
class Playback:
    """What the player of one session has reported.

    ``time_s`` is when the last report came that was new to its worker, in whole seconds since 1970.
    The other times are *stamps*: the time of a report in ms since 1970 by the player's own clock,
    in the lower 50 bits, and above them 1, and 1 more for each time that this clock was set back.
    Until a report has a time, stamps are by the gateway's clock, with 0 above; the two clocks are
    never compared. ``latest`` is the newest stamp, 0 without a report.

    ``states`` is the last ``sta`` with its stamp, ``cdns`` the last ``cdn`` (empty when the
    operator does not know it), ``delays`` the last ``msd``. ``codes`` are the last known error
    codes, and ``troubles`` the last reports of a stall or an error, both in order of their stamps.
    """

    time_s: int = 0
    latest: int = 0
    states: tuple[int, str] = (0, _NO_STATE)
    cdns: tuple[int, str] = (0, "")
    delays: tuple[int, int] = (0, _NO_DELAY)
    codes: tuple[tuple[int, str], ...] = ()
    troubles: tuple[TroubleReport, ...] = ()

    @property
    def state(self) -> str | None:
        """The last ``sta``: ``s`` starting, ``p`` playing, ``k`` seeking, ``r`` rebuffering, ``a``
        paused, ``w`` waiting, ``e`` ended, ``f`` fatal error, ``q`` quit, ``d`` preloading."""
        return None if self.states[1] == _NO_STATE else self.states[1]

    @property
    def cdn(self) -> str | None:
        """The last CDN that was named; None when the operator does not know it."""
        return self.cdns[1] or None

    @property
    def start_delay_ms(self) -> int | None:
        """The last media start delay."""
        return None if self.delays[1] == _NO_DELAY else self.delays[1]

    @property
    def error_codes(self) -> tuple[str, ...]:
        """The last known error codes, the newest at the end."""
        return tuple([code for _, code in self.codes])

    @property
    def stalls(self) -> int:
        """The number of stalls in the last ``MAX_TROUBLES`` reports of trouble."""
        return sum([trouble.stalls for trouble in self.troubles])

    @property
    def errors(self) -> int:
        """The number of error codes in the last ``MAX_TROUBLES`` reports of trouble."""
        return sum([trouble.errors for trouble in self.troubles])

    def heard(self, reports: Sequence[Report], now_s: float, known: KnownNames) -> Self:
        """The playback after reports that came together, at ``now_s`` (seconds since 1970), in the
        order in which they were sent. The same object when they say nothing new."""
        latest, states, cdns, delays = self.latest, self.states, self.cdns, self.delays
        codes: list[tuple[int, str]] = []
        troubles: list[TroubleReport] = []
        for report in reports:
            if not _says_something(report):
                continue
            at = _stamp(report.time_ms, latest, now_s)
            latest = max(latest, at)
            if report.state:
                states = max(states, (at, report.state))
            if report.cdn is not None:
                kept = report.cdn in known.edges or report.cdn in known.cdns
                cdns = max(cdns, (at, report.cdn if kept and _is_short(report.cdn) else ""))
            if report.start_delay_ms is not None and report.start_delay_ms < _NO_DELAY:
                delays = max(delays, (at, report.start_delay_ms))
            if report.starved or report.errors:
                errors = min(len(report.errors), MAX_COUNT)
                troubles.append(TroubleReport(at, int(report.starved), errors))
                codes += [(at, code) for code in report.errors if code in known.error_codes]
        newest_codes = _newest_codes(self.codes, codes) if codes else self.codes
        newest_troubles = _newest_troubles(self.troubles, troubles) if troubles else self.troubles
        if (
            latest == self.latest
            and (states, cdns, delays) == (self.states, self.cdns, self.delays)
            and (newest_codes, newest_troubles) == (self.codes, self.troubles)
        ):
            return self
        return type(self)(int(now_s), latest, states, cdns, delays, newest_codes, newest_troubles)

    def merged(self, other: "Playback") -> Self:
        """The playback after the reports of both. Commutative, associative and idempotent."""
        return type(self)(
            max(self.time_s, other.time_s),
            max(self.latest, other.latest),
            max(self.states, other.states),
            max(self.cdns, other.cdns),
            max(self.delays, other.delays),
            _newest_codes(self.codes, other.codes),
            _newest_troubles(self.troubles, other.troubles),
        )

    def to_bytes(self) -> bytes:
        """The stored form, at most ``MAX_BYTES``.

        Big-endian: ``time_s`` (4 bytes), ``latest`` (8), the stamp of the state (8) and the state
        (1, ``-`` without one), the stamp of the start delay (8) and the delay (4, all ones without
        one), the stamp of the CDN (8) and the number of its bytes (1), and the CDN. Then the number
        of error codes (1), and for each its stamp (8), the number of its bytes (1), and the code.
        Then for each report of trouble its stamp (8), and the numbers of stalls and of errors (1
        each).
        """
        cdn = self.cdns[1].encode("ascii")
        state = self.states[1].encode("ascii")
        head = (self.time_s, self.latest, self.states[0], state, *self.delays, self.cdns[0])
        parts = [_HEAD.pack(*head, len(cdn)), cdn, bytes([len(self.codes)])]
        for at, code in self.codes:
            parts += (_CODE.pack(at, len(code)), code.encode("ascii"))
        parts += [_TROUBLE.pack(*trouble) for trouble in self.troubles]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what ``to_bytes`` wrote; None for anything else, because a store may hold
        garbage."""
        if not _HEAD.size < len(data) <= MAX_BYTES:
            return None
        *times, state_at, letter, delay_at, delay, cdn_at, size = _HEAD.unpack_from(data)
        state, end = letter.decode("latin-1"), _HEAD.size + size
        cdn = data[_HEAD.size : end].decode("latin-1")
        codes = _codes(data[end:])
        if (
            (state != _NO_STATE and state not in TOKENS["sta"])
            or (cdn and not (_TEXT.fullmatch(cdn) and _is_short(cdn)))
            or len(cdn) != size
            or codes is None
        ):
            return None
        found, rest = codes
        if len(rest) % _TROUBLE.size or len(rest) > MAX_TROUBLES * _TROUBLE.size:
            return None
        troubles = tuple([TroubleReport(*trouble) for trouble in _TROUBLE.iter_unpack(rest)])
        time_s, latest = times
        kept = (found, troubles)
        read = cls(time_s, latest, (state_at, state), (cdn_at, cdn), (delay_at, delay), *kept)
        in_order = not (found or troubles) or read == read.merged(read)
        return read if in_order else None

    @classmethod
    def from_previous(cls, data: bytes) -> Self | None:
        """Read the form before this one, which had counts, and one time for everything."""
        if not _PREVIOUS_HEAD.size < len(data) <= _PREVIOUS_MAX_BYTES:
            return None
        time_s, stalls, errors, delay, latest_ms, letter = _PREVIOUS_HEAD.unpack_from(data)
        texts = _texts(data[_PREVIOUS_HEAD.size :])
        state = letter.decode("latin-1")
        known = state == _NO_STATE or state in TOKENS["sta"]
        if texts is None or not known or len(texts) > 1 + MAX_CODES:
            return None
        at = min(latest_ms, _MAX_TIME_MS)
        counts = min(stalls, MAX_COUNT), min(errors, MAX_COUNT)
        return cls(
            time_s,
            at,
            (at, state),
            (at, texts[0]),
            (at, delay),
            tuple(sorted({(at, code) for code in texts[1:]})),
            (TroubleReport(at, *counts),) if any(counts) else (),
        )


def _stamp(time_ms: int | None, latest: int, now_s: float) -> int:
    """The stamp of a report. One without a time counts as newer than all others, and the first one
    with a time as newer than those without."""
    times_set = latest >> _TIME_BITS
    if time_ms is None:
        at = latest + 1 if times_set else max(latest + 1, int(now_s * 1000))
        return min(_MAX_STAMP, at)
    time_ms = min(time_ms, _MAX_TIME_MS)
    if not times_set or time_ms < (latest & _MAX_TIME_MS) - CLOCK_SET_MS:
        times_set += 1
    return min(_MAX_STAMP, times_set << _TIME_BITS | time_ms)


def _newest_codes(
    known: Iterable[tuple[int, str]], others: Iterable[tuple[int, str]]
) -> tuple[tuple[int, str], ...]:
    newest: dict[str, int] = {}
    for at, code in (*known, *others):
        newest[code] = max(at, newest.get(code, 0))
    return tuple(sorted([(at, code) for code, at in newest.items()])[-MAX_CODES:])


def _newest_troubles(
    known: Iterable[TroubleReport], others: Iterable[TroubleReport]
) -> tuple[TroubleReport, ...]:
    """The newest of both; of two reports with the same stamp, the higher counts."""
    found: dict[int, TroubleReport] = {}
    for one in (*known, *others):
        same = found.get(one.at, one)
        found[one.at] = TroubleReport(
            one.at, max(one.stalls, same.stalls), max(one.errors, same.errors)
        )
    return tuple([found[at] for at in sorted(found)[-MAX_TROUBLES:]])


def _says_something(report: Report) -> bool:
    return bool(
        report.starved
        or report.state
        or report.cdn
        or report.errors
        or report.start_delay_ms is not None
    )


def _is_short(cdn: str) -> bool:
    return len(cdn) <= MAX_CDN_CHARS


def _codes(data: bytes) -> tuple[tuple[tuple[int, str], ...], bytes] | None:
    """The error codes that stand at the beginning, and what follows them."""
    if not data or data[0] > MAX_CODES:
        return None
    found: list[tuple[int, str]] = []
    at = 1
    for _ in range(data[0]):
        if at + _CODE.size > len(data):
            return None
        stamp, size = _CODE.unpack_from(data, at)
        code = data[at + _CODE.size : at + _CODE.size + size].decode("latin-1")
        at += _CODE.size + size
        if len(code) != size or size > MAX_CODE_CHARS or not _TEXT.fullmatch(code):
            return None
        found.append((stamp, code))
    return tuple(found), data[at:]


def _texts(data: bytes) -> list[str] | None:
    """Texts with their lengths before them, of which only the first may be empty."""
    found: list[str] = []
    at = 0
    while at < len(data):
        end = at + 1 + data[at]
        text = data[at + 1 : end].decode("latin-1")
        if end > len(data) or not (_TEXT.fullmatch(text) or (not text and not found)):
            return None
        found.append(text)
        at = end
    return found
