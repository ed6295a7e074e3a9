"""How does playback go, as the player reports it? What is kept of it with the session.

Of each report (CMCD ``sta``, ``cdn``, ``bs``, ``msd`` and ``ec``, CTA-5004 version 2) only this is
kept: one of the standard's states, counts, one duration, and those names of CDNs and error codes
that the operator has listed. No other text of a player is kept.

A player sends a batch again when it does not know whether the first one arrived. So reports that
are not newer than the newest one, by the player's own clock, do not count again.
"""

import re
import struct
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from gateway.client.cmcd import TOKENS
from gateway.client.cmcd_report import Report

MAX_CODES: Final = 4
"""The most error codes that are kept of a session: the newest, each once."""
MAX_CODE_CHARS: Final = 32
MAX_CDN_CHARS: Final = 64
MAX_COUNT: Final = 0xFFFF
CLOCK_SET_MS: Final = 3_600_000
"""A report that seems to be this much older than the newest one is no repetition: the clock of the
player was set."""

_HEAD: Final = struct.Struct(">IHHIQc")
_NO_DELAY: Final = 0xFFFF_FFFF
_NO_STATE: Final = b"-"
_TEXT: Final = re.compile(r"[!-~]+")
MAX_BYTES: Final = _HEAD.size + 1 + MAX_CDN_CHARS + MAX_CODES * (1 + MAX_CODE_CHARS)
"""The most bytes of the stored form."""


class KnownNames(NamedTuple):
    """The text that may be kept: ids of edges, and what ``[cmcd]`` of the configuration lists."""

    edges: Container[str]
    cdns: frozenset[str]
    error_codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Playback:
    """What the player of one session has reported.

    ``time_s`` is when the last report came, in whole seconds since 1970; ``latest_ms`` the newest
    time of a report by the player's own clock, 0 without one. ``state`` is the last ``sta``: ``s``
    starting, ``p`` playing, ``k`` seeking, ``r`` rebuffering, ``a`` paused, ``w`` waiting, ``e``
    ended, ``f`` fatal error, ``q`` quit, ``d`` preloading. ``cdn`` is the last one that was named,
    None when the operator does not know it. ``stalls`` counts reports with ``bs``, and ``errors``
    all error codes; ``error_codes`` are the last known ones. ``start_delay_ms`` is ``msd``.
    """

    time_s: int = 0
    latest_ms: int = 0
    state: str | None = None
    cdn: str | None = None
    stalls: int = 0
    errors: int = 0
    error_codes: tuple[str, ...] = ()
    start_delay_ms: int | None = None

    def heard(self, reports: Sequence[Report], now_s: float, known: KnownNames) -> Self:
        """The playback after reports that came together, at ``now_s`` (seconds since 1970), in the
        order in which they were sent. The same object when they say nothing new."""
        new = [report for report in reports if _says_something(report) and self._is_new(report)]
        if not new:
            return self
        state, cdn, delay = self.state, self.cdn, self.start_delay_ms
        codes = [*self.error_codes]
        for report in new:
            state = report.state or state
            if report.cdn is not None:
                kept = report.cdn in known.edges or report.cdn in known.cdns
                cdn = report.cdn if kept and len(report.cdn) <= MAX_CDN_CHARS else None
            if report.start_delay_ms is not None and report.start_delay_ms < _NO_DELAY:
                delay = report.start_delay_ms
            codes += [code for code in report.errors if code in known.error_codes]
        return type(self)(
            time_s=int(now_s),
            latest_ms=self._latest_ms(new),
            state=state,
            cdn=cdn,
            stalls=min(MAX_COUNT, self.stalls + sum(report.starved for report in new)),
            errors=min(MAX_COUNT, self.errors + sum(len(report.errors) for report in new)),
            error_codes=tuple(dict.fromkeys(reversed(codes)))[:MAX_CODES][::-1],
            start_delay_ms=delay,
        )

    def _is_new(self, report: Report) -> bool:
        if report.time_ms is None or report.time_ms > self.latest_ms:
            return True
        return report.time_ms < self.latest_ms - CLOCK_SET_MS

    def _latest_ms(self, new: Sequence[Report]) -> int:
        times = [report.time_ms for report in new if report.time_ms is not None]
        return max(times, default=self.latest_ms)

    def to_bytes(self) -> bytes:
        """The stored form, at most ``MAX_BYTES``.

        Big-endian: ``time_s`` (4 bytes), ``stalls`` and ``errors`` (2 each), ``start_delay_ms``
        (4, all ones without one), ``latest_ms`` (8), ``state`` (1, ``-`` without one). Then the CDN
        and each error code, with the number of its bytes before it; 0 without a CDN.
        """
        state = _NO_STATE if self.state is None else self.state.encode("ascii")
        delay = _NO_DELAY if self.start_delay_ms is None else self.start_delay_ms
        head = _HEAD.pack(self.time_s, self.stalls, self.errors, delay, self.latest_ms, state)
        texts = [text.encode("ascii") for text in (self.cdn or "", *self.error_codes)]
        return head + b"".join([bytes([len(text)]) + text for text in texts])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what ``to_bytes`` wrote; None for anything else, because a store may hold
        garbage."""
        if not _HEAD.size < len(data) <= MAX_BYTES:
            return None
        time_s, stalls, errors, delay, latest_ms, state = _HEAD.unpack_from(data)
        texts = _texts(data[_HEAD.size :])
        known = state == _NO_STATE or state.decode("latin-1") in TOKENS["sta"]
        if texts is None or not known or len(texts) > 1 + MAX_CODES:
            return None
        return cls(
            time_s=time_s,
            latest_ms=latest_ms,
            state=None if state == _NO_STATE else state.decode("ascii"),
            cdn=texts[0] or None,
            stalls=stalls,
            errors=errors,
            error_codes=tuple(texts[1:]),
            start_delay_ms=None if delay == _NO_DELAY else delay,
        )


def _says_something(report: Report) -> bool:
    return bool(
        report.starved
        or report.state
        or report.cdn
        or report.errors
        or report.start_delay_ms is not None
    )


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
