"""How long is an origin's response fresh? RFC 9111 and RFC 5861 as pure functions of time.

The gateway is a cache that its operator runs beside the origin, so the origin's headers count
within bounds that the operator sets:

- Fresh for ``s-maxage``, else ``max-age``, else ``Expires - Date``, else the default; less the age
  of the response on arrival (section 4.2.3); at least ``min_fresh_s``, at most ``max_fresh_s``. An
  invalid value counts as 0 (section 4.2.1).
- ``no-cache``, ``no-store``, ``must-revalidate`` and ``proxy-revalidate`` forbid serving a stale
  copy during revalidation; ``no-store`` and ``no-cache`` also limit freshness to ``min_fresh_s``.
- ``no-store`` and ``private`` responses are never shared with other workers. This worker still
  keeps them as its last good copy, which is all it has when the origin fails.
- A stale copy replaces a failing origin for ``stale-if-error`` seconds, else the default, whatever
  the other directives say. An origin that forbids this sends ``stale-if-error=0``.
- Players ask for a live manifest every ``update_s`` seconds. Half of that is the most that it is
  fresh, and the other half the most that it is served during revalidation; it replaces a failing
  origin for ``max_stale_live_s`` at most.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum

from gateway.source.origin.origin_config import FreshnessBounds

_DIRECTIVE = re.compile(r"""([^\s=,;"]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?""")
_LONGEST_HEADER = 4096
LONGEST_S = 2**31
"""The cap on a number of seconds (RFC 9111, section 1.2.2)."""


class CopyState(StrEnum):
    """What a copy may be used for."""

    FRESH = "fresh"
    STALE = "stale"
    """Served at once; the origin is asked in the background."""
    LAST_RESORT = "last-resort"
    """Served only when the origin fails."""
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a response may be used, in seconds. Times are those of a clock that never jumps.

    ``age_s`` is its age at ``answered_at``. It is fresh for ``fresh_s`` from then on. After that it
    may be served for ``revalidate_s`` during revalidation, and for ``error_s`` when the origin
    fails.
    """

    answered_at: float
    age_s: float
    fresh_s: float
    revalidate_s: float
    error_s: float
    shareable: bool = True

    def state(self, now: float) -> CopyState:
        """What the copy may be used for at ``now``."""
        stale_s = self.stale_for(now)
        if stale_s < 0:
            return CopyState.FRESH
        if stale_s < self.revalidate_s:
            return CopyState.STALE
        return CopyState.LAST_RESORT if stale_s < self.error_s else CopyState.EXPIRED

    def age(self, now: float) -> float:
        """Age of the copy at ``now``; never negative, even when clocks jump."""
        return self.age_s + max(0.0, now - self.answered_at)

    def stale_for(self, now: float) -> float:
        """Seconds since it became stale; negative while it is fresh."""
        return max(0.0, now - self.answered_at) - self.fresh_s

    @property
    def kept_s(self) -> float:
        """Seconds after ``answered_at`` until the copy is useless."""
        return self.fresh_s + max(self.revalidate_s, self.error_s)


def lifetime_of(
    headers: Mapping[str, str],
    asked_at: float,
    answered_at: float,
    bounds: FreshnessBounds,
    unix_ahead_s: float = 0.0,
) -> Lifetime:
    """The lifetime that response headers (lower-case names) give, within ``bounds``. Unix time is
    ``unix_ahead_s`` ahead of ``asked_at`` and ``answered_at``."""
    said = directives(headers.get("cache-control", ""))
    unix_s = answered_at + unix_ahead_s
    age_s = _age_at_arrival(headers, answered_at - asked_at, unix_s)
    lifetime_s = _said_lifetime(headers, said, unix_s)
    fresh_s = bounds.default_fresh_s if lifetime_s is None else lifetime_s - age_s
    if "no-store" in said or "no-cache" in said:
        fresh_s = 0
    strict = said.keys() & {"no-store", "no-cache", "must-revalidate", "proxy-revalidate"}
    revalidate_s = _seconds(said, "stale-while-revalidate", bounds.stale_while_revalidate_s)
    error_s = _seconds(said, "stale-if-error", bounds.stale_if_error_s)
    return Lifetime(
        answered_at=answered_at,
        age_s=age_s,
        fresh_s=max(bounds.min_fresh_s, min(fresh_s, bounds.max_fresh_s)),
        revalidate_s=0 if strict else min(revalidate_s, bounds.max_stale_while_revalidate_s),
        error_s=min(error_s, bounds.max_stale_if_error_s),
        shareable=not said.keys() & {"no-store", "private"},
    )


def live_lifetime(life: Lifetime, update_s: float, bounds: FreshnessBounds) -> Lifetime:
    """The lifetime of a response with a live manifest, for which players ask again after
    ``update_s`` seconds."""
    half_s = update_s / 2
    return replace(
        life,
        fresh_s=min(life.fresh_s, max(half_s, bounds.min_fresh_s)),
        revalidate_s=min(life.revalidate_s, half_s),
        error_s=min(life.error_s, bounds.max_stale_live_s),
    )


def directives(cache_control: str) -> dict[str, str]:
    """The directives of a ``Cache-Control`` header by lower-case name; the first of a repeated one
    counts."""
    found: dict[str, str] = {}
    for match in _DIRECTIVE.finditer(cache_control[:_LONGEST_HEADER]):
        found.setdefault(match[1].lower(), match[2] if match[2] is not None else match[3] or "")
    return found


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that ``Retry-After`` asks for, from delay-seconds or a date (RFC 9110, section
    10.2.3); None when invalid."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(min(int(value[:12]), LONGEST_S))
    date = http_date(value)
    return None if date is None else min(max(0.0, date - now), LONGEST_S)


def http_date(value: str) -> float | None:
    """The Unix time of an HTTP date; None when invalid."""
    try:
        return parsedate_to_datetime(value[:64]).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return None


def _said_lifetime(
    headers: Mapping[str, str], said: Mapping[str, str], unix_s: float
) -> float | None:
    """The freshness lifetime (section 4.2.1); None when the headers give none."""
    for name in ("s-maxage", "max-age"):
        if name in said:
            return _seconds(said, name, 0)
    if "expires" not in headers:
        return None
    expires = http_date(headers["expires"])
    if expires is None:  # often "0": already expired (section 5.3)
        return 0
    date = http_date(headers.get("date", ""))
    return max(0.0, expires - (unix_s if date is None else date))


def _age_at_arrival(headers: Mapping[str, str], took_s: float, unix_s: float) -> float:
    """``corrected_initial_age`` of section 4.2.3."""
    date = http_date(headers.get("date", ""))
    apparent_s = 0.0 if date is None else max(0.0, unix_s - date)
    said = headers.get("age", "").partition(",")[0].strip()
    said_s = float(min(int(said[:12]), LONGEST_S)) if said.isascii() and said.isdigit() else 0.0
    return min(max(apparent_s, said_s + max(0.0, took_s)), LONGEST_S)


def _seconds(said: Mapping[str, str], name: str, default: float) -> float:
    """A directive's seconds; ``default`` when absent, 0 when invalid."""
    value = said.get(name)
    if value is None:
        return default
    return float(min(int(value[:12]), LONGEST_S)) if value.isascii() and value.isdigit() else 0.0
