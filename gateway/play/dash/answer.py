"""The DASH side of the request path: MPDs of decisions (:mod:`gateway.play.format`)."""

import secrets
import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from gateway.client.limits import LIMIT_NAMES
from gateway.edge.edge import Edge
from gateway.play.base_url import base_url_of
from gateway.play.bodies import Body, max_answer_bytes
from gateway.play.carrying import PLACEHOLDER as GRANT_PLACEHOLDER
from gateway.play.carrying import carried
from gateway.play.dash.class_draft import ClassDraft, class_of, start_of
from gateway.play.dash.edit import gone_of
from gateway.play.dash.ladder import offered
from gateway.play.dash.manifest import MEDIA_TYPE, dash_of
from gateway.play.dash.refresh import STATE, hour_of, kept_query, read_state, sign_state
from gateway.play.dash.steering import (
    PLACEHOLDER,
    edges_for,
    mirror_of,
    name_of,
    offer_of,
    steered,
    steering_of,
)
from gateway.play.dash.written import written
from gateway.play.decide import Decided, Earlier
from gateway.play.format import Draft
from gateway.play.presented import QUERY_NAMES
from gateway.play.request import Request
from gateway.play.runtime import Gateway
from gateway.play.steering import MAX_NAMED_WEIGHT
from gateway.reason import Reason
from gateway.steering.query import GRANT
from manifests.dash.uris import Destination, query_names

_OURS: Final = frozenset(
    {
        *("speed", "clientBandwidthHint", "session", "CMCD", "fields", "format", STATE, GRANT),
        *LIMIT_NAMES,
    }
)
"""The query parameters that the gateway reads itself: they are nothing for segments (E14)."""
_OURS_WITH_TOKENS: Final = _OURS.union(QUERY_NAMES)
"""The same where assets want playback tokens: segments get none, whatever the source asks for."""
_PLACEHOLDER: Final = f"session={secrets.token_hex(16)}"
"""Takes the place of a session in what all sessions of a class share. No source can have it."""
_ENCODINGS: Final = ("ascii", "utf-16-le", "utf-16-be")


class DashFormat:
    """MPDs."""

    suffix: Final = ".mpd"
    media_type: Final = MEDIA_TYPE

    def earlier(self, gateway: Gateway, request: Request, asset: str) -> Earlier | None:
        """What the state in the URL of a refresh has fixed; None at first, and for a state that
        cannot be trusted: that is no error."""
        text = request.parameters.by_name.get(STATE)
        if text is None:
            return None
        return read_state(gateway.keys, text, asset, gateway.runtime.policy, time.time())

    def draft(self, gateway: Gateway, found: Decided, request: Request) -> Draft:
        """The MPD of a decision, or of its class."""
        given, links = request.parameters.by_name, dash_of(found.source).links
        ours = _OURS_WITH_TOKENS if found.runtime.protections else _OURS
        names = query_names(links, [name for name in given if name not in ours])
        client = class_of(gateway, found, names)
        if client is None:
            return DashDraft(gateway, found, request, names)
        base = base_url_of(found.runtime, request)
        asset = found.decision.facts.asset
        return ClassDraft(gateway, found.runtime, found.source, asset, client, base)

    def names(self, found: Decided, request: Request) -> Sequence[Mapping[str, str | None]]:  # noqa: ARG002
        """The id of each Representation that stays. It has no URI of its own: its segments have."""
        rungs = offered(dash_of(found.source).mpd)
        return [{"id": rungs[index].id, "uri": None} for index in found.decision.kept]

    def steering(self, found: Decided, request: Request) -> Reason:  # noqa: ARG002
        """Whether the MPD is steered, and why not."""
        return steering_of(found)


class DashDraft:
    """The MPD of one decision (:class:`gateway.play.format.Draft`)."""

    __slots__ = (
        *("_found", "_gateway", "_given_session", "_hour", "_manifest", "_mirror", "_offer"),
        *("_parameters", "_refresh", "edges", "key"),
    )

    def __init__(
        self, gateway: Gateway, found: Decided, request: Request, names: tuple[str, ...]
    ) -> None:
        """``names`` are the parameters of the request that the MPD has players copy to segments.
        Raises a 404 problem when the source is not DASH."""
        self._gateway, self._found = gateway, found
        self._manifest = manifest = dash_of(found.source)
        given, decision = request.parameters.by_name, found.decision
        self._parameters = names
        now_s, path = time.time(), found.source.path
        self._hour = hour_of(now_s)
        self._mirror = mirror_of(decision.edge, path, now_s)
        self._refresh: str | None = None
        self._given_session = request.parameters.session
        pinned: Hashable = None
        base = base_url_of(found.runtime, request)
        if manifest.is_dynamic:
            query = [
                kept_query(request),
                *(f"{each}={quote(given[each], safe='')}" for each in names),
            ]
            if self._given_session is not None:
                query.append(_PLACEHOLDER)
            if found.admission is not None:
                query.append(GRANT_PLACEHOLDER)
            url = f"{base}/v1/play/{decision.facts.asset}{DashFormat.suffix}?"
            self._refresh = url + "".join(f"{part}&" for part in query if part)
            capability, start = decision.facts.device.capability, decision.inquiry.start_bandwidth
            version = decision.inquiry.policy.rules_version
            pinned = (self._hour, gateway.keys.active.id, capability, start, version)
        admitted = found.admission is not None
        named = self._names_session() or admitted or manifest.weight <= MAX_NAMED_WEIGHT
        named = named and decision.facts.session is not None
        edges = edges_for(found)
        mirrors = tuple([mirror_of(edge, path, now_s) for edge in edges])
        offer = offer_of(
            gateway, decision.facts.asset, edges, mirrors, base, named=named, admitted=admitted
        )
        self._offer = offer
        self.edges: Sequence[Edge] = (decision.edge,) if offer is None else edges
        self.key: Hashable = (
            path,
            manifest.version,
            decision.kept,
            decision.choice.name,
            self._mirror,
            found.source.base_urls,
            names,
            self._refresh,
            pinned,
            None if offer is None else offer.cache_key,
            start_of(found),
        )

    def write(self) -> bytes:
        """The MPD. Raises a 502 problem when it is too long."""
        found, manifest, decision = self._found, self._manifest, self._found.decision
        destination = Destination(
            path=found.source.path,
            mirrors=(self._mirror,),
            origin_urls=found.source.base_urls,
            location=self._location(),
            parameters=self._parameters,
        )
        return written(
            manifest,
            gone_of(manifest.mpd, decision.kept, decision.choice.limits),
            start_of(found),
            destination,
            self._steered,
            max_answer_bytes(found.runtime.settings),
        )

    def _steered(self, destination: Destination) -> Destination | None:
        """Where URIs lead when the MPD is steered; None when it is not."""
        decision, offer = self._found.decision, self._offer
        if offer is None:
            return None
        asset, rungs = decision.facts.asset, decision.kept_rungs
        return steered(self._gateway, asset, self._manifest, rungs, offer, destination)

    def _location(self) -> str | None:
        """Where the player asks again; None for an MPD that does not change."""
        if self._refresh is None:
            return None
        signed = sign_state(self._gateway.keys, self._found.decision, self._hour)
        return f"{self._refresh}{STATE}={signed}"

    def for_session(self, body: Body) -> Body:
        """The MPD with the session in the URL of its refreshes, if the request names it there, and
        its name in the URL of the steering server. A player that names it in CMCD does so in every
        request. Both URLs carry what the viewer is admitted on."""
        found, offer, names = self._found, self._offer, {}
        session = found.decision.facts.session
        if self._given_session is not None and self._names_session():
            # What the player has given, also where it has a session of its own under that id.
            names[_PLACEHOLDER] = f"session={quote(self._given_session, safe='')}"
        if session is not None and offer is not None and offer.named:
            names[PLACEHOLDER] = name_of(session)
        if found.admission is not None and (self._refresh is not None or offer is not None):
            asset = found.decision.facts.asset
            names[GRANT_PLACEHOLDER] = carried(self._gateway, found.admission, asset)
        if not names:
            return body
        data = body.identity
        for encoding in _ENCODINGS:
            for place, name in names.items():
                data = data.replace(place.encode(encoding), name.encode(encoding))
        return Body(data)

    def _names_session(self) -> bool:
        """Whether the URL of refreshes has a place for the session."""
        return self._refresh is not None and _PLACEHOLDER in self._refresh
