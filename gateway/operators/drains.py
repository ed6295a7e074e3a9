"""Drains edges and ends drains: new sessions go elsewhere, and those that play are steered away."""

import time
from collections.abc import Collection, Mapping, Sequence

from gateway.config.problem import nearest
from gateway.operators.action_error import ActionError
from gateway.operators.announcement import announce
from gateway.store.connection.protocol import Commands
from gateway.store.coordination import register
from gateway.store.coordination.register import Drain

MAX_WHY_CHARS = 200


def refuse_unknown(ids: Sequence[str], known: Collection[str]) -> None:
    """Raises ActionError for ids that no edge has."""
    lines = []
    for each in ids:
        if each in known:
            continue
        similar = nearest(each, sorted(known))
        hint = f'; did you mean "{similar}"?' if similar else ""
        lines.append(f'no edge has the id "{each}"{hint}')
    if lines:
        raise ActionError("unknown-edge", "; ".join(lines))


async def drain(commands: Commands, ids: Sequence[str], why: str) -> None:
    """Drain edges until the drain is ended, and have all gateways read that at once. Raises
    StoreUnavailable."""
    await register.drain(commands, ids, why[:MAX_WHY_CHARS])
    await announce(commands, "drain", ids[0])


async def undrain(commands: Commands, ids: Sequence[str]) -> None:
    """End drains. Raises StoreUnavailable."""
    await register.undrain(commands, ids)
    await announce(commands, "undrain", ids[0])


async def drained(commands: Commands, ids: Sequence[str]) -> Mapping[str, Drain]:
    """The drains in force of these ids. Raises StoreUnavailable."""
    drains = (await register.read(commands)).drains or {}
    now_s = time.time()
    found = ((each, register.drain_of(drains.get(each.encode(), b""), now_s)) for each in ids)
    return {each: one for each, one in found if one is not None and one.drained}
