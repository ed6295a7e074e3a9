"""One request on its way to a decision: intake, facts, profile, ladder, edges, decision."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.types import Scope

from gateway.client.asset import AssetError, asset_id
from gateway.client.facts import Facts
from gateway.client.limits import ParameterError, RequestParameters, parse
from gateway.decision import Choice, Decision, cache_keys, choose, edges_for
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.ladder.fit import NothingToPlayError
from gateway.observe import metrics
from gateway.play import problems
from gateway.play.facts import gather
from gateway.play.known import Counter
from gateway.play.place import Lease, lease, remember
from gateway.play.problems import Problem
from gateway.play.request import Headers, read_headers
from gateway.play.runtime import Gateway, Runtime
from gateway.source.source import (
    BadSourceError,
    NoSuchAssetError,
    OriginError,
    OriginTimeoutError,
    SourceManifest,
)
from gateway.store.caches.decisions import Cache, Wanted


@dataclass(slots=True)  # not frozen: that costs a call for each member, and this is on every way
class Answer:
    """One request on its way, with all that was found out about it."""

    runtime: Runtime
    fleet: Fleet
    asked: RequestParameters
    headers: Headers
    facts: Facts
    source: SourceManifest
    choice: Choice
    decision: Decision
    edges: tuple[Edge, ...]
    lease: Lease | None
    cache: Cache
    marks: list[tuple[str, float]]


def valid_asset(text: str) -> str:
    """An asset id as it came. Raises a 404 for what is none."""
    try:
        return asset_id(text)
    except AssetError as error:
        raise problems.no_such_asset(str(error)) from error


async def answer(gateway: Gateway, scope: Scope, asset: str, *, take: bool) -> Answer:
    """Everything up to the decision, in order. With ``take`` the player goes to the edge that it
    is told, and counts there. Raises :class:`Problem`."""
    runtime, fleet = gateway.runtime, gateway.fleet
    marks: list[tuple[str, float]] = []
    asked, headers, facts = await _read(gateway, runtime, scope, asset)
    marks.append(("facts", time.perf_counter()))
    source = await _load(runtime, asset)
    marks.append(("source", time.perf_counter()))
    wanted, choice = _wanted(runtime, fleet, facts, source)
    try:
        decision, cache = await gateway.decisions.get(wanted)
    except NothingToPlayError as error:
        raise problems.nothing_to_play(str(error)) from error
    edges = edges_for(fleet, decision, facts)
    marks.append(("decide", time.perf_counter()))
    ask = cache != "off" and (facts.record is None or facts.record.whole)
    leased = await lease(
        gateway, facts, choice, decision, source.playlist, edges, take=take, ask=ask
    )
    if leased is not None:
        edges = leased.edges()
        marks.append(("lease", time.perf_counter()))
    if take:
        remember(gateway, facts, edges[0], time.time())
    return _counted(
        Answer(
            runtime=runtime,
            fleet=fleet,
            asked=asked,
            headers=headers,
            facts=facts,
            source=source,
            choice=choice,
            decision=decision,
            edges=edges,
            lease=leased,
            cache=cache,
            marks=marks,
        )
    )


async def answer_many(
    gateway: Gateway, scope: Scope, assets: Sequence[str]
) -> list[Answer | Problem]:
    """The decisions for several assets and one client, in their order, each or why there is none.

    The store is asked once for all of them, after it was asked for the session if the client names
    one. Leases are neither taken nor looked at: full edges come last by the fleet's own state.
    """
    runtime, fleet = gateway.runtime, gateway.fleet
    asked, headers, one = await _read(gateway, runtime, scope, "")
    sources = await asyncio.gather(*(_load_or_problem(runtime, asset) for asset in assets))
    ready: list[tuple[int, Facts, SourceManifest, Choice, Wanted]] = []
    found: dict[int, Answer | Problem] = {}
    for at, (asset, source) in enumerate(zip(assets, sources, strict=True)):
        if isinstance(source, Problem):
            found[at] = source
            continue
        placed_on = None if one.record is None else one.record.edge_of(asset)
        facts = replace(one, asset=asset, placed_on=placed_on)
        wanted, choice = _wanted(runtime, fleet, facts, source)
        ready.append((at, facts, source, choice, wanted))
    decided = await gateway.decisions.get_many([wanted for *_, wanted in ready])
    for (at, facts, source, choice, _), result in zip(ready, decided, strict=True):
        if isinstance(result, NothingToPlayError):
            found[at] = problems.nothing_to_play(str(result))
            continue
        decision, cache = result
        found[at] = _counted(
            Answer(
                runtime=runtime,
                fleet=fleet,
                asked=asked,
                headers=headers,
                facts=facts,
                source=source,
                choice=choice,
                decision=decision,
                edges=edges_for(fleet, decision, facts),
                lease=None,
                cache=cache,
                marks=[],
            )
        )
    return [found[at] for at in range(len(assets))]


async def _read(
    gateway: Gateway, runtime: Runtime, scope: Scope, asset: str
) -> tuple[RequestParameters, Headers, Facts]:
    """What the request says, and the facts that follow."""
    try:
        asked = parse(scope["query_string"])
    except ParameterError as error:
        raise problems.bad_parameter(error.name, str(error)) from error
    headers = read_headers(scope["headers"])
    peer = scope.get("client")
    facts = await gather(gateway, runtime, asset, asked, headers, peer[0] if peer else None)
    return asked, headers, facts


def _wanted(
    runtime: Runtime, fleet: Fleet, facts: Facts, source: SourceManifest
) -> tuple[Wanted, Choice]:
    """Which decision it is, and how it is made where nobody has it."""
    policy = runtime.policy
    choice = choose(policy, facts, source.bandwidths)
    ladder_key, edges_key = cache_keys(policy, fleet, facts, choice, source.version)
    wanted = Wanted(
        ladder_key=ladder_key,
        edges_key=edges_key,
        fleet=fleet,
        facts=facts,
        choice=choice,
        source_version=source.version,
        playlist=source.playlist,
    )
    return wanted, choice


def _counted(answered: Answer) -> Answer:
    device, cache = answered.facts.device.kind, answered.cache
    metrics.decisions(answered.decision.profile, device, cache).inc()
    edge_counter(answered.edges[0]).inc()
    return answered


def edge_counter(edge: Edge) -> Counter:
    """What counts the answers that name ``edge``; edges of one DNS name count as one."""
    return metrics.edge_selections(edge.template or edge.id)


async def _load_or_problem(runtime: Runtime, asset: str) -> SourceManifest | Problem:
    try:
        return await _load(runtime, valid_asset(asset))
    except Problem as problem:
        return problem


async def _load(runtime: Runtime, asset: str) -> SourceManifest:
    try:
        return await runtime.source.load(asset)
    except NoSuchAssetError as error:
        raise problems.no_such_asset(f"there is no asset {asset!r}") from error
    except OriginTimeoutError as error:
        metrics.SOURCE_ERRORS.inc()
        raise problems.origin_timeout(str(error)) from error
    except OriginError as error:
        metrics.SOURCE_ERRORS.inc()
        raise problems.bad_origin(str(error)) from error
    except BadSourceError as error:
        metrics.SOURCE_ERRORS.inc()
        raise problems.bad_source(str(error)) from error
