"""How is a request decided? The same function serves one asset and a batch of a hundred.

It gathers the facts, loads the sources, reads missing halves of decisions from the store, and calls
:func:`gateway.decision.decide`.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gateway.client.asset import AssetError, asset_id
from gateway.client.facts import Facts, Pinned
from gateway.decision import Decision, Inquiry, Memo, decide, fit_ladder, inquire
from gateway.edge.rank import MIN_RANKED
from gateway.ladder.fit import NothingToPlayError
from gateway.observe import metrics
from gateway.offload import offload
from gateway.play import problems
from gateway.play.clients import Player
from gateway.play.facts import gather_facts, with_pinned
from gateway.play.licences import told_licence
from gateway.play.problems import Problem
from gateway.play.rate_limited import limit_session, limit_token
from gateway.play.reply import RawHeaders
from gateway.play.request import Request
from gateway.play.revoked import check_session
from gateway.play.runtime import Gateway, Runtime
from gateway.play.token_renewal import token_headers
from gateway.play.tokens import admit_all, present, told_operators, with_admission
from gateway.source.source import BadSourceError, NoSuchAssetError, Source, SourceManifest
from gateway.store.caches.decisions import CacheStatus
from gateway.trust.admission import Admission
from manifests.format import ManifestFormat

INLINE_RUNGS = 500
"""A longer ladder is fitted in a thread: each rung takes a few microseconds."""


@dataclass(slots=True)
class Timeline:
    """When the stages of one request ended, in seconds of ``time.perf_counter``."""

    start: float = field(default_factory=time.perf_counter)
    ends: list[tuple[str, float]] = field(default_factory=list)

    def end(self, stage: str, *, happened: bool = True) -> None:
        """Note that a stage has ended now, if it ``happened``."""
        if happened:
            self.ends.append((stage, time.perf_counter()))

    def header(self) -> bytes:
        """The stages as a ``Server-Timing`` value, durations in ms. ``decide`` includes ``store``,
        which traces tell apart."""
        entries, start = [], self.start
        for stage, end in self.ends:
            if stage == "store":
                continue
            entries.append(f"{stage};dur={(end - start) * 1000:.2f}")
            start = end
        return ", ".join(entries).encode("ascii")


class Earlier(NamedTuple):
    """What an earlier answer to a session has fixed: the edge that it named first (an
    ``Edge.key``), and what it pinned; None when that no longer holds."""

    edge: int
    pinned: Pinned | None


@dataclass(slots=True)  # not frozen, which costs a call for each field: every request makes one
class Decided:
    """A decision with its player and source, and where it came from. ``admission``: on what its
    viewer is admitted; None for an asset that wants no token. ``token_headers``: those of
    :func:`gateway.play.token_renewal.token_headers`."""

    runtime: Runtime
    player: Player
    source: SourceManifest
    decision: Decision
    cache: CacheStatus
    admission: Admission | None = None
    token_headers: RawHeaders = ()

    def count(self) -> None:
        """Count the decision in metrics. Edges of one DNS name share a label."""
        decision, edge = self.decision, self.decision.edge
        device = decision.facts.device.kind
        metrics.decisions(decision.choice.profile.name, device, self.cache).inc()
        metrics.edge_selections(edge.template or edge.id).inc()


def valid_asset(text: str) -> str:
    """Return ``text`` if it is an asset id. Raises a 404 problem otherwise."""
    try:
        return asset_id(text)
    except AssetError as error:
        raise problems.no_such_asset(str(error)) from error


async def decide_one(
    gateway: Gateway,
    request: Request,
    asset: str,
    timeline: Timeline,
    edge_count: int = MIN_RANKED,
    wanted: ManifestFormat | None = None,
    earlier: Earlier | None = None,
) -> Decided:
    """The decision for one asset, with ``edge_count`` edges. Raises :class:`Problem`."""
    [found] = await decide_all(gateway, request, [asset], timeline, edge_count, wanted, earlier)
    if isinstance(found, Problem):
        raise found
    return found


async def decide_all(
    gateway: Gateway,
    request: Request,
    assets: Sequence[str],
    timeline: Timeline,
    edge_count: int = MIN_RANKED,
    wanted: ManifestFormat | None = None,
    earlier: Earlier | None = None,
) -> list[Decided | Problem]:
    """One decision or problem for each asset (valid ids), in their order, for one client.

    The decision is about the manifest in the format ``wanted``; when it is None, about the HLS
    playlist, or about the MPD of an asset that has no playlist. ``earlier`` is what an earlier
    answer to the session has fixed. The store is read once for all assets, and before that for the
    session if the client names one. The client's facts are gathered once. ``assets`` has at least
    one member. ``edge_count`` is how many edges each decision needs. Raises RateLimited for a
    session, or a token, that asks for too much.
    """
    runtime, fleet, memo = gateway.runtime, gateway.fleet, gateway.decisions.memo
    presented = present(gateway, runtime, request, assets, wanted)
    player = runtime.clients.player(request.headers)
    client = await gather_facts(gateway, runtime, request, player, assets[0])
    if not request.by_operator:
        check_session(gateway, client.named)
    limit_session(gateway, request, client.session, len(assets))
    admissions = admit_all(gateway, runtime, request, presented, client, assets)
    limit_token(gateway, request, admissions)
    tokens = () if request.by_operator else token_headers(runtime, presented, admissions.values())
    if earlier is not None:
        client = with_pinned(client, earlier.pinned, earlier.edge, fleet)
    told = runtime if request.by_operator else None
    if request.by_operator:
        client = told_operators(client, presented)
    timeline.end("facts")
    sources = await _load_all(runtime, assets, admissions, client.network, wanted)
    timeline.end("source")
    inquiries = {
        at: inquire(
            runtime.policy,
            fleet,
            with_admission(_facts_for(client, asset, told), admissions.get(at)),
            source.manifest.ladder,
            memo,
            edge_count,
        )
        for at, (asset, source) in enumerate(zip(assets, sources, strict=True))
        if not isinstance(source, Problem)
    }
    lookups = await gateway.decisions.recall(inquiries)
    timeline.end("store", happened=bool(lookups))
    found: list[Decided | Problem] = []
    for at, source in enumerate(sources):
        if isinstance(source, Problem):
            found.append(source)
            continue
        lookup = lookups.get(at)
        status: CacheStatus = "local" if lookup is None else lookup.status
        inquiry = inquiries[at]
        try:
            if len(inquiry.ladder.rungs) > INLINE_RUNGS:
                await _fit_elsewhere(inquiry, memo)
            decision = decide(inquiry, memo)
        except NothingToPlayError as error:
            found.append(problems.nothing_to_play(str(error)))
        else:
            admission = admissions.get(at)
            admitted = admission if isinstance(admission, Admission) else None
            found.append(Decided(runtime, player, source, decision, status, admitted, tokens))
        if len(assets) > 1 and lookup is not None:
            await asyncio.sleep(0)  # other requests must not wait for a whole batch
    gateway.decisions.share(lookups.values())
    timeline.end("decide")
    return found


async def _fit_elsewhere(inquiry: Inquiry, memo: Memo) -> None:
    """Fit a long ladder in a thread, unless it is known. Raises NothingToPlayError."""
    if inquiry.fitted is None and memo.ladders.get(inquiry.ladder_key) is None:
        inquiry.fitted = await offload(fit_ladder, inquiry)
        memo.ladders.put(inquiry.ladder_key, inquiry.fitted)


def _facts_for(client: Facts, asset: str, told: Runtime | None) -> Facts:
    """The client's facts for another asset. An operator is ``told`` where it is not licensed."""
    if asset != client.asset:
        placed_on = None if client.record is None else client.record.edge_of(asset)
        client = replace(client, asset=asset, placed_on=placed_on)
    return client if told is None else told_licence(told, client)


async def _load_all(
    runtime: Runtime,
    assets: Sequence[str],
    admissions: Mapping[int, Admission | Problem],
    client: str,
    wanted: ManifestFormat | None,
) -> list[SourceManifest | Problem]:
    """The source of each asset to which the viewer is admitted, or a problem."""
    refused = {at: each for at, each in admissions.items() if isinstance(each, Problem)}
    if len(assets) == 1:
        return [refused.get(0) or await load_source(runtime, assets[0], client, wanted)]
    loaded = iter(
        await asyncio.gather(
            *(
                load_source(runtime, asset, client, wanted)
                for at, asset in enumerate(assets)
                if at not in refused
            )
        )
    )
    return [refused[at] if at in refused else next(loaded) for at in range(len(assets))]


async def load_source(
    runtime: Runtime, asset: str, client: str, wanted: ManifestFormat | None
) -> SourceManifest | Problem:
    """The source manifest of an asset in the format ``wanted`` (None: any), or the problem to
    answer with. ``client`` is the network that asks."""
    source = runtime.source
    try:
        if wanted is not None:
            return await source.load(asset, client, wanted)
        try:
            return await source.load(asset, client, ManifestFormat.HLS)
        except NoSuchAssetError:
            return await source.load(asset, client, ManifestFormat.DASH)
    except NoSuchAssetError as error:
        return problems.no_such_asset(error.fault or await _what_there_is(source, asset, wanted))
    except BadSourceError as error:
        metrics.SOURCE_ERRORS.labels(error.kind).inc()
        return problems.source_problem(error)


async def _what_there_is(source: Source, asset: str, wanted: ManifestFormat | None) -> str:
    """Why there is no manifest of the wanted format, as a sentence. An origin is not asked for
    the other format, so the asset may exist in that format even if this does not say so."""
    if wanted is ManifestFormat.DASH:
        if await source.has(asset, ManifestFormat.HLS):
            return f"{asset!r} has no MPD; its HLS playlist is /v1/play/{asset}.m3u8"
        return f"there is no asset {asset!r} that has an MPD"
    if wanted is ManifestFormat.HLS and await source.has(asset, ManifestFormat.DASH):
        return f"{asset!r} has no HLS playlist; its MPD is /v1/play/{asset}.mpd"
    return f"there is no asset {asset!r}"
