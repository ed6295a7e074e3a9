"""``gateway steer``: begins, lists and cancels overrides of steering."""

import json
import os
import pwd
import secrets
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from gateway.background.survey import survey
from gateway.commands.edge.announcement import announce
from gateway.commands.steer.moment import Moment
from gateway.commands.store_access import CommandError, open_store
from gateway.config.load import Loaded
from gateway.config.problem import nearest
from gateway.edge.fleet import Fleet
from gateway.edge.override import WHOLE, Override, free_range, leads_back
from gateway.observe.moment import rfc3339
from gateway.store.connection.protocol import Commands
from gateway.store.coordination import overrides
from gateway.store.coordination.overrides import OverrideEntry, entry_of, read_entry, shown

_HEAD: Final = ("id", "from", "to", "share", "assets", "until", "who", "why")


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
class Said:
    """What the command answers: one line, and warnings."""

    text: str
    warnings: Sequence[str] = ()


async def begin(loaded: Loaded, wanted: Wanted, *, force: bool) -> Said:
    """Begin an override. Raises CommandError, and begins nothing, for what makes no sense; unknown
    ids are allowed with ``force``."""
    if wanted.source == wanted.target:
        raise CommandError("--to: is the same edge as --from; allowed is another edge")
    async with open_store(loaded) as (store, commands):
        fleet = (await survey(loaded, store)).fleet
        unknown = _unknown(fleet, wanted)
        if unknown and not force:
            raise CommandError(
                f"{'; '.join(unknown)}; nothing was steered. --config names the file that lists "
                "the edges; --force steers between ids that no edge has yet"
            )
        entries, now_s = await _read(commands)
        one = _override(wanted, [each.override for each in entries if each.in_force(now_s)], now_s)
        await _write(commands, OverrideEntry(one))
    until = rfc3339(one.until_s)
    text = f"{one.id}: {one.sessions} of {one.source} go to {one.target} until {until}"
    return Said(text, (*unknown, *_warnings(fleet, wanted)))


def _override(wanted: Wanted, in_force: Sequence[Override], now_s: int) -> Override:
    """Raises CommandError."""
    source, target = wanted.source, wanted.target
    try:
        until_s = wanted.until.until_s(now_s)
    except ValueError as error:
        raise CommandError(f"--until: {error}") from error
    if leads_back(in_force, source, target, wanted.asset_prefix):
        others = ", ".join(_short(one) for one in in_force)
        raise CommandError(
            f"--to: sessions would go in circles, since these are in force: {others}; cancel one "
            "of them first"
        )
    low = free_range(in_force, source, wanted.share, wanted.asset_prefix)
    if low is None:
        others = ", ".join(
            _short(one)
            for one in in_force
            if one.source == source and one.concerns(wanted.asset_prefix)
        )
        raise CommandError(
            f"--share: with those in force, more than the sessions of {source} would go elsewhere: "
            f"{others}; allowed is a share that is left, or cancel one"
        )
    return Override(
        id=secrets.token_hex(4),
        source=source,
        target=target,
        low=low,
        high=low + wanted.share,
        since_s=now_s,
        until_s=until_s,
        who=operator(),
        why=shown(wanted.why),
        asset_prefix=wanted.asset_prefix,
    )


async def cancel(loaded: Loaded, override: str) -> str:
    """End an override now. Raises CommandError when there is none with that id."""
    async with open_store(loaded) as (_, commands):
        entries, now_s = await _read(commands)
        in_force = {each.override.id: each for each in entries if each.in_force(now_s)}
        found = in_force.get(override)
        if found is None:
            known = ", ".join(sorted(in_force)) or "none"
            raise CommandError(f"no override has the id {override!r}; in force: {known}")
        await _write(commands, replace(found, cancelled_by=operator()))
    return f"{override}: cancelled; sessions stay where they are"


async def known(loaded: Loaded, *, all_of_them: bool) -> list[OverrideEntry]:
    """The overrides in force; with ``all_of_them``, also those that were cancelled and would not
    have ended yet. Raises CommandError."""
    async with open_store(loaded) as (_, commands):
        entries, now_s = await _read(commands)
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
    found = [
        {
            "id": one.id,
            "from": one.source,
            "to": one.target,
            "share": (one.high - one.low) / WHOLE,
            "asset_prefix": one.asset_prefix or None,
            "since": rfc3339(one.since_s),
            "until": rfc3339(one.until_s),
            "who": one.who,
            "why": one.why,
            "cancelled_by": by,
        }
        for one, by in ((entry.override, entry.cancelled_by) for entry in entries)
    ]
    return json.dumps(found, indent=2, ensure_ascii=False)


def operator() -> str:
    """Who runs the command: the user of the operating system, and the host."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"uid {os.getuid()}"
    return shown(f"{user}@{socket.gethostname()}")


async def _read(commands: Commands) -> tuple[list[OverrideEntry], int]:
    """The entries in the order of their beginning, and Redis's Unix time. What cannot be read is
    left out."""
    contents = await overrides.read(commands)
    found: list[OverrideEntry] = []
    for key, data in (contents.entries or {}).items():
        try:
            found.append(read_entry(key, data, contents.now_s))
        except ValueError:
            continue  # gateways name it in their logs, and remove it
    return sorted(found, key=lambda each: (each.override.since_s, each.override.id)), contents.now_s


async def _write(commands: Commands, entry: OverrideEntry) -> None:
    """Write an entry, and make every gateway read it at once. Raises CommandError."""
    if not await overrides.write(commands, {entry.override.id.encode(): entry_of(entry)}):
        raise CommandError(
            f"there are {overrides.MAX_OVERRIDES} overrides, counting those that were cancelled "
            "and would not have ended yet; allowed are no more"
        )
    await announce(commands, "override", entry.override.source)


def _unknown(fleet: Fleet, wanted: Wanted) -> list[str]:
    edges = set(fleet.positions)
    tables = {edge.template for edge in fleet.edges if edge.template}
    return [
        *_not_known("--from", wanted.source, edges | tables),
        *_not_known("--to", wanted.target, edges),
    ]


def _not_known(option: str, given: str, known: Iterable[str]) -> list[str]:
    ids = sorted(known)
    if given in ids:
        return []
    similar = nearest(given, ids)
    hint = f'; did you mean "{similar}"?' if similar else ""
    listed = ", ".join(ids[:20]) + (", …" if len(ids) > 20 else "")  # noqa: PLR2004
    return [f'{option}: no edge has the id "{given}"{hint} (allowed: {listed})']


def _warnings(fleet: Fleet, wanted: Wanted) -> list[str]:
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


def _short(one: Override) -> str:
    of = f" with {one.asset_prefix}…" if one.asset_prefix else ""
    return f"{one.id} ({one.percent} of {one.source}{of} to {one.target})"
