"""What do operators write for a share and for the end of an override?"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.edge.override import WHOLE
from gateway.store.coordination.overrides import MAX_DURATION_S

_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?) ?%")
_DURATION: Final = re.compile(
    r"(?=[0-9])(?:([0-9]{1,4})d)?(?:([0-9]{1,5})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,8})s)?"
)
_UNITS_S: Final = (86_400, 3600, 60, 1)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].+")


@dataclass(frozen=True, slots=True)
class Moment:
    """When an override ends: after ``after_s`` seconds, or at the Unix time ``at_s``."""

    after_s: int | None = None
    at_s: int | None = None

    def until_s(self, now_s: int) -> int:
        """The Unix time at which it ends. Raises ValueError when that is not within the next
        ``MAX_DURATION_S`` seconds."""
        until_s = now_s + (self.after_s or 0) if self.at_s is None else self.at_s
        if not now_s < until_s <= now_s + MAX_DURATION_S:
            shown = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            which = "over already" if until_s <= now_s else "too far ahead"
            raise ValueError(
                f"is {which}; allowed are the next {MAX_DURATION_S // 86_400} days (Redis's clock "
                f"shows {shown})"
            )
        return until_s


def share_of(text: str) -> int:
    """A percentage in ten-thousandths. Raises ValueError."""
    found = _PERCENT.fullmatch(text.strip())
    share = 0 if found is None else round(float(found[1]) * WHOLE / 100)
    if not 0 < share <= WHOLE:
        raise ValueError(f"{text!r} is no share; allowed is 0.01% to 100%, such as 20%")
    return share


def moment_of(text: str) -> Moment:
    """A duration, or a time with its zone. Raises ValueError."""
    given = text.strip()
    found = _DURATION.fullmatch(given)
    if found is not None:
        counts = (int(count or 0) for count in found.groups())
        return Moment(after_s=sum(n * unit for n, unit in zip(counts, _UNITS_S, strict=True)))
    try:
        # Of the forms that Python reads, the one that people write.
        moment = datetime.fromisoformat(given if _TIME.fullmatch(given) else "")
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a duration nor a time; allowed is a duration such as 45s, 90m, "
            "1h30m or 2d, or a time with its zone such as 2026-11-28T23:00Z"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone; add Z, or an offset such as +01:00")
    return Moment(at_s=int(moment.timestamp()))
