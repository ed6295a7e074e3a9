"""Which answers are logged, and what does their line contain?

Fields are values of the config, of fixed sets or of a checked form. Of what a player sends, there
are its request id and the asset alone, each only if it has the form of one. So no token, query or
signature gets into the log.
"""

import random
from typing import Any, Final

from starlette.types import Scope

from gateway.client.address import viewer_prefix
from gateway.client.asset import AssetError, asset_id
from gateway.config.telemetry_settings import AccessLogSettings
from gateway.decision import Decision
from gateway.explanation import reasons_of
from gateway.listener import PLAYERS, Listener
from gateway.observe import logs
from gateway.play.formats import FORMATS
from gateway.play.reply import Reply
from gateway.play.request import Headers
from gateway.play.runtime import Gateway

MAX_REASONS: Final = 40
"""The most codes in a line. They are stable and short, so a line stays below 4096 bytes."""

MAX_METHOD_CHARS: Final = 20

_BEFORE_ASSETS: Final = ("/v1/play/", "/v1/steering/")
_SUFFIXES: Final = tuple(form.suffix for form in FORMATS.values())
_random = random.random


def is_logged(settings: AccessLogSettings, status: int) -> bool:
    """Whether an answer is in the sample of an access log that is on."""
    wanted = status >= settings.always_from_status or _random() < settings.share
    return wanted and logs.logs_access()


def log_answer(
    gateway: Gateway,
    listener: Listener,
    scope: Scope,
    headers: Headers,
    reply: Reply | None,
    **members: object,
) -> None:
    """Write the line of an answer. ``members`` come first in it. ``reply`` is None when the
    gateway failed to make one."""
    line: dict[str, Any] = {
        "listener": listener,
        "method": scope["method"][:MAX_METHOD_CHARS],
        **members,
    }
    decision = None if reply is None else reply.decision
    asset = _asset(scope["path"]) if decision is None else decision.facts.asset
    if asset is not None:
        line["asset"] = asset
    clients = gateway.runtime.clients
    settings = gateway.runtime.settings.access_log
    client = scope.get("client")
    peer = client[0] if client else None
    if decision is not None:
        line |= _decided(decision, None if reply is None else reply.cache)
    elif listener == PLAYERS:
        place = clients.sender(peer, headers).place
        line |= {"country": place.country, "asn": place.asn}
    line["bytes"] = 0 if reply is None or scope["method"] == "HEAD" else reply.sent_bytes
    if settings.address:
        address = clients.address(peer, headers)
        if address is not None:
            line["address"] = str(address) if settings.whole_address else viewer_prefix(address)
    logs.write_access({name: value for name, value in line.items() if value is not None})


def _decided(decision: Decision, cache: str | None) -> dict[str, Any]:
    facts = decision.facts
    start = next(iter(decision.kept_rungs), None)
    codes = dict.fromkeys(reason.code for reason in reasons_of(decision))
    return {
        "device": facts.device.kind.value,
        "country": facts.place.country,
        "asn": facts.place.asn,
        "profile": decision.choice.profile.name,
        "edge": decision.edge.id,
        "start_height": None if start is None else start.stated_height,
        "start_kbps": None if start is None else start.bandwidth // 1000,
        "rungs": decision.rungs,
        "cache": cache,
        "reasons": list(codes)[:MAX_REASONS],
    }


def _asset(path: str) -> str | None:
    """The asset that a path names; None when it is none."""
    for before in _BEFORE_ASSETS:
        if path.startswith(before):
            name = path.removeprefix(before)
            for suffix in _SUFFIXES:
                name = name.removesuffix(suffix)
            try:
                return asset_id(name)
            except AssetError:
                return None
    return None
