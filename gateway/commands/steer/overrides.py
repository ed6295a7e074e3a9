"""``gateway steer``: begins, lists and cancels overrides of steering."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.background.survey import survey
from gateway.commands.recorded import operator, record
from gateway.commands.store_access import CommandError, open_store
from gateway.config.load import Loaded
from gateway.observe.moment import rfc3339
from gateway.operators import steers
from gateway.operators.steers import Wanted
from gateway.store.coordination.overrides import OverrideEntry

_HEAD: Final = ("id", "from", "to", "share", "assets", "until", "who", "why")


@dataclass(frozen=True, slots=True)
class Said:
    """What the command answers: one line, and warnings."""

    text: str
    warnings: Sequence[str] = ()


async def begin(loaded: Loaded, wanted: Wanted, *, force: bool) -> Said:
    """Begin an override. Raises CommandError, and begins nothing, for what makes no sense; unknown
    ids are allowed with ``force``."""
    async with open_store(loaded) as (store, commands):
        fleet = (await survey(loaded, store)).fleet
        unknown = [f"--{each.key}: {each.text}" for each in steers.unknown_edges(fleet, wanted)]
        if unknown and not force and wanted.source != wanted.target:
            raise CommandError(
                f"{'; '.join(unknown)}; nothing was steered. --config names the file that lists "
                "the edges; --force steers between ids that no edge has yet"
            )
        one = await steers.begin(commands, fleet, wanted, operator())
        await record(commands, "steer.begin", one.id, after=steers.members(OverrideEntry(one)))
    until = rfc3339(one.until_s)
    text = f"{one.id}: {one.sessions} of {one.source} go to {one.target} until {until}"
    return Said(text, (*unknown, *steers.warnings(fleet, wanted)))


async def cancel(loaded: Loaded, override: str) -> str:
    """End an override now. Raises CommandError when there is none with that id."""
    async with open_store(loaded) as (_, commands):
        one = await steers.cancel(commands, override, operator())
        await record(commands, "steer.cancel", one.id, before=steers.members(OverrideEntry(one)))
    return f"{override}: cancelled; sessions stay where they are"


async def known(loaded: Loaded, *, all_of_them: bool) -> list[OverrideEntry]:
    """The overrides in force; with ``all_of_them``, also those that were cancelled and would not
    have ended yet. Raises CommandError."""
    async with open_store(loaded) as (_, commands):
        entries, now_s = await steers.read(commands)
    if all_of_them:
        return [each for each in entries if now_s < each.override.until_s]
    return [each for each in entries if each.in_force(now_s)]


def as_table(entries: Iterable[OverrideEntry]) -> str:
    """For a terminal."""
    rows = [_HEAD]
    for entry in entries:
        one, by = entry.override, entry.cancelled_by
        until = datetime.fromtimestamp(one.until_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        until = until if by is None else f"cancelled by {by}"
        assets = f"{one.asset_prefix}…" if one.asset_prefix else "all"
        rows.append((one.id, one.source, one.target, one.percent, assets, until, one.who, one.why))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    return "\n".join(
        "  ".join((*map(str.ljust, row[:-1], widths), row[-1])).rstrip() for row in rows
    )


def as_json(entries: Iterable[OverrideEntry]) -> str:
    """For programs: a list of objects."""
    return json.dumps(list(map(steers.members, entries)), indent=2, ensure_ascii=False)
