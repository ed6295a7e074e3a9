"""The HLS side of the request path: playlists of decisions (:mod:`gateway.play.format`)."""

import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Final

from gateway.decision import nearest_edges
from gateway.edge.edge import Edge
from gateway.edge.signed_root import signed_root
from gateway.play.bodies import Body, max_answer_bytes
from gateway.play.carrying import carried
from gateway.play.decide import Decided, Earlier
from gateway.play.hls.copies import copies_for, may_clone, may_copy
from gateway.play.hls.manifest import (
    MEDIA_TYPE,
    bytes_key,
    playlist_for,
    steering_refusal,
    uris_for,
)
from gateway.play.hls.renewal import may_be_renewed, reference_for
from gateway.play.hls.steering import NO_OTHER_EDGE, OFF, RENEWED, STEERED, STEERED_BY_COPIES
from gateway.play.request import Request
from gateway.play.runtime import Gateway
from gateway.play.steering import named, offer_for, tags_of
from gateway.reason import Reason


class HlsFormat:
    """HLS multivariant playlists."""

    suffix: Final = ".m3u8"
    media_type: Final = MEDIA_TYPE

    def earlier(self, gateway: Gateway, request: Request, asset: str) -> Earlier | None:  # noqa: ARG002
        """None: a player asks for its playlist once."""
        return None

    def draft(self, gateway: Gateway, found: Decided, request: Request) -> "HlsDraft":
        """The playlist of a decision."""
        return HlsDraft(gateway, found, request)

    def names(self, found: Decided, request: Request) -> Sequence[Mapping[str, str | None]]:
        """The URI of each rung that stays; operators are not shown its signature, with which they
        could play. Raises a 400 problem when the source asks for a query parameter that is missing
        (A5.4)."""
        shows = not request.by_operator
        root = signed_root(found.decision.edge, found.source.path, time.time(), shows=shows)
        uris = uris_for(found.source, found.decision, request.parameters.by_name, root)
        return [{"uri": uri} for uri in uris]

    def steering(self, found: Decided, request: Request) -> Reason:
        """Whether the playlist is steered, and why not. Raises as :meth:`names` does."""
        copies, refused = _copies(found, request)
        if refused is not None:
            return refused
        most = max_answer_bytes(found.runtime.settings)
        path, now_s = found.source.path, time.time()
        copied = tuple([(edge.id, edge.url, signed_root(edge, path, now_s)) for edge in copies])
        query = request.parameters.by_name
        root = signed_root(found.decision.edge, path, now_s)
        refused = steering_refusal(found.source, found.decision, query, most, copied, root)
        steered = RENEWED if may_be_renewed(found) else STEERED
        return refused or (STEERED_BY_COPIES if copies else steered)


def _copies(found: Decided, request: Request) -> tuple[tuple[Edge, ...], Reason | None]:
    """The edges for which the playlist lists its ladder once more; and why it is not steered, None
    when it may be."""
    if not found.runtime.steering.enabled:
        return (), OFF
    if may_copy(found):
        return copies_for(found, request.headers)
    if not may_clone(found):
        return (), NO_OTHER_EDGE
    return (), None


class HlsDraft:
    """The playlist of one decision (:class:`gateway.play.format.Draft`)."""

    __slots__ = ("_found", "_gateway", "_offer", "_query", "_root", "edges", "key")

    def __init__(self, gateway: Gateway, found: Decided, request: Request) -> None:
        """Raises a 404 problem when the source is not HLS."""
        self._gateway, self._found = gateway, found
        self._query = request.parameters.by_name
        decision, root, now_s = found.decision, None, 0.0
        if decision.inquiry.fleet.index.signs:
            now_s = time.time()
            root = signed_root(decision.edge, found.source.path, now_s)
        self._root = root
        copies, refused = _copies(found, request)
        self._offer = None
        if refused is None:
            renewed = decision.inquiry.fleet.index.signs and may_be_renewed(found)
            self._offer = offer_for(gateway, found, copies, now_s, renewed=renewed)
        self.edges: Sequence[Edge] = (decision.edge,)
        if self._offer is not None:
            steering = found.runtime.steering
            inline = nearest_edges(decision)[: steering.max_pathways] if steering.inline else ()
            self.edges = inline or (decision.edge, *copies)
        self.key: Hashable = bytes_key(found.source, decision, self._query, self._offer, root)

    def write(self) -> bytes:
        """The playlist. Raises a 400 problem when the source asks for a query parameter that is
        missing, and a 502 problem when the playlist is too long."""
        found, offer = self._found, self._offer
        tags = None
        if offer is not None:
            playlist = reference_for(found) if offer.renewed else None
            tags = tags_of(self._gateway, found, offer, playlist)
        most = max_answer_bytes(found.runtime.settings)
        return playlist_for(found.source, found.decision, self._query, most, tags, self._root)

    def for_session(self, body: Body) -> Body:
        """The playlist with the name of the session, and what the viewer is admitted on, in the URL
        of its steering manifest."""
        found, offer = self._found, self._offer
        if offer is None or not (offer.named or offer.admitted):
            return body
        grant, facts = None, found.decision.facts
        if found.admission is not None:
            grant = carried(self._gateway, found.admission, facts.asset)
        return named(body, facts.session if offer.named else None, grant)
