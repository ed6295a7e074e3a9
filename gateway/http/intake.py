"""From an HTTP request to facts: who asks, from where, and how fast."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.client import cmcd, throughput
from gateway.client.address import resolve, viewer_prefix
from gateway.client.cmcd import Cmcd
from gateway.client.facts import Facts
from gateway.client.hints import parse_hints
from gateway.client.limits import RequestParameters
from gateway.client.session import SessionRecord
from gateway.http.runtime import Gateway, Runtime
from gateway.reason import Reason, Step
from geodata.place import NOT_LOOKED_UP, Place


@dataclass(frozen=True, slots=True)
class Headers:
    """A request's headers by lower-case name, and the forwarding ones line by line, in order."""

    by_name: Mapping[str, str]
    forwarded: tuple[str, ...]
    x_forwarded_for: tuple[str, ...]

    def get(self, name: str) -> str | None:
        """The value of a header, by its lower-case name."""
        return self.by_name.get(name)


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers as ASGI gives them: lower-case names, Latin-1 bytes.

    Lines of one name are one list (RFC 9110, 5.3).
    """
    by_name: dict[str, str] = {}
    forwarded: list[str] = []
    x_forwarded_for: list[str] = []
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        if key == "forwarded":
            forwarded.append(text)
        elif key == "x-forwarded-for":
            x_forwarded_for.append(text)
        elif key in by_name:
            by_name[key] = f"{by_name[key]}, {text}"
        else:
            by_name[key] = text
    return Headers(by_name, tuple(forwarded), tuple(x_forwarded_for))


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
    address = resolve(peer, headers.forwarded, headers.x_forwarded_for, runtime.trusted)
    place = NOT_LOOKED_UP if address.ip is None else gateway.geo.place(address.ip)
    hints = parse_hints(headers.by_name)
    device = runtime.classifier.classify(headers.get("user-agent"), hints)
    report = _cmcd(asked, headers)
    session = asked.session or report.sid
    record, memory = await _remembered(gateway, session)
    remembered = None if record is None else record.estimate
    speed, speed_reasons = throughput.choose(
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
    prefix = "" if address.ip is None else viewer_prefix(address.ip)
    local = datetime.fromtimestamp(now_s, runtime.zone)
    return Facts(
        asset=asset,
        device=device,
        place=place,
        throughput=speed,
        save_data=hints.save_data,
        limits=asked.limits,
        session=session,
        viewer=session or prefix,
        minute_of_day=local.hour * 60 + local.minute,
        placed_on=None if record is None else record.edge_of(asset),
        record=record,
        reasons=(
            *address.reasons,
            _reason_of_place(place),
            *device.reasons,
            *((memory,) if memory is not None else ()),
            *speed_reasons,
        ),
    )


def _cmcd(asked: RequestParameters, headers: Headers) -> Cmcd:
    """Headers before the query argument, when both arrive (D1.1)."""
    named = [headers.get(f"cmcd-{part}") for part in ("object", "request", "session", "status")]
    by_headers = cmcd.parse_headers(*named) if any(named) else Cmcd()
    by_query = cmcd.parse_query(asked.cmcd) if asked.cmcd else Cmcd()
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


def _reason_of_place(place: Place) -> Reason:
    if place.status == "not_looked_up":
        return Reason(Step.PLACE, "place-not-looked-up", "no GeoIP database or no usable address")
    if place.status == "unknown":
        return Reason(Step.PLACE, "place-unknown", "the GeoIP database does not know the address")
    region = f"country {place.country or '?'}, continent {place.continent or '?'}"
    if place.anonymous:
        region = f"{region}, an anonymising network"
    if not place.located:
        return Reason(Step.PLACE, "place-found", f"{region}, no point")
    radius = "unknown" if place.accuracy_km is None else f"{place.accuracy_km:.0f} km"
    return Reason(Step.PLACE, "place-found", f"{region}, accuracy radius {radius}")
