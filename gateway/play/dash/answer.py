"""The DASH side of the request path: MPDs of decisions (:mod:`gateway.play.format`)."""

import secrets
import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from gateway.play import problems
from gateway.play.base_url import base_url_of
from gateway.play.bodies import Body, max_answer_bytes
from gateway.play.dash.edit import gone_of
from gateway.play.dash.ladder import offered
from gateway.play.dash.manifest import MEDIA_TYPE, bad_source, dash_of
from gateway.play.dash.refresh import STATE, hour_of, kept_query, read_state, sign_state
from gateway.play.dash.steering import PLACE, name_of, offer_for, steered, steering_of
from gateway.play.decide import Decided, Earlier
from gateway.play.request import Request
from gateway.play.runtime import Gateway
from gateway.play.steering import MAX_NAMED_WEIGHT
from gateway.reason import Reason
from manifests.dash.filtering import filter_splices
from manifests.dash.splices import Splice
from manifests.dash.start import start_splices
from manifests.dash.uris import Destination, Mirror, query_names
from manifests.dash.writing import write
from manifests.fault import ManifestError

_OURS: Final = frozenset(
    {
        *("speed", "clientBandwidthHint", "session", "CMCD", "fields", "format", STATE),
        *("max_resolution", "min_resolution", "max_bitrate", "codecs"),
    }
)
"""The query parameters that the gateway reads itself: they are nothing for segments (E14)."""
_PLACE: Final = f"session={secrets.token_hex(16)}"
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

    def draft(self, gateway: Gateway, found: Decided, request: Request) -> "DashDraft":
        """The MPD of a decision."""
        return DashDraft(gateway, found, request)

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
        *("_found", "_gateway", "_hour", "_manifest", "_offer", "_parameters", "_refresh", "key"),
    )

    def __init__(self, gateway: Gateway, found: Decided, request: Request) -> None:
        """Raises a 404 problem when the source is not DASH."""
        self._gateway, self._found = gateway, found
        self._manifest = manifest = dash_of(found.source)
        given, decision = request.parameters.by_name, found.decision
        names = query_names(manifest.links, [name for name in given if name not in _OURS])
        self._parameters = names
        self._hour = hour_of(time.time())
        self._refresh: str | None = None
        pinned: Hashable = None
        base = base_url_of(found.runtime, request)
        if manifest.is_dynamic:
            query = [
                kept_query(request),
                *(f"{each}={quote(given[each], safe='')}" for each in names),
            ]
            if request.parameters.session is not None:
                query.append(_PLACE)
            url = f"{base}/v1/play/{decision.facts.asset}{DashFormat.suffix}?"
            self._refresh = url + "".join(f"{part}&" for part in query if part)
            capability, start = decision.facts.device.capability, decision.inquiry.start_bandwidth
            pinned = (self._hour, gateway.keys.active.id, capability, start)
        named = self._names_session() or manifest.weight <= MAX_NAMED_WEIGHT
        named = named and decision.facts.session is not None
        self._offer = offer = offer_for(gateway, found, base, named=named)
        self.key: Hashable = (
            found.source.path,
            manifest.version,
            decision.kept,
            decision.choice.name,
            decision.edge.url,
            found.source.base_urls,
            names,
            self._refresh,
            pinned,
            None if offer is None else offer.cache_key,
            self._start(),
        )

    def _start(self) -> int | None:
        """The bandwidth in bit/s of the rung to start on; None where the MPD does not say so."""
        decision = self._found.decision
        if not self._found.runtime.settings.start.in_mpd or decision.choice.limits.untouched:
            return None
        rungs = decision.inquiry.ladder.rungs
        return next((rungs[at].bandwidth for at in decision.kept if rungs[at].has_video), None)

    def write(self) -> bytes:
        """The MPD. Raises a 502 problem when it is too long."""
        found, manifest, decision = self._found, self._manifest, self._found.decision
        gone = gone_of(manifest.mpd, decision.kept, decision.choice.limits)
        destination = Destination(
            path=found.source.path,
            mirrors=(Mirror(decision.edge.url, decision.edge.id),),
            origin_urls=found.source.base_urls,
            location=self._location(),
            parameters=self._parameters,
        )
        edits = filter_splices(manifest.mpd, gone)
        start = self._start()
        if start is not None:
            edits += start_splices(manifest.mpd, manifest.links, start)
        most = max_answer_bytes(found.runtime.settings)
        try:
            return self._steered(edits, destination, most) or write(
                manifest.links, edits, destination, most
            )
        except ManifestError as error:
            raise problems.source_problem(bad_source(error)) from error

    def _steered(
        self, edits: Sequence[Splice], destination: Destination, most: int
    ) -> bytes | None:
        """The MPD with content steering; None when it has none, or would be too long with it."""
        offer = self._offer
        wanted = None if offer is None else steered(self._gateway, self._found, offer, destination)
        if wanted is None:
            return None
        try:
            return write(self._manifest.links, edits, wanted, most)
        except ManifestError:
            return None

    def _location(self) -> str | None:
        """Where the player asks again; None for an MPD that does not change."""
        if self._refresh is None:
            return None
        signed = sign_state(self._gateway.keys, self._found.decision, self._hour)
        return f"{self._refresh}{STATE}={signed}"

    def for_session(self, body: Body) -> Body:
        """The MPD with the session in the URL of its refreshes, if the request names it there, and
        its name in the URL of the steering server. A player that names it in CMCD does so in every
        request."""
        session, offer = self._found.decision.facts.session, self._offer
        if session is None:
            return body
        names = {}
        if self._names_session():
            names[_PLACE] = f"session={quote(session, safe='')}"
        if offer is not None and offer.named:
            names[PLACE] = name_of(session)
        if not names:
            return body
        data = body.identity
        for encoding in _ENCODINGS:
            for place, name in names.items():
                data = data.replace(place.encode(encoding), name.encode(encoding))
        return Body(data)

    def _names_session(self) -> bool:
        """Whether the URL of refreshes has a place for the session."""
        return self._refresh is not None and _PLACE in self._refresh
