"""``gateway status``: which gateways run, and does anything of them fail? As Redis knows it."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from gateway.background.survey import survey
from gateway.commands.store_access import open_store
from gateway.config.load import Loaded
from gateway.observe.moment import rfc3339
from gateway.store.connection.address import shown_url
from gateway.store.connection.protocol import Trouble
from gateway.store.coordination import revocations
from gateway.store.coordination.presence import LiveWorker, live_workers


@dataclass(frozen=True, slots=True)
class Status:
    """What was found. ``problems`` are sentences; none when all is well."""

    workers: tuple[LiveWorker, ...]
    store_url: str
    store_state: str
    edges: Counter[str]
    overrides: int
    revoked: int
    problems: tuple[str, ...]

    def as_json(self) -> str:
        """One JSON object."""
        members = {
            "status": "failing" if self.problems else "ok",
            "problems": self.problems,
            "instances": [
                {
                    "host": host,
                    "port": port or None,
                    "workers": [_members(each) for each in workers],
                }
                for (host, port), workers in self._instances()
            ],
            "store": {"url": self.store_url, "state": self.store_state},
            "edges": self.edges,
            "overrides": self.overrides,
            "revocations": self.revoked,
        }
        return json.dumps(members, indent=2)

    def as_text(self) -> str:
        """Lines for a terminal."""
        lines = []
        for (host, port), workers in self._instances():
            count = f"{len(workers)} worker{'' if len(workers) == 1 else 's'}"
            lines.append(f"gateway {host}{f':{port}' if port else ''}, {count}")
            for each in workers:
                config = f"config {each.policy}"
                if each.loaded:
                    config += f" loaded {rfc3339(each.loaded)}"
                version = each.version or "(unknown)"
                started = rfc3339(each.started)
                lines.append(f"  pid {each.pid}: version {version}, since {started}, {config}")
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.edges.items()))
        lines.append(f"store {self.store_url}: {self.store_state}")
        lines.append(f"edges: {states or 'none are known'}")
        lines.append(f"in force: {self.overrides} overrides, {self.revoked} revocations")
        lines += [f"problem: {each}" for each in self.problems] or ["all is well"]
        return "\n".join(lines)

    def _instances(self) -> list[tuple[tuple[str, int], list[LiveWorker]]]:
        """The workers of each host and port, in order."""
        found: dict[tuple[str, int], list[LiveWorker]] = {}
        for each in sorted(self.workers, key=lambda one: (one.host, one.port, one.pid)):
            found.setdefault((each.host, each.port), []).append(each)
        return list(found.items())


async def look(loaded: Loaded) -> Status:
    """The status of the gateways that share the store of a config. Raises CommandError."""
    async with open_store(loaded) as (store, commands):
        workers = tuple(await live_workers(commands))
        found = await survey(loaded, store)
        revoked = len(await revocations.known(commands))
        trouble = found.no_writes
    fleet = found.fleet
    unknown = {template.edge.id for template in found.unresolved}
    conditions = zip(fleet.edges, fleet.conditions, strict=True)
    problems = _problems(workers, trouble, all_down=fleet.all_down)
    problems += [
        f"{each.edge.id}: {each.question.name} is not resolved here, so its edges are not known"
        for each in found.unresolved
    ]
    return Status(
        workers,
        shown_url(loaded.settings.store.url.get_secret_value()),
        "up" if trouble is None else "takes no writes",
        Counter(condition.word for edge, condition in conditions if edge.id not in unknown),
        len(fleet.overrides),
        revoked,
        tuple(problems),
    )


def _problems(
    workers: tuple[LiveWorker, ...], trouble: Trouble | None, *, all_down: bool
) -> list[str]:
    found = []
    if trouble is not None:
        unseen = "" if workers else "; gateways that run cannot say so"
        found.append(f"the store takes no writes: {trouble}{unseen}")
    elif not workers:
        found.append("no gateway runs on this store")
    for each in workers:
        name = f"{each.host} pid {each.pid}"
        if each.refused:
            found.append(f"{name}: the config file has errors; the last good one is in force")
        found += [f"{name}: the background task {task} fails" for task in each.failing]
        if each.store and trouble is None:
            found.append(f"{name}: players are served without the store: {each.store}")
    return [*found, "every edge is down"] if all_down else found


def _members(worker: LiveWorker) -> dict[str, Any]:
    return {
        "pid": worker.pid,
        "version": worker.version or None,
        "since": rfc3339(worker.started),
        "config": {
            "version": worker.policy,
            "loaded": rfc3339(worker.loaded) if worker.loaded else None,
            "refused": worker.refused,
        },
        "failing_tasks": list(worker.failing),
        "store": worker.store or None,
    }
