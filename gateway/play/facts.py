"""From a request to facts: who asks, from where, and how fast."""

import time
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.client import cmcd, throughput
from gateway.client.cmcd import Cmcd
from gateway.client.cmcd_report import Report
from gateway.client.facts import DeviceKind, Facts, Pinned
from gateway.client.hints import parse_network_hints
from gateway.client.playback import KnownNames
from gateway.client.prior import network_name, viewer_slot
from gateway.client.session import SessionRecord
from gateway.client.throughput import Chosen, assume_prior
from gateway.edge.fleet import Fleet
from gateway.play.clients import Player, Sender
from gateway.play.request import Headers, Request
from gateway.play.runtime import Gateway, Runtime
from gateway.play.session_use import Caller
from gateway.reason import Reason, Step
from gateway.store.connection.keys import session_name
from gateway.store.coordination.priors import Priors

_CMCD_HEADERS = ("cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status")
_NO_CMCD = Cmcd()
_ENCODED_TWICE = Reason(
    Step.NETWORK,
    "cmcd-encoded-twice",
    "CMCD is percent-encoded more than once; it was decoded again",
)


_ANOTHERS = Reason(
    Step.NETWORK,
    "session-of-another",
    "the session is that of another player in another network; this request has its own",
)
_TOO_MANY = Reason(
    Step.NETWORK,
    "too-many-sessions",
    "the client network begins more sessions than it may; nothing is kept of this one",
)
_NO_EDGES: frozenset[str] = frozenset()


async def gather_facts(
    gateway: Gateway, runtime: Runtime, request: Request, player: Player, asset: str
) -> Facts:
    """Gather the facts of one request. Reads the store once, if the player names a session.

    A speed that the player measured is added to its session's record.
    """
    now_s = time.time()
    asked = request.parameters
    sender = runtime.clients.sender(request.peer, request.headers)
    device = player.device
    network = parse_network_hints(request.headers.by_name)
    report = cmcd_of(request.headers, asked.cmcd)
    named = asked.session or report.sid
    session, record, memory = await _session_of(gateway, request, sender, named)
    estimate = None if record is None else record.estimate
    chosen = throughput.choose_throughput(
        asked.speed_kbps,
        asked.bandwidth_hint_mbps,
        report.speed_kbps,
        estimate,
        network.downlink_mbps,
        network.ect,
        now_s,
        runtime.estimator,
    )
    if gateway.priors.active and sender.prefix:
        _use_prior(gateway.priors, chosen, sender, device.kind, now_s)
    if session is not None and record is not None:
        measured = throughput.with_measurement(estimate, chosen.measured, now_s, runtime.estimator)
        if chosen.hinted is not None:
            measured = throughput.with_hint(estimate, chosen.hinted, now_s, runtime.estimator)
        changed = record if measured is None else record.measured(measured)
        if report.version is not None and (known := known_names(gateway, runtime)) is not None:
            changed = changed.heard((Report.of(report),), now_s, known)
        if changed is not record and not request.by_operator:
            gateway.sessions.put(session, changed)
        record = changed
    poor = _NO_EDGES
    if runtime.settings.cmcd.avoid_poor_edges and sender.prefix:
        poor = gateway.experiences.poor(experience_network(sender), time.monotonic())
    return Facts(
        asset=asset,
        device=device,
        place=sender.place,
        throughput=chosen.speed,
        save_data=network.save_data,
        ect=network.ect,
        limits=asked.limits,
        session=session,
        named=named,
        viewer=session or named or sender.prefix,
        network=sender.prefix,
        minute_of_day=_minute_of_day(runtime.zone, now_s) if runtime.timed else 0,
        placed_on=None if record is None else record.edge_of(asset),
        record=record,
        poor_edges=poor,
        kept=session is not None or named is None,
        reasons=(
            *sender.reasons,
            *device.reasons,
            *_told(report),
            *memory,
            *chosen.reasons,
        ),
    )


def with_pinned(facts: Facts, pinned: Pinned | None, edge: int, fleet: Fleet) -> Facts:
    """The facts of a request that an earlier answer has led back here: with what it pinned, if that
    still holds, and with the edge that it named first (an ``Edge.key``)."""
    placed_on, at = facts.placed_on, fleet.index.by_key.get(edge)
    if placed_on is None and at is not None:
        placed_on = fleet.edges[at].id
    if pinned is None:
        return replace(facts, placed_on=placed_on)
    device = replace(facts.device, capability=pinned.capability)
    return replace(facts, placed_on=placed_on, device=device, pinned=pinned)


def _use_prior(
    priors: Priors, chosen: Chosen, sender: Sender, device: DeviceKind, now_s: float
) -> None:
    """Add what this viewer measured to its network's prior; use the prior where nothing is
    known."""
    if chosen.measured is not None:
        count_in_prior(priors, sender, device, chosen.measured.kbps, now_s)
    elif chosen.speed is None and priors.known:
        prior_kbps = priors.known.get(network_name(sender.place, sender.prefix, device))
        if prior_kbps is not None:
            assume_prior(chosen, prior_kbps)


def count_in_prior(
    priors: Priors, sender: Sender, device: DeviceKind, kbps: float, now_s: float
) -> None:
    """Add what a viewer measured to its network's prior. It needs a known address."""
    if sender.prefix:
        network = network_name(sender.place, sender.prefix, device)
        priors.add(network, viewer_slot(sender.prefix), kbps, now_s)


def known_names(gateway: Gateway, runtime: Runtime) -> KnownNames | None:
    """The text of players that may be kept with their sessions; None when nothing is kept."""
    if not runtime.settings.cmcd.keep_playback:
        return None
    return KnownNames(gateway.fleet.positions, *runtime.known_names)


def experience_network(sender: Sender) -> str:
    """The name of a network whose viewers' experience of edges counts together."""
    return network_name(sender.place, sender.prefix, "any")


def _minute_of_day(zone: ZoneInfo, now_s: float) -> int:
    """Minutes since 00:00 in ``zone``."""
    local = datetime.fromtimestamp(now_s, zone)
    return local.hour * 60 + local.minute


def has_cmcd(headers: Headers) -> bool:
    """Whether any of the CMCD headers has come."""
    return not headers.by_name.keys().isdisjoint(_CMCD_HEADERS)


def cmcd_of(headers: Headers, text: str | None) -> Cmcd:
    """What the player reports in its headers, and in the query argument ``text``. Headers win when
    both arrive (D1.1)."""
    named = list(map(headers.by_name.get, _CMCD_HEADERS))
    by_headers = cmcd.parse_headers(*named) if any(named) else _NO_CMCD
    by_query = cmcd.parse_query(text) if text else _NO_CMCD
    return cmcd.prefer(by_headers, by_query)


def _told(report: Cmcd) -> tuple[Reason, ...]:
    return (_ENCODED_TWICE,) if report.encoded_again else ()


async def _session_of(
    gateway: Gateway, request: Request, sender: Sender, named: str | None
) -> tuple[str | None, SessionRecord | None, tuple[Reason, ...]]:
    """The session of a request that names one, and its record, with the reasons for both. A
    network that has begun too many sessions gets none. A caller that names another's session gets
    a session of its own."""
    if named is None:
        return None, None, ()
    record, reasons = await _remembered(gateway, named)
    if request.by_operator:
        return named, record, reasons
    caller = Caller(gateway.session_access, session_name(named), request.headers, sender)
    use = caller.use_of(record)
    if use == "another":
        named = caller.own_session(named)
        record, reasons = await _remembered(gateway, named)
        caller = Caller(gateway.session_access, session_name(named), request.headers, sender)
        reasons = (*reasons, _ANOTHERS)
        use = caller.use_of(record)
    if use != "own":
        return None, None, (*reasons, _TOO_MANY)
    used = caller.noted_in(record)
    if used is not record and not record.is_new:
        gateway.sessions.put(named, used)
    return named, used, reasons


async def _remembered(gateway: Gateway, session: str) -> tuple[SessionRecord, tuple[Reason, ...]]:
    """The record of a session, with a reason when the store could not be read."""
    record, trouble = await gateway.sessions.get(session)
    if trouble is None:
        return record, ()
    text = f"the session's record could not be read ({trouble})"
    return record, (Reason(Step.STORE, "session-unavailable", text),)
