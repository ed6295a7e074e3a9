"""All error answers of the gateway, as RFC 9457 problem details."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from gateway.observe import metrics
from gateway.play.reply import Reply
from gateway.source.source import (
    BadSourceError,
    OriginError,
    OriginTimeoutError,
    SourceLostError,
)

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:problem:streaming-gateway:"
NOSNIFF = {"X-Content-Type-Options": "nosniff"}
"""A problem names what was asked for: no browser may take it for a page."""
_LONGEST_INSTANCE = 600
_LONGEST_HOST = 100
_LONGEST_TYPE = 100
_PATH_CHARACTERS = "/!$&'()*+,;=:@"
"""Characters that a path may contain unescaped (RFC 3986, 3.3); ``instance`` is a URI reference."""


@dataclass(slots=True)
class Problem(Exception):  # noqa: N818  # RFC 9457's own word
    """An error answer. ``kind`` is the end of the problem's ``type``. ``detail`` is for people; it
    says what was wrong and what is allowed. ``for_operators`` replaces it on their listener."""

    status: int
    kind: str
    title: str
    detail: str
    extra: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    for_operators: str | None = None


def bad_parameter(name: str, detail: str) -> Problem:
    """400: a known query parameter is malformed."""
    return Problem(400, "bad-parameter", "Malformed parameter", detail, {"parameter": name})


def no_such_asset(detail: str) -> Problem:
    """404: there is no such asset, or it has no manifest of this format."""
    return Problem(404, "no-such-asset", "No such asset", detail)


def no_such_class() -> Problem:
    """404: the key of a class manifest is not one of ours, or is for another asset."""
    detail = (
        "this gateway has not signed this class key, or signed it for another asset; "
        "ask for /v1/play again"
    )
    return Problem(404, "no-such-class", "No such class", detail)


def revoked() -> Problem:
    """403: an operator has revoked the session, or its token."""
    detail = "this session, or the token that it came with, has been revoked"
    return Problem(403, "revoked", "Revoked", detail)


def no_such_path() -> Problem:
    """404: no route has this path."""
    return Problem(
        404,
        "no-such-path",
        "No such path",
        "the gateway has no such path; docs/http.md and /openapi.json list all paths",
    )


def for_players_alone() -> Problem:
    """404: manifests are answered on the players' listener alone."""
    detail = "manifests are on the players' listener (server.port); drop the suffix for JSON"
    return Problem(404, "no-such-path", "No such path", detail)


def unknown_host(host: str, key: str) -> Problem:
    """421: the listener is not known by this name (RFC 9110, 15.5.20). ``key`` of the config lists
    its names."""
    detail = (
        f"the Host {host[:_LONGEST_HOST]!a} is neither an IP address nor localhost; "
        f"{key} may list it"
    )
    return Problem(421, "unknown-host", "Unknown host", detail)


def foreign_origin() -> Problem:
    """403: a web page of another origin asks the operators' listener."""
    detail = "web pages of other origins may not ask the operators' listener"
    return Problem(403, "foreign-origin", "Foreign origin", detail)


def method_not_allowed(method: str, allow: str) -> Problem:
    """405: the path exists, but does not support this method."""
    detail = f"this path does not support {method}; allowed: {allow}"
    title = "Method not allowed"
    return Problem(405, "method-not-allowed", title, detail, headers={"Allow": allow})


def url_too_long(longest: int) -> Problem:
    """414: more than ``longest`` bytes of path and query."""
    detail = f"path and query are longer than the {longest} bytes allowed"
    return Problem(414, "url-too-long", "URL too long", detail)


def nothing_to_play(detail: str) -> Problem:
    """406: no variant has the codecs of the request."""
    return Problem(406, "nothing-to-play", "No variant that this client may play", detail)


def source_problem(error: BadSourceError) -> Problem:
    """502, 503 or 504: the source manifest cannot be served. Players read what is wrong, operators
    read of which file or URL as well."""
    status, kind, title, headers = _OF_SOURCE[type(error)]
    return Problem(status, kind, title, error.fault, headers=headers, for_operators=str(error))


_OF_SOURCE: Mapping[type[BadSourceError], tuple[int, str, str, Mapping[str, str]]] = {
    BadSourceError: (502, "bad-source", "The source manifest cannot be served", {}),
    SourceLostError: (
        *(503, "source-lost", "The source of manifests cannot be read"),
        {"Retry-After": "2"},
    ),
    OriginError: (502, "bad-origin", "The origin's answer cannot be used", {}),
    OriginTimeoutError: (504, "origin-timeout", "The origin does not answer", {}),
}


def too_many_probes(bound: str, wait_s: int) -> Problem:
    """429: a budget of probes is used up (RFC 6585, 4). ``bound`` says which one."""
    detail = f"too many probes ({bound}); ask again in {wait_s} s"
    headers = {"Retry-After": str(wait_s)}
    return Problem(429, "too-many-probes", "Too many probes", detail, headers=headers)


def too_many_requests(which: str) -> Problem:
    """429: the client network, or the session or token ``which``, asks for more than
    ``rate.<which>_per_s`` allows (RFC 6585, 4)."""
    who = which if which in ("session", "token") else "client network"
    detail = f"this {who} asks for more than rate.{which}_per_s allows; ask again later"
    return Problem(429, "too-many-requests", "Too many requests", detail)


def answer_too_large(most: int) -> Problem:
    """422: what the client asks for is more than one answer may hold."""
    detail = f"the answer would be larger than the {most} bytes allowed; ask for fewer members with"
    detail += " fields, or for fewer assets"
    return Problem(422, "answer-too-large", "Answer too large", detail)


def store_unavailable(trouble: str) -> Problem:
    """503: the answer is in the store, which does not answer. Only operators ask for such."""
    detail = f"the store, which has the answer, cannot be read: {trouble}; ask again later"
    title = "The store cannot be read"
    return Problem(503, "store-unavailable", title, detail, headers={"Retry-After": "2"})


def too_many_listeners(most: int) -> Problem:
    """503: this process has as many listeners as ``events.max_listeners`` allows."""
    detail = f"this process has {most} listeners, as many as events.max_listeners allows"
    title = "Too many listeners"
    return Problem(503, "too-many-listeners", title, detail, headers={"Retry-After": "10"})


def no_such_session(expire_s: int) -> Problem:
    """404: nothing is kept of such a session."""
    detail = (
        "nothing is kept of a session with this id or hash; its events are removed "
        f"{expire_s} s after the last one"
    )
    return Problem(404, "no-such-session", "No such session", detail)


def switched_off(key: str, detail: str) -> Problem:
    """404: the config has this path off."""
    return Problem(404, "switched-off", "Switched off", f"{key} {detail}")


def shutting_down() -> Problem:
    """503: this process is shutting down."""
    title = "Shutting down"
    detail = "this process is shutting down; send the request again"
    return Problem(503, "shutting-down", title, detail, headers={"Retry-After": "1"})


def internal(identity: str) -> Problem:
    """500: an error in the gateway. The logs have it under the request's id."""
    detail = f"an error in the gateway; its logs have the details under request id {identity}"
    return Problem(500, "internal", "Internal error", detail)


def bad_body(detail: str) -> Problem:
    """400: the request's body is malformed."""
    return Problem(400, "bad-body", "Malformed request body", detail)


def body_too_large(most: int) -> Problem:
    """413: the request's body is larger than ``most`` bytes."""
    detail = f"the body is larger than the {most} bytes allowed"
    return Problem(413, "body-too-large", "Request body too large", detail)


def unsupported_media_type(given: str, allowed: Sequence[str]) -> Problem:
    """415: the request's body is of another media type (RFC 9110, 15.5.16)."""
    detail = f"the body is {given[:_LONGEST_TYPE]!a}; allowed are {', '.join(allowed)}"
    headers = {"Accept-Post": ", ".join(allowed)}
    return Problem(415, "unsupported-media-type", "Unsupported media type", detail, headers=headers)


def unsupported_coding(given: str) -> Problem:
    """415: the request's body has a content coding (RFC 9110, 15.5.16)."""
    detail = f"the body is coded as {given[:_LONGEST_TYPE]!a}; send it without a content coding"
    headers = {"Accept-Encoding": "identity"}
    return Problem(
        415, "unsupported-media-type", "Unsupported content coding", detail, headers=headers
    )


def problem_members(problem: Problem) -> dict[str, object]:
    """The members of a problem except ``instance``."""
    return {
        "type": _TYPE_PREFIX + problem.kind,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        **problem.extra,
    }


def reply(problem: Problem, instance: str, *, for_operators: bool = False) -> Reply:
    """The answer for ``problem``; ``instance`` is the request's path, percent-decoded."""
    metrics.PROBLEMS.labels(problem.kind).inc()
    shown = quote(instance[:_LONGEST_INSTANCE], safe=_PATH_CHARACTERS, errors="replace")
    members = {**problem_members(problem), "instance": shown}
    if for_operators and problem.for_operators is not None:
        members["detail"] = problem.for_operators
    body = json.dumps(members).encode()
    headers = {"Cache-Control": "no-store", **problem.headers}
    if not for_operators:  # the operators' listener sends it with every answer
        headers |= NOSNIFF
    return Reply.of(problem.status, body, MEDIA_TYPE, headers)
