"""How does a finished body become an answer? It is written once, in the coding that is preferred.

Players' answers and class manifests differ in their headers alone.
"""

from gateway.offload import offload_if_large
from gateway.play.bodies import Body, etag_matches
from gateway.play.compression import accepts_identity
from gateway.play.format import Draft
from gateway.play.reply import RawHeaders, Reply
from gateway.play.request import Request
from gateway.play.runtime import Gateway, Runtime

_OK, _NOT_MODIFIED = 200, 304


async def body_of(gateway: Gateway, draft: Draft, weight: int) -> Body:
    """The manifest of a draft, from the cache or written now. ``weight`` is that of its source.
    Raises :class:`gateway.play.problems.Problem`."""
    body = gateway.playlists.get(draft.key)
    if body is None:
        body = await offload_if_large(weight, _written, draft)
        gateway.playlists.put(draft.key, body)
    return body


def _written(draft: Draft) -> Body:
    return Body(draft.write())


async def reply_with(
    runtime: Runtime,
    request: Request,
    body: Body,
    coding: str,
    media_type: str,
    headers: RawHeaders,
    *,
    is_public: bool = False,
) -> Reply:
    """The answer with a body in ``coding``, or 304 when the client already has it.

    ``headers`` are sent in both cases, with the entity tag. A short body is not compressed unless
    the client takes no other.
    """
    is_short = len(body.identity) < runtime.settings.server.compress_min_bytes
    if is_short and coding != "identity":
        accepted = request.headers.get("accept-encoding") or ""
        coding = "identity" if accepts_identity(accepted) else coding
    etag = body.etag(coding)
    always = (*headers, (b"etag", etag.encode("ascii")))
    if_none_match = request.headers.get("if-none-match")
    if if_none_match is not None and etag_matches(if_none_match, etag):
        return Reply(_NOT_MODIFIED, always, b"", is_public=is_public)
    data = body.known(coding)
    if data is None:
        data = await offload_if_large(len(body.identity), body.coded, coding)
    coded = () if coding == "identity" else ((b"content-encoding", coding.encode("ascii")),)
    kind = (b"content-type", media_type.encode("ascii"))
    length = (b"content-length", b"%d" % len(data))
    return Reply(_OK, (*always, *coded, kind, length), data, is_public=is_public)
