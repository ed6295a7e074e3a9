"""``gateway edge drain``, ``undrain`` and ``list``."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.background.edge_register import condition_of
from gateway.background.survey import survey
from gateway.commands.recorded import record
from gateway.commands.store_access import CommandError, open_store
from gateway.config.load import Loaded
from gateway.edge.fleet import EdgeCondition
from gateway.operators import drains
from gateway.operators.action_error import ActionError
from gateway.store.connection.protocol import Store
from gateway.store.coordination import register

_NOT_DRAINED = (
    "nothing was drained. --config names the file that lists the edges; "
    "--force drains ids that no edge has yet"
)
_HEAD = ("id", "url", "finder", "state", "why")


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


async def listing(loaded: Loaded) -> str:
    """A table for a terminal: all edges, and drains that match no edge. Raises CommandError."""
    async with open_store(loaded) as (store, commands):
        keeper = await survey(loaded, store)
        entries = (await register.read(commands)).drains or {}
    fleet, now_s = keeper.fleet, time.time()
    rows = [_HEAD]
    named = {edge.template for edge in fleet.edges}
    for edge, condition in zip(fleet.edges, fleet.conditions, strict=True):
        finder = keeper.finder_of(edge.id) or "-"
        rows.append((edge.id, edge.url, finder, _state(condition), _why(condition)))
    for key, entry in sorted(entries.items()):
        edge_id, found = key.decode("ascii", "replace"), register.drain_of(entry, now_s)
        known = edge_id in fleet.positions or edge_id in named
        if found is not None and found.drained and not known and edge_id.isprintable():
            rows.append((edge_id, "-", "-", "drained", _why(condition_of(found))))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    return "\n".join(
        "  ".join((*map(str.ljust, row[:-1], widths), row[-1])).rstrip() for row in rows
    )


def _state(condition: EdgeCondition) -> str:
    return f"{condition.state}, full" if condition.full else condition.state


def _why(condition: EdgeCondition) -> str:
    if condition.since_s is None:
        return condition.why
    since = datetime.fromtimestamp(condition.since_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{condition.why}, since {since}" if condition.why else f"since {since}"
