"""``POST /v1/decisions``: one client asks for the decisions of many assets at once.

An app's start page has dozens of titles. Who asks, from where and how fast is found out once, and
the store is asked once for all of them. Nothing is placed by asking: a session counts at an edge
when it gets its manifest.
"""

import json
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.play import problems
from gateway.play.answer import answer_many
from gateway.play.bodies import Body
from gateway.play.compression import negotiate
from gateway.play.decision_json import check_fields, members
from gateway.play.headers import ACCEPT_CH, VARY
from gateway.play.problems import Problem
from gateway.play.runtime import Gateway

MAX_ASSETS = 100
MAX_BODY_BYTES = 128 * 1024
"""Room for that many asset ids of the longest kind, and their punctuation."""


async def decisions(request: Request) -> Response:
    """``{"assets": ["film/001", …]}`` with the query parameters and headers of ``/v1/play``.

    Answers ``{"decisions": […]}`` in the order asked; an asset that has no decision has
    ``{"asset": …, "problem": {…}}`` in its place.
    """
    gateway: Gateway = request.app.gateway
    assets = _assets(await _body(request))
    answers = await answer_many(gateway, request.scope, assets)
    found = []
    base_url, query = str(request.base_url), request.scope["query_string"]
    for asset, answered in zip(assets, answers, strict=True):
        try:
            if isinstance(answered, Problem):
                raise answered
            wanted = check_fields(answered.asked.fields)
            every = members(answered, base_url, query)
            found.append({name: every[name] for name in wanted})
        except Problem as problem:
            if problem.kind == "bad-parameter" and problem.extra.get("parameter") == "fields":
                raise  # wrong for all of them alike
            found.append({"asset": asset, "problem": problems.document(problem)})
    return _response(request, found)


async def _body(request: Request) -> bytes:
    """The request's body, of bounded size. Raises a 413."""
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > MAX_BODY_BYTES:
                raise problems.body_too_large(MAX_BODY_BYTES)
    except ClientDisconnect:
        raise problems.bad_body("the body ended early") from None
    return bytes(data)


def _assets(data: bytes) -> list[str]:
    """The assets asked for. Raises a 400 that says what is allowed."""
    allowed = f'allowed is {{"assets": [1 to {MAX_ASSETS} asset ids]}}'
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise problems.bad_body(f"the body is not JSON; {allowed}") from None
    assets = found.get("assets") if isinstance(found, dict) else None
    if not isinstance(assets, list) or not all(isinstance(asset, str) for asset in assets):
        raise problems.bad_body(f"the body has no list of asset ids; {allowed}")
    if not 1 <= len(assets) <= MAX_ASSETS:
        raise problems.bad_body(f"{len(assets)} assets; {allowed}")
    return assets


def _response(request: Request, found: list[dict[str, Any]]) -> Response:
    body = Body(json.dumps({"decisions": found}).encode())  # ASCII: ids may hold lone surrogates
    coding = negotiate(request.headers.get("accept-encoding") or "")
    headers = {
        "Cache-Control": "private, no-store",
        "Vary": VARY,
        "Accept-CH": ACCEPT_CH,
        "Timing-Allow-Origin": "*",
    }
    if coding != "identity":
        headers["Content-Encoding"] = coding
    return Response(body.coded(coding), 200, headers, "application/json")
