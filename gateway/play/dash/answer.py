"""The DASH side of the request path: MPDs of decisions (:mod:`gateway.play.format`)."""

import secrets
import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from gateway.play import problems
from gateway.play.bodies import Body, max_answer_bytes
from gateway.play.dash.edit import gone_of
from gateway.play.dash.ladder import offered
from gateway.play.dash.manifest import MEDIA_TYPE, bad_source, dash_of
from gateway.play.dash.refresh import STATE, hour_of, kept_query, read_state, sign_state
from gateway.play.decide import Decided, Earlier
from gateway.play.request import Request
from gateway.play.runtime import Gateway
from gateway.reason import Reason, Step
from manifests.dash.filtering import filter_splices
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
_NOT_STEERED: Final = Reason(Step.STEERING, "dash", "not steered: the manifest is an MPD")
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
        """Why the MPD is not steered."""
        return _NOT_STEERED


class DashDraft:
    """The MPD of one decision (:class:`gateway.play.format.Draft`)."""

    __slots__ = ("_found", "_gateway", "_hour", "_manifest", "_parameters", "_refresh", "key")

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
        if manifest.is_dynamic:
            base = found.runtime.settings.server.public_url or request.base_url
            query = [
                kept_query(request),
                *(f"{each}={quote(given[each], safe='')}" for each in names),
            ]
            if request.parameters.session is not None:
                query.append(_PLACE)
            url = f"{base.rstrip('/')}/v1/play/{decision.facts.asset}{DashFormat.suffix}?"
            self._refresh = url + "".join(f"{part}&" for part in query if part)
            capability, start = decision.facts.device.capability, decision.inquiry.start_bandwidth
            pinned = (self._hour, gateway.keys.active.id, capability, start)
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
        )

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
        most = max_answer_bytes(found.runtime.settings)
        try:
            return write(manifest.links, edits, destination, most)
        except ManifestError as error:
            raise problems.source_problem(bad_source(error)) from error

    def _location(self) -> str | None:
        """Where the player asks again; None for an MPD that does not change."""
        if self._refresh is None:
            return None
        signed = sign_state(self._gateway.keys, self._found.decision, self._hour)
        return f"{self._refresh}{STATE}={signed}"

    def for_session(self, body: Body) -> Body:
        """The MPD with the session in the URL of its refreshes, if the request names it there. A
        player that names it in CMCD does so in every request."""
        session = self._found.decision.facts.session
        if self._refresh is None or session is None or _PLACE not in self._refresh:
            return body
        name = f"session={quote(session, safe='')}"
        data = body.identity
        for encoding in _ENCODINGS:
            data = data.replace(_PLACE.encode(encoding), name.encode(encoding))
        return Body(data)
