"""``gateway revoke``: ends what a token, a subject or a session may play, and lists what is
revoked."""

import json
from collections.abc import Iterable
from typing import Final

from gateway.commands.recorded import operator, record
from gateway.commands.store_access import CommandError, open_store
from gateway.config.load import Loaded
from gateway.observe.moment import rfc3339
from gateway.operators.moment import moment_of
from gateway.store.coordination import revocations
from gateway.store.coordination.revocations import (
    MAX_DURATION_S,
    MAX_REVOCATIONS,
    Revocable,
    Revocation,
    kind_of,
)

_HEAD: Final = ("kind", "hash", "since", "until", "who")
_SHOWN_BYTES: Final = 8


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


async def revoke(loaded: Loaded, kind: Revocable, name: str, for_s: int) -> str:
    """Revoke one name. Returns what to say. Raises CommandError."""
    async with open_store(loaded) as (_, commands):
        try:
            one = await revocations.revoke(commands, kind, name, for_s, operator())
        except ValueError as error:
            raise CommandError(str(error)) from error
        if one is not None:
            after = {"until": rfc3339(one.until_s)}
            await record(commands, "revoke", f"{kind} {_short(one)}", after=after)
    if one is None:
        raise CommandError(
            f"there are {MAX_REVOCATIONS} revocations, counting those that were undone and would "
            "not have ended yet; allowed are no more. End the subject's, or retire the key"
        )
    return f"revoked {kind} {_short(one)} until {rfc3339(one.until_s)}"


async def undo(loaded: Loaded, kind: Revocable, name: str) -> str:
    """End a revocation now. Returns what to say. Raises CommandError when there is none."""
    async with open_store(loaded) as (_, commands):
        try:
            one = await revocations.undo(commands, kind, name, operator())
        except ValueError as error:
            raise CommandError(str(error)) from error
        if one is not None:
            before = {"until": rfc3339(one.until_s)}
            await record(commands, "revoke.undo", f"{kind} {_short(one)}", before=before)
    if one is None:
        raise CommandError(f"this {kind} is not revoked; --list shows what is")
    return f"{kind} {_short(one)} is no longer revoked"


async def known(loaded: Loaded) -> list[Revocation]:
    """What is in force. Raises CommandError."""
    async with open_store(loaded) as (_, commands):
        return await revocations.known(commands)


def as_table(found: Iterable[Revocation]) -> str:
    """For people: one line for each."""
    rows = [
        _HEAD,
        *(
            (
                str(kind_of(one.name)),
                _short(one),
                rfc3339(one.since_s),
                rfc3339(one.until_s),
                one.who,
            )
            for one in found
        ),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def as_json(found: Iterable[Revocation]) -> str:
    """For programs: a list of objects."""
    listed = [
        {
            "kind": kind_of(one.name),
            "hash": _short(one),
            "since": rfc3339(one.since_s),
            "until": rfc3339(one.until_s),
            "who": one.who,
        }
        for one in found
    ]
    return json.dumps(listed, indent=2, ensure_ascii=False)


def _short(one: Revocation) -> str:
    """The beginning of the hash. That of a session is the one that ``gateway sessions`` shows."""
    return one.name[1 : 1 + _SHOWN_BYTES].hex()
