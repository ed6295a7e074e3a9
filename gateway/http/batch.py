"""``POST /v1/decisions``: one client asks for the decisions of many assets at once.

An app's start page shows dozens of titles. The client's facts are gathered once, and the store is
read once for all assets. A batch places no session: a session counts towards the load of an edge
when it gets its manifest. Leases are neither taken nor read.
"""

import json
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.types import Receive, Scope

from gateway.play import problems
from gateway.play.compression import compress
from gateway.play.decide import Decided, Timeline, decide_all, valid_asset
from gateway.play.decision_json import check_fields, members
from gateway.play.problems import Problem
from gateway.play.reply import Reply
from gateway.play.request import ACCEPT_CH, VARY, Request
from gateway.play.runtime import Gateway

MAX_ASSETS = 100
MAX_BODY_BYTES = 128 * 1024
"""Enough for ``MAX_ASSETS`` ids of the greatest length, with JSON punctuation."""


async def decide_batch(
    gateway: Gateway, request: Request, scope: Scope, receive: Receive, *, with_reasons: bool
) -> Reply:
    """``{"assets": ["film/001", …]}`` with the query parameters and headers of ``/v1/play``.

    Answers ``{"decisions": […]}`` in the order of the assets: the JSON decision for each, or
    ``{"asset": …, "problem": …}`` for an asset without a decision.
    """
    assets = _assets(await _body(HttpRequest(scope, receive)))
    wanted = check_fields(request.parameters.fields, with_reasons=with_reasons)
    checked = [_valid_or_problem(asset) for asset in assets]
    valid = [each for each in checked if isinstance(each, str)]
    decided = iter(await decide_all(gateway, request, valid, Timeline()) if valid else ())
    found = [
        _entry(asset, each if isinstance(each, Problem) else next(decided), request, wanted)
        for asset, each in zip(assets, checked, strict=True)
    ]
    return _reply(gateway, request, found)


def _valid_or_problem(asset: str) -> str | Problem:
    try:
        return valid_asset(asset)
    except Problem as problem:
        return problem


def _entry(
    asset: str, found: Decided | Problem, request: Request, wanted: tuple[str, ...]
) -> dict[str, Any]:
    """The member of ``decisions`` for one asset."""
    if isinstance(found, Problem):
        return {"asset": asset, "problem": problems.problem_members(found)}
    found.count()
    try:
        every = members(found, request)
    except Problem as problem:
        return {"asset": asset, "problem": problems.problem_members(problem)}
    return {name: every[name] for name in wanted}


async def _body(request: HttpRequest) -> bytes:
    """The request's body, of bounded size. Raises a 413 problem."""
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
    """The assets asked for. Raises a 400 problem that says what is allowed."""
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


def _reply(gateway: Gateway, request: Request, found: list[dict[str, Any]]) -> Reply:
    data = json.dumps({"decisions": found}).encode()  # ASCII: ids may hold lone surrogates
    coding = gateway.runtime.clients.player(request.headers).coding
    headers = {
        "Cache-Control": "private, no-store",
        "Vary": VARY,
        "Accept-CH": ACCEPT_CH,
    }
    if coding != "identity":
        headers["Content-Encoding"] = coding
    return Reply.of(200, compress(data, coding), "application/json", headers)
