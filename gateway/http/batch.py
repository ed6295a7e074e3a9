"""``POST /v1/decisions``: one client asks for the decisions of many assets at once.

An app's start page shows dozens of titles. The client's facts are gathered once, and the store is
read once for all assets. A batch places no session: a session counts towards the load of an edge
when it gets its manifest. Leases are neither taken nor read.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.types import Receive

from gateway.http.body import read_body
from gateway.offload import offload_if_large
from gateway.play import problems
from gateway.play.bodies import max_answer_bytes
from gateway.play.compression import compress
from gateway.play.decide import Decided, Timeline, decide_all, valid_asset
from gateway.play.decision_json import (
    check_fields,
    members,
    query_without_fields,
    wanted_format,
)
from gateway.play.problems import Problem
from gateway.play.reply import Reply
from gateway.play.request import ACCEPT_CH, VARY, Request
from gateway.play.runtime import Gateway

MAX_ASSETS = 100
TURN_S = 0.005
"""Seconds of the event loop that a batch may take at a time."""
MAX_BODY_BYTES = 128 * 1024
"""Enough for ``MAX_ASSETS`` ids of the greatest length, with JSON punctuation."""


async def decide_batch(
    gateway: Gateway, request: Request, receive: Receive, *, with_reasons: bool
) -> Reply:
    """``{"assets": ["film/001", …]}`` with the query parameters and headers of ``/v1/play``.

    Answers ``{"decisions": […]}`` in the order of the assets: the JSON decision for each, or
    ``{"asset": …, "problem": …}`` for an asset without a decision. The answer is bounded like any
    other.
    """
    assets = _assets(await read_body(receive, MAX_BODY_BYTES))
    _charge(gateway, request, len(assets) - 1)
    wanted = check_fields(request.parameters.fields, with_reasons=with_reasons)
    checked = [_valid_or_problem(asset) for asset in assets]
    valid = [each for each in checked if isinstance(each, str)]
    of = wanted_format(request.parameters.by_name)
    decided = iter(
        await decide_all(gateway, request, valid, Timeline(), wanted=of) if valid else ()
    )
    found = [each if isinstance(each, Problem) else next(decided) for each in checked]
    # Every decision repeats the query, which is escaped once.
    request = replace(request, query=query_without_fields(request.query).encode("ascii"))
    most = max_answer_bytes(gateway.runtime.settings)
    parts = await _entries(assets, found, request, wanted, most)
    reply = await _reply(gateway, request, b'{"decisions": [' + b", ".join(parts) + b"]}")
    reply.headers += next((each.token_headers for each in found if isinstance(each, Decided)), ())
    return reply


def _charge(gateway: Gateway, request: Request, more: int) -> None:
    """Count the assets of a player's batch besides its first, for which it was admitted. They are
    answered, and the client network waits longer until its next batch."""
    if request.by_operator or not more:
        return
    clients = gateway.runtime.clients
    client = clients.address(request.peer, request.headers)
    if client is not None and not clients.trusts(client):
        gateway.rates.charge("decisions", client, time.monotonic(), more)


async def _entries(
    assets: Sequence[str],
    found: Sequence[Decided | Problem],
    request: Request,
    wanted: tuple[str, ...],
    most: int,
) -> list[bytes]:
    """The members of ``decisions``, each as JSON. Together they have at most ``most`` bytes: from
    the first one that does not fit, decisions are problems that say so."""
    parts: list[bytes] = []
    known: dict[str, bytes] = {}
    left, full = most, False
    clock = asyncio.get_running_loop().time
    turn = clock()
    for asset, each in zip(assets, found, strict=True):
        part = known.get(asset)
        if isinstance(each, Decided):
            each.count()
            if part is None and not full:
                weight = each.source.manifest.weight
                part = await offload_if_large(weight, _entry, asset, each, request, wanted)
                known[asset] = part
            full = full or part is None or len(part) > left
            if full or part is None:
                part = _problem(asset, problems.answer_too_large(most))
        else:
            part = _problem(asset, each)
        left -= len(part)
        parts.append(part)
        if clock() - turn > TURN_S:
            await asyncio.sleep(0)  # other requests must not wait for a whole batch
            turn = clock()
    return parts


def _valid_or_problem(asset: str) -> str | Problem:
    try:
        return valid_asset(asset)
    except Problem as problem:
        return problem


def _entry(asset: str, found: Decided, request: Request, wanted: tuple[str, ...]) -> bytes:
    """The member of ``decisions`` for one asset, as JSON in ASCII."""
    try:
        return json.dumps(members(found, request, wanted)).encode()
    except Problem as problem:
        return _problem(asset, problem)


def _problem(asset: str, problem: Problem) -> bytes:
    """The member of ``decisions`` for an asset without a decision. Its id may hold lone
    surrogates, which ASCII escapes."""
    return json.dumps({"asset": asset, "problem": problems.problem_members(problem)}).encode()


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


async def _reply(gateway: Gateway, request: Request, data: bytes) -> Reply:
    coding = gateway.runtime.clients.player(request.headers).coding
    headers = {
        "Cache-Control": "private, no-store",
        "Vary": VARY,
        "Accept-CH": ACCEPT_CH,
    }
    if coding != "identity":
        headers["Content-Encoding"] = coding
    size = 0 if coding == "identity" else len(data)
    body = await offload_if_large(size, compress, data, coding)
    return Reply.of(200, body, "application/json", headers)
