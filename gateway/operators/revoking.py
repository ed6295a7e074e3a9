"""Revokes tokens, subjects and sessions, and ends that."""

from collections.abc import Iterable

from gateway.observe.moment import rfc3339
from gateway.operators.action_error import ActionError
from gateway.operators.moment import moment_of
from gateway.store.connection.protocol import Commands
from gateway.store.coordination import revocations
from gateway.store.coordination.revocations import (
    MAX_DURATION_S,
    MAX_REVOCATIONS,
    Revocable,
    Revocation,
    kind_of,
)

_SHOWN_BYTES = 8


def duration_of(text: str) -> int:
    """A duration such as ``24h`` in seconds. Raises ValueError."""
    try:
        after_s = moment_of(text).after_s
    except ValueError:
        after_s = None
    if after_s is None or not 0 < after_s <= MAX_DURATION_S:
        raise ValueError(
            f"{text!r} is no duration; allowed is up to {MAX_DURATION_S // 86_400} days, such as "
            "90m, 24h or 7d"
        )
    return after_s


def short_hash(one: Revocation) -> str:
    """The beginning of the hash. That of a session is the one that ``gateway sessions`` shows."""
    return one.name[1 : 1 + _SHOWN_BYTES].hex()


async def revoke(
    commands: Commands, kind: Revocable, name: str, for_s: int, who: str
) -> Revocation:
    """Revoke one name. Raises ActionError and StoreUnavailable."""
    try:
        one = await revocations.revoke(commands, kind, name, for_s, who)
    except ValueError as error:
        raise ActionError("malformed", str(error)) from error
    if one is None:
        text = (
            f"there are {MAX_REVOCATIONS} revocations, counting those that were undone and would "
            "not have ended yet; allowed are no more. End the subject's, or retire the key"
        )
        raise ActionError("full", text)
    return one


async def undo(commands: Commands, kind: Revocable, name: str, who: str) -> Revocation:
    """End a revocation now. Raises ActionError when there is none, and StoreUnavailable."""
    try:
        one = await revocations.undo(commands, kind, name, who)
    except ValueError as error:
        raise ActionError("malformed", str(error)) from error
    if one is None:
        raise ActionError("unknown", f"this {kind} is not revoked")
    return one


def members(one: Revocation) -> dict[str, object]:
    """A revocation as JSON has it, without the name."""
    return {
        "kind": str(kind_of(one.name)),
        "hash": short_hash(one),
        "since": rfc3339(one.since_s),
        "until": rfc3339(one.until_s),
        "who": one.who,
    }


def listed(found: Iterable[Revocation]) -> list[dict[str, object]]:
    """Several of them."""
    return list(map(members, found))
