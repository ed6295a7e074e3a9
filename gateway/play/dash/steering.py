"""Content steering of DASH: which edges does an MPD declare, and where does its player ask?

An MPD declares a BaseURL for each edge that the session may use (docs/dash.md). The steering server
is that of HLS (:mod:`gateway.play.steering`).
"""

import secrets
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from gateway.client.facts import Device
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.rank import ordered_by_key, viewer_key, without_poor
from gateway.edge.signed_root import signed_root
from gateway.ladder.rung import Rung
from gateway.play.carrying import PLACEHOLDER as GRANT_PLACEHOLDER
from gateway.play.dash.client_class import ORDERS, SPARE
from gateway.play.dash.manifest import DashManifest, dash_of
from gateway.play.decide import Decided
from gateway.play.runtime import Gateway, Runtime
from gateway.play.steering import PATH, first_state
from gateway.reason import Reason, Step
from gateway.steering.query import SESSION, SESSION_BYTES, STATE
from gateway.store.connection.keys import session_name
from gateway.trust.keys import Purpose
from manifests.dash.steering import Refusal, nests, refusal
from manifests.dash.uris import Destination, Mirror

_MEDIA3: Final = frozenset({"media3", "ExoPlayer", "OkHttp"})
_ANDROID: Final = frozenset({"Android", "Fire OS"})
_DVB_PROFILE: Final = "urn:dvb:dash:profile:dvb-dash:"

PLACEHOLDER: Final = f"{SESSION}={secrets.token_hex(SESSION_BYTES)}"
"""Takes the place of a session's name in what all sessions of a class share. No source has it."""

STEERED: Final = Reason(
    Step.STEERING, "steered", "the player can be moved between the edges that the MPD names"
)
STEERED_BY_CLONES: Final = Reason(
    Step.STEERING,
    "steered-by-clones",
    "the player can be moved to clones of the one edge that the MPD names: there is no other that "
    "is up, or the player may be media3, which would mix the edges of this MPD",
)
NO_OTHER_EDGE: Final = Reason(
    Step.STEERING, "no-other-edge", "not steered: there is no other edge that is up"
)
OFF: Final = Reason(Step.STEERING, "off", "not steered: steering.enabled is false")
_REFUSED: Final[dict[Refusal, Reason]] = {
    "source-steers": Reason(
        Step.STEERING, "source-steers", "not steered: the source has content steering of its own"
    ),
    "source-has-alternatives": Reason(
        Step.STEERING,
        "source-has-alternatives",
        "not steered: a BaseURL of the source at the MPD level leads to another server",
    ),
    "uris-do-not-move": Reason(
        Step.STEERING,
        "uris-do-not-move",
        "not steered: no segment of the source leads to the edge",
    ),
    "outside-of-signature": Reason(
        Step.STEERING,
        "outside-of-signature",
        "not steered: a URI of the source leads outside of the folder that is signed for each edge",
    ),
}


class DashOffer(NamedTuple):
    """What the steering of an MPD depends on, besides its rungs. It names no session.

    ``key`` is the id of the key that signs. ``edges`` are those that the MPD declares, the one to
    load from first, and ``mirrors`` are these as the MPD names them. ``url`` is the URL of the
    steering server, absolute: dash.js would resolve it against its page (G9). ``named``: it has a
    place for the session's name, ``admitted``: one for what the viewer is admitted on.
    """

    key: str
    edges: tuple[Edge, ...]
    mirrors: tuple[Mirror, ...]
    url: str
    named: bool
    admitted: bool

    @property
    def cache_key(self) -> Hashable:
        """What of it the bytes depend on."""
        return self.key, self.mirrors, self.url, self.named, self.admitted


def edges_for(found: Decided) -> tuple[Edge, ...]:
    """The edges that a steered MPD declares, the serving one first; none when steering is off, or
    there is no other edge to go to.

    The others are near the viewer as well. Viewers of one edge share ``ORDERS`` orders of them, so
    that they share what is written, and do not all try the same edge when theirs fails.
    """
    decision, steering = found.decision, found.runtime.steering
    edge, fleet, facts = decision.edge, decision.inquiry.fleet, decision.facts
    if not steering.enabled:
        return ()
    bucket = viewer_key(facts.asset, facts.viewer) % ORDERS
    key = viewer_key(facts.asset, f"{edge.id}/{bucket}")
    order = ordered_by_key(fleet, decision.tiers, key, steering.max_pathways + SPARE, facts.asset)
    order = without_poor(fleet, order, facts.poor_edges, key)
    others = [
        fleet.edges[at]
        for at in order
        if fleet.edges[at].id != edge.id and fleet.conditions[at].state == "up"
    ]
    near = (edge, *others[: steering.max_pathways - 1])
    return declared(found.runtime, fleet, near, lambda: must_be_single(found))


def declared(
    runtime: Runtime, fleet: Fleet, near: tuple[Edge, ...], single: Callable[[], bool]
) -> tuple[Edge, ...]:
    """Those of the edges ``near``, which begin with the serving one, that a steered MPD declares;
    none when it cannot be steered. ``single`` says whether it may name one edge alone."""
    if not runtime.steering.enabled:
        return ()
    if len(near) == 1:  # a clone would outlive the signature that it takes along
        may_clone = near[0].url_signing is None and fleet.index.has_sibling(near[0])
        return near if may_clone else ()
    return near[:1] if single() else near


def must_be_single(found: Decided) -> bool:
    """Whether the MPD may name one edge alone, as its player may be media3, which would mix
    several."""
    return _may_be_media3(found.player.device) and _would_scatter(found)


def mirror_of(edge: Edge, path: str, now_s: float) -> Mirror:
    """An edge as an MPD names it that is at ``path`` below the source's root, signed at ``now_s``
    (Unix time)."""
    root = None if edge.url_signing is None else signed_root(edge, path, now_s)
    return Mirror(edge.url, edge.id, root)


def offer_of(
    gateway: Gateway,
    asset: str,
    edges: tuple[Edge, ...],
    mirrors: tuple[Mirror, ...],
    base_url: str,
    *,
    named: bool,
    admitted: bool = False,
) -> DashOffer | None:
    """What an MPD offers that declares ``edges``, as ``mirrors``; None when it offers nothing.
    ``base_url`` is where players reach the gateway. Whether the MPD can be steered is seen when it
    is written (:func:`steered`)."""
    if not edges:
        return None
    url = f"{base_url}{PATH}{asset}"
    return DashOffer(gateway.keys.active.id, edges, mirrors, url, named, admitted)


def steered(
    gateway: Gateway,
    asset: str,
    manifest: DashManifest,
    rungs: Sequence[Rung],
    offer: DashOffer,
    destination: Destination,
) -> Destination | None:
    """Where the URIs of the MPD lead when it is steered; None when it cannot be. ``rungs`` are
    those that stay."""
    mirrors = offer.mirrors
    if _refusal(manifest, mirrors, destination) is not None:
        return None
    edge, *others = offer.edges
    count = len(offer.edges)
    live = manifest.is_dynamic
    state = first_state(asset, rungs, edge, others, declared=count, shape=edge.shape, live=live)
    signed = gateway.keys.sign(Purpose.STEERING_STATE, state.to_bytes())
    name = f"&{PLACEHOLDER}" if offer.named else ""
    grant = f"&{GRANT_PLACEHOLDER}" if offer.admitted else ""
    url = f"{offer.url}?{STATE}={signed}{name}{grant}"
    return replace(destination, mirrors=mirrors, steering_url=url)


def steering_of(found: Decided) -> Reason:
    """Whether the MPD of a decision is steered, and why not."""
    edges = edges_for(found)
    if not edges:
        return NO_OTHER_EDGE if found.runtime.steering.enabled else OFF
    path, now_s = found.source.path, time.time()
    mirrors = tuple([mirror_of(edge, path, now_s) for edge in edges])
    refused = _refusal(dash_of(found.source), mirrors, _here(found))
    if refused is not None:
        return _REFUSED[refused]
    return STEERED if len(edges) > 1 else STEERED_BY_CLONES


def name_of(session: str) -> str:
    """What a session has in the place of :data:`PLACEHOLDER`."""
    return f"{SESSION}={session_name(session).hex()}"


def _refusal(
    manifest: DashManifest, mirrors: tuple[Mirror, ...], destination: Destination
) -> Refusal | None:
    wanted = replace(destination, mirrors=mirrors, steering_url="")
    return refusal(manifest.links, wanted, live=manifest.is_dynamic)


def _here(found: Decided) -> Destination:
    """The MPD on the serving edge alone."""
    source, edge = found.source, found.decision.edge
    return Destination(source.path, (Mirror(edge.url, edge.id),), source.base_urls)


def _may_be_media3(device: Device) -> bool:
    """Whether the player may be media3: apps on Android hardly ever name it."""
    player = device.player
    return player in _MEDIA3 or (player is None and device.os in _ANDROID)


def _would_scatter(found: Decided) -> bool:
    """Whether media3 would load each Representation from an edge of its own, if there were
    several (G8)."""
    manifest = dash_of(found.source)
    if any(profile.startswith(_DVB_PROFILE) for profile in manifest.mpd.profiles):
        return False
    return nests(manifest.links, _here(found))
