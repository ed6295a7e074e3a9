"""Class manifests: MPDs whose bytes follow from a class of viewers and the source alone, so that a
CDN may keep them (docs/dash.md, "Live at scale").

The first answer to a viewer of a live title is the manifest of its class, and its ``Location``
leads to where everybody of that class asks again.
"""

import time
from collections.abc import Hashable, Sequence
from dataclasses import replace

from gateway.decision import FittedLadder, remembered_tiers
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.rank import viewer_key
from gateway.ladder.rung import Constraints, Rung
from gateway.play.bodies import Body, max_answer_bytes
from gateway.play.dash.client_class import (
    ORDERS,
    ClientClass,
    as_read,
    class_limits,
    edges_for_class,
    kept_for,
    sign_class,
)
from gateway.play.dash.edit import gone_of
from gateway.play.dash.manifest import dash_of
from gateway.play.dash.steering import declared, mirror_of, must_be_single, offer_of, steered
from gateway.play.dash.written import written
from gateway.play.decide import Decided
from gateway.play.runtime import Gateway, Runtime
from gateway.source.source import SourceManifest
from manifests.dash.uris import Destination

PATH = "/v1/class/"
SUFFIX = ".mpd"


def may_be_shared(runtime: Runtime, asset: str) -> bool:
    """Whether new viewers of a live title get class manifests. Whoever has the URL of one gets it,
    as does every cache."""
    return runtime.settings.dash.class_manifests and may_be_public(runtime, asset)


def may_be_public(runtime: Runtime, asset: str) -> bool:
    """Whether everybody may have the manifests of an asset: it wants no playback token and is
    for viewers everywhere, or the CDN in front enforces both."""
    return runtime.settings.tokens.class_manifests or runtime.protections.is_public(asset)


def class_of(gateway: Gateway, found: Decided, parameters: tuple[str, ...]) -> ClientClass | None:
    """The class of a decision; None for a decision that gets an MPD of its own.

    A static MPD is asked for once, so nothing is saved. ``parameters`` are those of the request
    that the MPD has players copy to segments: they are the viewer's own.
    """
    decision, manifest = found.decision, dash_of(found.source)
    asset, runtime = decision.facts.asset, found.runtime
    if parameters or not manifest.is_dynamic or not may_be_shared(runtime, asset):
        return None
    order = viewer_key(asset, decision.facts.viewer) % ORDERS
    single = runtime.steering.enabled and must_be_single(found)
    limits = _limits(gateway, found)
    drawn = ClientClass(limits, decision.edge.key, 0, order, single, start_of(found))
    return as_read(_with_edges(gateway, drawn, asset, runtime.steering.max_pathways), asset)


def _limits(gateway: Gateway, found: Decided) -> Constraints:
    """The limits of the class of a decision. To find them takes several fits, so they are kept with
    the ladders, and outlast a version of the MPD that only lists other segments."""
    decision, ladders = found.decision, gateway.decisions.memo.ladders
    choice, shape = decision.choice, dash_of(found.source).shape
    key = ("class", decision.inquiry.ladder.version, shape, decision.kept, choice.name)
    known = ladders.get(key)
    if known is None:
        limits = class_limits(dash_of(found.source), decision.kept, choice.limits)
        known = FittedLadder(replace(choice, limits=limits), decision.kept, (), decision.rungs)
        ladders.put(key, known)
    return known.choice.limits


def start_of(found: Decided) -> int | None:
    """The bandwidth in bit/s of the rung to start on; None where the MPD does not say so."""
    decision = found.decision
    if not found.runtime.settings.start.in_mpd or decision.choice.limits.untouched:
        return None
    return next((rung.bandwidth for rung in decision.kept_rungs if rung.has_video), None)


def _with_edges(
    gateway: Gateway, client: ClientClass, asset: str, max_pathways: int
) -> ClientClass:
    """The class with its substitute edge, and with the lowest order that lists the same edges
    as its own when all edges are up. So a class has one order where no edges are equal."""
    fleet, most = gateway.fleet.ideal, max(max_pathways, 2)
    orders = range(client.order + 1)
    found = [_edges(gateway, replace(client, order=at), asset, fleet, most) for at in orders]
    mine = found[-1]
    return replace(client, order=found.index(mine), substitute=mine[1 % len(mine)].key)


def _edges(
    gateway: Gateway, client: ClientClass, asset: str, fleet: Fleet, most: int
) -> tuple[Edge, ...]:
    memo = gateway.decisions.memo
    return edges_for_class(
        client, asset, fleet, lambda place: remembered_tiers(fleet, place, 0, memo), most
    )


class ClassDraft:
    """The MPD of a class (:class:`gateway.play.format.Draft`)."""

    __slots__ = (
        *("_asset", "_base", "_client", "_edges", "_gateway", "_mirror", "_most", "_offer"),
        *("_source", "edges", "key"),
    )

    def __init__(
        self,
        gateway: Gateway,
        runtime: Runtime,
        source: SourceManifest,
        asset: str,
        client: ClientClass,
        base: str,
    ) -> None:
        """``runtime`` is the one that the source was loaded with, ``base`` where players reach the
        gateway. Raises a 404 problem when the source is not DASH."""
        self._gateway, self._source, self._asset, self._client = gateway, source, asset, client
        self._base = base
        self._most = max_answer_bytes(runtime.settings)
        fleet = gateway.fleet
        self._edges = _edges(gateway, client, asset, fleet, runtime.steering.max_pathways)
        named = declared(runtime, fleet, self._edges, lambda: client.single)
        now_s = time.time() if fleet.index.signs else 0.0
        mirrors = tuple([mirror_of(edge, source.path, now_s) for edge in named])
        self._offer = offer_of(gateway, asset, named, mirrors, base, named=False)
        self.edges: Sequence[Edge] = self._edges[:1] if self._offer is None else named
        self._mirror = mirror_of(self._edges[0], source.path, now_s)
        self.key: Hashable = (
            *(asset, source.path, dash_of(source).version, source.base_urls),
            *(client, self._mirror, base, gateway.keys.active.id),
            None if self._offer is None else self._offer.cache_key,
        )

    @property
    def edge(self) -> Edge:
        """The edge to load from first."""
        return self._edges[0]

    def write(self) -> bytes:
        """The MPD. Raises a 502 problem when it is too long."""
        manifest, client, source = dash_of(self._source), self._client, self._source
        kept = kept_for(manifest, client.limits)
        rungs = [manifest.ladder.rungs[at] for at in kept]
        destination = Destination(
            path=source.path,
            mirrors=(self._mirror,),
            origin_urls=source.base_urls,
            location=self._location() if manifest.is_dynamic else None,
        )

        def steer(destination: Destination) -> Destination | None:
            offer = self._offer
            if offer is None:
                return None
            return steered(self._gateway, self._asset, manifest, rungs, offer, destination)

        return written(
            manifest,
            gone_of(manifest.mpd, kept, client.limits),
            _start(client, rungs),
            destination,
            steer,
            self._most,
        )

    def _location(self) -> str:
        """Where everybody of the class asks again. The key is signed anew with the key that now
        signs, so that an old one is needed no longer than a session needs it."""
        key = sign_class(self._gateway.keys, self._client, self._asset)
        return f"{self._base}{PATH}{key}/{self._asset}{SUFFIX}"

    def for_session(self, body: Body) -> Body:
        """The same for all sessions."""
        return body


def _start(client: ClientClass, rungs: Sequence[Rung]) -> int | None:
    """The bandwidth of the rung to start on: the highest within what the class says."""
    if client.start is None:
        return None
    listed = [rung.bandwidth for rung in rungs if rung.has_video]
    within = [bandwidth for bandwidth in listed if bandwidth <= client.start]
    return max(within, default=min(listed, default=None))
