"""Begins and cancels overrides of steering: a share of an edge's sessions goes to another edge."""

import asyncio
import contextlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import SystemRandom
from typing import Final

from gateway.config.problem import nearest
from gateway.edge.fleet import Fleet
from gateway.edge.override import (
    WHOLE,
    Override,
    Tables,
    free_range,
    leads_back,
    of_same_sessions,
)
from gateway.observe.moment import rfc3339
from gateway.operators.action_error import ActionError
from gateway.operators.announcement import announce
from gateway.operators.moment import Moment
from gateway.store.connection.protocol import Commands
from gateway.store.coordination import overrides
from gateway.store.coordination.overrides import (
    OverrideContents,
    OverrideEntry,
    OverridesChanged,
    entry_of,
    read_entry,
    shown,
)

_SHOWN_IDS: Final = 20
_PAUSES_S: Final = (0.01, 0.02, 0.05, *[0.1] * 20)
"""The longest pauses after each try to begin an override while others do."""
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operator asks for; ``share`` is in ten-thousandths. An empty ``asset_prefix`` means
    all assets."""

    source: str
    target: str
    share: int
    until: Moment
    why: str
    asset_prefix: str = ""


@dataclass(frozen=True, slots=True)
class UnknownEdge:
    """An id that no edge has: the ``key`` of the request that has it (``from``, ``to``), and a
    sentence."""

    key: str
    text: str


async def begin(
    commands: Commands, fleet: Fleet, wanted: Wanted, who: str, identity: str | None = None
) -> Override:
    """Begin an override. ``identity`` is its id (8 hexadecimal digits) instead of a random one.
    ``fleet`` says which edges a table with ``dns`` has.

    An override with that id that is in force is returned as it is: asking twice begins one. Raises
    ActionError, and begins nothing, for what makes no sense, and for another override than the one
    that has the id; and StoreUnavailable.
    """
    if wanted.source == wanted.target:
        text = "is the same edge as that which sessions leave; allowed is another edge"
        raise ActionError("malformed", text, "to")
    identity = identity or secrets.token_hex(4)
    for pause_s in _PAUSES_S:  # others may begin one at the same moment
        contents = await overrides.read(commands)
        in_force = [each.override for each in _sorted(contents) if each.in_force(contents.now_s)]
        for one in in_force:
            if one.id == identity:
                return _same(one, wanted)
        made = _override(wanted, in_force, fleet.tables, contents.now_s, who, identity)
        with contextlib.suppress(OverridesChanged):
            await _write(commands, OverrideEntry(made), contents)
            return made
        await asyncio.sleep(_random.uniform(0, pause_s))
    raise ActionError("conflict", "other overrides begin at this moment; ask again")


def _same(one: Override, wanted: Wanted) -> Override:
    """The override that a request has begun before. Its end may have been given as a duration, so
    it is not compared. Raises ActionError."""
    asked = wanted.source, wanted.target, wanted.share, wanted.asset_prefix
    if asked != (one.source, one.target, one.high - one.low, one.asset_prefix):
        text = f"the same Idempotency-Key has begun another override: {_short(one)}"
        raise ActionError("conflict", f"{text}; allowed is a new one")
    return one


async def cancel(commands: Commands, identity: str, who: str) -> Override:
    """End an override now. Raises ActionError when there is none with that id, and
    StoreUnavailable."""
    entries, now_s = await read(commands)
    in_force = {each.override.id: each for each in entries if each.in_force(now_s)}
    found = in_force.get(identity)
    if found is None:
        known = ", ".join(sorted(in_force)) or "none"
        raise ActionError("unknown", f"no override has the id {identity!r}; in force: {known}")
    await _write(commands, replace(found, cancelled_by=who))
    return found.override


async def read(commands: Commands) -> tuple[list[OverrideEntry], int]:
    """The entries in the order of their beginning, and Redis's Unix time. What cannot be read is
    left out. Raises StoreUnavailable."""
    contents = await overrides.read(commands)
    return _sorted(contents), contents.now_s


def _sorted(contents: OverrideContents) -> list[OverrideEntry]:
    found: list[OverrideEntry] = []
    for key, data in (contents.entries or {}).items():
        try:
            found.append(read_entry(key, data, contents.now_s))
        except ValueError:
            continue  # gateways name it in their logs, and remove it
    return sorted(found, key=lambda each: (each.override.since_s, each.override.id))


def unknown_edges(fleet: Fleet, wanted: Wanted) -> list[UnknownEdge]:
    """The ids that no edge has now; ``source`` may also be a table with ``dns``."""
    edges = set(fleet.positions)
    tables = {edge.template for edge in fleet.edges if edge.template}
    return [
        *_not_known("from", wanted.source, edges | tables),
        *_not_known("to", wanted.target, edges),
    ]


def warnings(fleet: Fleet, wanted: Wanted) -> list[str]:
    """What keeps the override from moving sessions now."""
    at = fleet.positions.get(wanted.target)
    if at is None:
        return []
    found, target = [], fleet.edges[at]
    if not fleet.conditions[at].open:
        found.append(f"{target.id} {fleet.conditions[at]}: nobody is sent there until it is open")
    sources = [edge for edge in fleet.edges if wanted.source in (edge.id, edge.template)]
    if any(edge.shape != target.shape or target.host is None for edge in sources):
        found.append(
            f"the URLs of {wanted.source} and {target.id} differ in more than their hosts: only "
            "new sessions go there, those that play stay"
        )
    return found


def members(entry: OverrideEntry) -> dict[str, object]:
    """An override as JSON has it."""
    one = entry.override
    return {
        "id": one.id,
        "from": one.source,
        "to": one.target,
        "share": (one.high - one.low) / WHOLE,
        "asset_prefix": one.asset_prefix or None,
        "since": rfc3339(one.since_s),
        "until": rfc3339(one.until_s),
        "who": one.who,
        "why": one.why,
        "cancelled_by": entry.cancelled_by,
    }


def _override(
    wanted: Wanted,
    in_force: Sequence[Override],
    tables: Tables,
    now_s: int,
    who: str,
    identity: str,
) -> Override:
    """Raises ActionError."""
    source, target, prefix = wanted.source, wanted.target, wanted.asset_prefix
    try:
        until_s = wanted.until.until_s(now_s)
    except ValueError as error:
        raise ActionError("malformed", str(error), "until") from error
    if leads_back(in_force, source, target, prefix, tables):
        others = ", ".join(_short(one) for one in in_force)
        text = f"sessions would go in circles, since these are in force: {others}; cancel one "
        raise ActionError("conflict", f"{text}of them first", "to")
    low = free_range(in_force, source, wanted.share, prefix, tables)
    if low is None:
        same = of_same_sessions(in_force, source, prefix, tables)
        others = ", ".join(map(_short, same))
        text = (
            f"with those in force, more than the sessions of {source} would go elsewhere: "
            f"{others}; allowed is a share that is left, or cancel one"
        )
        raise ActionError("conflict", text, "share")
    return Override(
        id=identity,
        source=source,
        target=target,
        low=low,
        high=low + wanted.share,
        since_s=now_s,
        until_s=until_s,
        who=who,
        why=shown(wanted.why),
        asset_prefix=prefix,
    )


async def _write(
    commands: Commands, entry: OverrideEntry, since: OverrideContents | None = None
) -> None:
    """Write an entry, and make every gateway read it at once. Raises ActionError, StoreUnavailable,
    and OverridesChanged when overrides have changed ``since`` they were read."""
    written = {entry.override.id.encode(): entry_of(entry)}
    if not await overrides.write(commands, written, since=since):
        text = (
            f"there are {overrides.MAX_OVERRIDES} overrides, counting those that were cancelled "
            "and would not have ended yet; allowed are no more"
        )
        raise ActionError("full", text)
    await announce(commands, "override", entry.override.source)


def _not_known(key: str, given: str, known: Iterable[str]) -> list[UnknownEdge]:
    ids = sorted(known)
    if given in ids:
        return []
    similar = nearest(given, ids)
    hint = f'; did you mean "{similar}"?' if similar else ""
    listed = ", ".join(ids[:_SHOWN_IDS]) + (", …" if len(ids) > _SHOWN_IDS else "")
    return [UnknownEdge(key, f'no edge has the id "{given}"{hint} (allowed: {listed})')]


def _short(one: Override) -> str:
    of = f" with {one.asset_prefix}…" if one.asset_prefix else ""
    return f"{one.id} ({one.percent} of {one.source}{of} to {one.target})"
