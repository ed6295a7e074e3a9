"""``gateway edge drain``, ``undrain`` and ``list``."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.background.edge_register import condition_of
from gateway.background.survey import survey
from gateway.commands.recorded import record
from gateway.commands.store_access import CommandError, open_store
from gateway.config.load import Loaded
from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition
from gateway.observe.moment import rfc3339
from gateway.operators import drains
from gateway.operators.action_error import ActionError
from gateway.store.connection.protocol import Store, Trouble
from gateway.store.coordination import register

_NOT_DRAINED = (
    "nothing was drained. --config names the file that lists the edges; "
    "--force drains ids that no edge has yet"
)
_HEAD = ("id", "url", "finder", "state", "takes", "load", "why")


async def drain(loaded: Loaded, ids: Sequence[str], why: str, *, force: bool) -> list[str]:
    """Drain edges: new sessions go elsewhere until the drain is ended.

    Returns the ids that no edge has now. Without ``force`` there are none: raises CommandError, and
    drains nothing.
    """
    async with open_store(loaded) as (store, commands):
        known = await _known_ids(loaded, store, ids)
        unknown = [each for each in ids if each not in known]
        if not force:
            try:
                drains.refuse_unknown(ids, known)
            except ActionError as error:
                raise CommandError(f"{error}; {_NOT_DRAINED}") from error
        await drains.drain(commands, ids, why)
        for each in ids:
            await record(commands, "edge.drain", each, after={"why": why})
    return unknown


async def undrain(loaded: Loaded, ids: Sequence[str]) -> list[str]:
    """End drains. Returns the ids that were not drained. Raises CommandError."""
    async with open_store(loaded) as (_, commands):
        drained = await drains.drained(commands, ids)
        await drains.undrain(commands, ids)
        for each in ids:
            before = {"why": drained[each].why} if each in drained else None
            await record(commands, "edge.undrain", each, before=before)
    return [each for each in ids if each not in drained]


async def _known_ids(loaded: Loaded, store: Store, ids: Sequence[str]) -> set[str]:
    """The ids of edges, and of tables with ``dns``. Only what the config does not list is looked
    up."""
    known = {edge.id for edge in loaded.settings.edges}
    if known.issuperset(ids):
        return known
    fleet = (await survey(loaded, store)).fleet
    return known | set(fleet.positions) | {edge.template for edge in fleet.edges if edge.template}


async def listing(loaded: Loaded, *, as_json: bool) -> tuple[str, Trouble | None]:
    """All edges, and drains that match no edge: a table for a terminal, or JSON; and why the store
    takes no writes, so that what gateways have found since then is not in it. Raises
    CommandError."""
    async with open_store(loaded) as (store, commands):
        found = await survey(loaded, store)
        entries = (await register.read(commands)).drains or {}
    now_s = time.time()
    keeper, fleet = found.keeper, found.fleet
    named = {edge.template for edge in fleet.edges}
    idle: list[tuple[str, EdgeCondition]] = []
    for key, entry in sorted(entries.items()):
        edge_id, drain = key.decode("ascii", "replace"), register.drain_of(entry, now_s)
        known = edge_id in fleet.positions or edge_id in named
        if drain is not None and drain.drained and not known and edge_id.isprintable():
            idle.append((edge_id, condition_of(drain)))
    found_edges = [
        _members(edge, condition, keeper.finder_of(edge.id), found.leased_kbps.get(edge.id))
        for edge, condition in zip(fleet.edges, fleet.conditions, strict=True)
    ]
    if as_json:
        waiting = [{"id": one, "why": each.why, "since": _since(each)} for one, each in idle]
        text = json.dumps({"edges": found_edges, "drains_without_edge": waiting}, indent=2)
        return text, found.no_writes
    rows = [_HEAD]
    for each, condition in zip(found_edges, fleet.conditions, strict=True):
        state, finder = _state(condition), each["finder"] or "-"
        load = _load(each["leased_kbps"], each["capacity_kbps"])
        rows.append(
            (each["id"], each["url"], finder, state, f"{each['admits']:.0%}", load, _why(condition))
        )
    rows += [(one, "-", "-", "drained", "-", "-", _why(each)) for one, each in idle]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    lines = ["  ".join((*map(str.ljust, row[:-1], widths), row[-1])).rstrip() for row in rows]
    return "\n".join(lines), found.no_writes


def _members(
    edge: Edge, condition: EdgeCondition, finder: str | None, leased_kbps: int | None
) -> dict[str, Any]:
    """An edge as JSON. ``admits`` is the share of new viewers that it takes now, 0 to 1."""
    return {
        "id": edge.id,
        "url": edge.url,
        "finder": finder,
        "state": condition.state,
        "full": condition.full,
        "admits": condition.admits if condition.open else 0.0,
        "leased_kbps": leased_kbps,
        "capacity_kbps": edge.capacity_kbps,
        "why": condition.why or None,
        "since": _since(condition),
    }


def _load(leased_kbps: int | None, capacity_kbps: int | None) -> str:
    """``120 of 1000 Mbit/s``; ``-`` without a capacity, for which nothing is leased."""
    if capacity_kbps is None or leased_kbps is None:
        return "-"
    return f"{leased_kbps / 1000:.0f} of {capacity_kbps / 1000:.0f} Mbit/s"


def _since(condition: EdgeCondition) -> str | None:
    return None if condition.since_s is None else rfc3339(condition.since_s)


def _state(condition: EdgeCondition) -> str:
    return f"{condition.state}, full" if condition.full else condition.state


def _why(condition: EdgeCondition) -> str:
    if condition.since_s is None:
        return condition.why
    since = datetime.fromtimestamp(condition.since_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{condition.why}, since {since}" if condition.why else f"since {since}"
