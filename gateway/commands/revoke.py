"""``gateway revoke``: ends what a token, a subject or a session may play, and lists what is
revoked."""

import json
from collections.abc import Iterable
from typing import Final

from gateway.commands.recorded import operator, record
from gateway.commands.store_access import CommandError, open_store
from gateway.config.load import Loaded
from gateway.observe.moment import rfc3339
from gateway.operators import revoking
from gateway.operators.action_error import ActionError
from gateway.operators.revoking import duration_of, members, short_hash
from gateway.store.coordination import revocations
from gateway.store.coordination.revocations import Revocable, Revocation, kind_of

__all__ = ["as_json", "as_table", "duration_of", "known", "revoke", "undo"]

_HEAD: Final = ("kind", "hash", "since", "until", "who")


async def revoke(loaded: Loaded, kind: Revocable, name: str, for_s: int) -> str:
    """Revoke one name. Returns what to say. Raises CommandError."""
    async with open_store(loaded) as (_, commands):
        try:
            one = await revoking.revoke(commands, kind, name, for_s, operator())
        except ActionError as error:
            raise CommandError(str(error)) from error
        await record(commands, "revoke", f"{kind} {short_hash(one)}", after=members(one))
    return f"revoked {kind} {short_hash(one)} until {rfc3339(one.until_s)}"


async def undo(loaded: Loaded, kind: Revocable, name: str) -> str:
    """End a revocation now. Returns what to say. Raises CommandError when there is none."""
    async with open_store(loaded) as (_, commands):
        try:
            one = await revoking.undo(commands, kind, name, operator())
        except ActionError as error:
            hint = "; --list shows what is" if error.code == "unknown" else ""
            raise CommandError(f"{error}{hint}") from error
        await record(commands, "revoke.undo", f"{kind} {short_hash(one)}", before=members(one))
    return f"{kind} {short_hash(one)} is no longer revoked"


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
                short_hash(one),
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
    return json.dumps(revoking.listed(found), indent=2, ensure_ascii=False)
