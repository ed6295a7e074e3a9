"""What does the audit log say of one action? An entry, and the JSON that carries it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from gateway.untrusted import json_of

MAX_TEXT_CHARS: Final = 200
MAX_STATE_BYTES: Final = 4096
"""The longest ``before`` and ``after``, in bytes of JSON; a longer one is left out."""
MAX_ENTRY_BYTES: Final = 16 * 1024
_END_MS: Final = 253_402_300_800_000
"""The end of the year 9999 in Unix time: no calendar has later days."""

Outcome = Literal["done", "refused", "failed"]
State = Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an operator by kind and id, with a role, at an address, in a request. None is what
    is not known, or does not apply."""

    kind: str
    id: str
    role: str | None = None
    address: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action. ``time_ms`` is Unix time. ``before`` and ``after`` are what the action changed.
    ``reason`` says why it was refused, or why it failed."""

    time_ms: int
    actor: Actor
    action: str
    target: str
    outcome: Outcome
    before: State = None
    after: State = None
    reason: str | None = None

    def members(self) -> dict[str, Any]:
        """The entry as JSON has it. Texts are printable and of bounded length."""
        who = self.actor
        return {
            "time": self.time_ms,
            "who": printable(who.id),
            "kind": who.kind,
            "role": who.role,
            "address": who.address,
            "request_id": None if who.request_id is None else printable(who.request_id),
            "action": self.action,
            "target": printable(self.target),
            "outcome": self.outcome,
            "reason": None if self.reason is None else printable(self.reason),
            "before": _bounded(self.before),
            "after": _bounded(self.after),
        }

    def to_bytes(self) -> bytes:
        """JSON in ASCII."""
        return json.dumps(self.members(), separators=(",", ":")).encode("ascii")


def read_members(data: bytes) -> dict[str, Any] | None:
    """The members of an entry as it was written; None for what is no entry."""
    try:
        found = json_of(data, MAX_ENTRY_BYTES, surrogates=True)
    except ValueError:
        return None
    time_ms = found.get("time") if isinstance(found, dict) else None
    if not isinstance(time_ms, int) or not 0 <= time_ms < _END_MS:
        return None
    return cast("dict[str, Any]", found)


def printable(text: str) -> str:
    """The first characters of a text that anybody may have written, without control characters."""
    cut = text[:MAX_TEXT_CHARS]
    return cut if cut.isprintable() else ascii(cut)[1:-1][:MAX_TEXT_CHARS]


def _bounded(state: State) -> object:
    if state is None:
        return None
    size = len(json.dumps(state, separators=(",", ":"), default=str))
    return dict(state) if size <= MAX_STATE_BYTES else {"left_out": f"{size} bytes of JSON"}
