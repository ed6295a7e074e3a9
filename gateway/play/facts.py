"""From an HTTP request to facts: who asks, from where, and how fast."""

import time
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from gateway.client import cmcd, throughput
from gateway.client.cmcd import Cmcd
from gateway.client.facts import Facts
from gateway.client.limits import RequestParameters
from gateway.client.session import SessionRecord
from gateway.play.request import Headers
from gateway.play.runtime import Gateway, Runtime
from gateway.reason import Reason, Step

_CMCD_HEADERS = ("cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status")
_NO_CMCD = Cmcd()


async def gather(
    gateway: Gateway,
    runtime: Runtime,
    asset: str,
    asked: RequestParameters,
    headers: Headers,
    peer: str | None,
) -> Facts:
    """The facts of one request. Asks the store once, when the player names a session."""
    now_s = time.time()
    sender = runtime.askers.sender(peer, headers)
    player = runtime.askers.player(headers)
    device, hints = player.device, player.hints
    report = _cmcd(asked, headers)
    session = asked.session or report.sid
    record, memory = await _remembered(gateway, session)
    remembered = None if record is None else record.estimate
    speed, speed_reasons = throughput.choose_throughput(
        asked.speed_kbps,
        asked.bandwidth_hint_mbps,
        report.speed_kbps,
        remembered,
        hints.downlink_mbps,
        hints.ect,
        now_s,
    )
    fresh = throughput.remember(remembered, speed, now_s)
    if session is not None and record is not None and fresh is not None:
        record = record.measured(fresh)
        gateway.sessions.put(session, record)
    return Facts(
        asset=asset,
        device=device,
        place=sender.place,
        throughput=speed,
        save_data=hints.save_data,
        limits=asked.limits,
        session=session,
        viewer=session or sender.prefix,
        minute_of_day=_minute_of_day(runtime.zone, int(now_s // 60)),
        placed_on=None if record is None else record.edge_of(asset),
        record=record,
        reasons=(
            *sender.reasons,
            *device.reasons,
            *((memory,) if memory is not None else ()),
            *speed_reasons,
        ),
    )


@lru_cache(4)
def _minute_of_day(zone: ZoneInfo, minutes: int) -> int:
    """Minutes since 00:00 in ``zone``, of minutes since 1970."""
    local = datetime.fromtimestamp(minutes * 60, zone)
    return local.hour * 60 + local.minute


def _cmcd(asked: RequestParameters, headers: Headers) -> Cmcd:
    """Headers before the query argument, when both arrive (D1.1)."""
    named = list(map(headers.by_name.get, _CMCD_HEADERS))
    by_headers = cmcd.parse_headers(*named) if any(named) else _NO_CMCD
    by_query = cmcd.parse_query(asked.cmcd) if asked.cmcd else _NO_CMCD
    return cmcd.prefer(by_headers, by_query)


async def _remembered(
    gateway: Gateway, session: str | None
) -> tuple[SessionRecord | None, Reason | None]:
    """What is remembered of a session, and why the store could not say when it could not."""
    if session is None:
        return None, None
    record, trouble = await gateway.sessions.get(session)
    if trouble is None:
        return record, None
    text = f"the session's memory could not be asked ({trouble})"
    return record, Reason(Step.STORE, "session-unavailable", text)
