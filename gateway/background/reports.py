"""Reads the CMCD reports that wait, and adds what they say to the records of their sessions.

Reports are read a few at a time, so that requests do not wait. The record of a session is read from
the store unless this worker has it; meanwhile the queue fills up to its bound. While the store does
not answer, what reports say stays in this worker.
"""

import asyncio
import json
import time
from itertools import compress, islice
from typing import Final

import structlog

from gateway.cache import COUNTED_VIEWERS, Cache
from gateway.client.cmcd import parse_query
from gateway.client.cmcd_dictionary import as_json
from gateway.client.cmcd_report import Report, lines_of, read_report
from gateway.client.estimate import plausible
from gateway.client.facts import DeviceKind
from gateway.client.playback import CLOCK_SET_MS
from gateway.client.prior import viewer_slot
from gateway.client.session import SessionRecord
from gateway.client.throughput import with_measurements
from gateway.edge.experience import MAX_EDGES
from gateway.observe import metrics
from gateway.play.facts import count_in_prior, experience_network, known_names
from gateway.play.report_queue import ReportBatch
from gateway.play.runtime import Gateway
from gateway.play.session_use import Caller
from gateway.store.connection.keys import session_name, shown_session
from gateway.store.connection.protocol import Commands, StoreUnavailable
from gateway.store.events.report_stream import append_reports

TURN_S: Final = 0.001
"""Seconds of the event loop that reading takes at a time, while little waits."""
MAX_TURN_S: Final = 0.006
"""The same when the queue is nearly full. Otherwise it would fill up in a worker that is asked as
fast as it can answer."""
AT_ONCE: Final = 64
"""The most records that are read from the store together."""
MAX_MEASURED: Final = 512
"""The most reports of a batch whose measurements count for a session: the last ones."""
WRITTEN_AT_ONCE: Final = 16
"""The most reports that are written to the stream together: at most 128 KB, as requests share the
connection."""

log = structlog.get_logger()

Said = dict[bytes, list[Report]]
"""Reports by the name of their session."""


class ReportReader:
    """Reads the reports of one worker."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._turn_s = 0.0
        if gateway.store.redis is None and gateway.runtime.settings.cmcd.stream:
            reason = 'store.url is "memory"; the stream of CMCD reports needs a Redis'
            log.warning("cmcd_stream_not_available", reason=reason)
        self._counted: Cache[tuple[str, DeviceKind], int] = Cache(COUNTED_VIEWERS)

    async def run(self) -> None:
        """Read until cancelled."""
        queue = self._gateway.reports
        while True:
            if not len(queue):
                self._turn_s = 0.0
            batch = await queue.take()
            self._turn_s = self._turn_s or time.monotonic()
            try:
                await self._use(batch)
            except Exception:
                # A bug that affects one batch must not stop all others.
                log.exception("reports_failed")
                metrics.CMCD_DROPPED.labels("fault").inc(batch.reports)
            if self._turn_is_over():
                await self._next_turn()

    def finish(self) -> None:
        """Count what was not read before the end. Call it after ``run`` was cancelled."""
        left = sum(batch.reports for batch in self._gateway.reports.left())
        if left:
            metrics.CMCD_DROPPED.labels("shutdown").inc(left)

    def _turn_is_over(self) -> bool:
        """Whether requests should run before more is read."""
        taken_s = time.monotonic() - self._turn_s
        if taken_s <= TURN_S:
            return False
        gateway = self._gateway
        filled = min(1.0, gateway.reports.bytes / gateway.runtime.settings.cmcd.queue_bytes)
        return taken_s > TURN_S + filled * (MAX_TURN_S - TURN_S)

    async def _next_turn(self) -> None:
        """Let requests run."""
        await asyncio.sleep(0)
        self._turn_s = time.monotonic()

    async def _use(self, batch: ReportBatch) -> None:
        said = await self._read(batch)
        self._count_in_prior(batch, said)
        own: set[bytes] = set()
        unknown: list[bytes] = []
        for name, reports in said.items():
            if self._turn_is_over():
                await self._next_turn()
            record = self._gateway.sessions.fresh(name)
            if record is None:
                unknown.append(name)
            elif self._add(name, record, reports, batch):
                own.add(name)
        for at in range(0, len(unknown), AT_ONCE):
            names = unknown[at : at + AT_ONCE]
            found = await asyncio.gather(
                *(self._look_up(name, said[name], batch) for name in names)
            )
            own.update(compress(names, found))
        for name in own:
            self._gateway.concurrent.seen(name)
        if len(own) < len(said):
            said = {name: reports for name, reports in said.items() if name in own}
        if batch.network and self._gateway.runtime.settings.cmcd.avoid_poor_edges:
            self._note_experience(batch, said)
        redis = self._gateway.store.redis
        if redis is not None and self._gateway.runtime.settings.cmcd.stream:
            await self._pass_on(redis, batch, said)

    def _note_experience(self, batch: ReportBatch, said: Said) -> None:
        """Note how the viewer plays from its edges, for others of its network."""
        gateway, settings = self._gateway, self._gateway.runtime.settings.cmcd
        sender = gateway.runtime.clients.sender(batch.peer, batch.headers)
        network, slot = experience_network(sender), viewer_slot(batch.network)
        now_s = time.monotonic()
        troubled: dict[str, bool] = {}
        for name, reports in said.items():
            record = gateway.sessions.fresh(name)
            edge = record.places[-1].edge if record is not None and record.places else None
            for report in reports[-MAX_MEASURED:]:
                edge = report.cdn or edge
                if edge is not None and edge in gateway.fleet.positions:
                    trouble = _is_trouble(report, settings.slow_start_ms)
                    troubled[edge] = troubled.get(edge, False) or trouble
            if len(troubled) >= MAX_EDGES:
                break
        for edge, trouble in troubled.items():
            gateway.experiences.add(network, edge, slot, trouble, now_s, settings.poor_edge_viewers)

    async def _pass_on(self, redis: Commands, batch: ReportBatch, said: Said) -> None:
        """Write the reports of a batch to the stream, if their sessions are in ``said``. Those that
        Redis does not take are lost."""
        settings = self._gateway.runtime.settings.cmcd
        chosen: list[tuple[str, bytes]] = []
        for line in islice(lines_of(batch.body), batch.reports):
            cmcd = parse_query(line)
            session = batch.session or cmcd.sid
            name = None if session is None else session_name(session)
            if cmcd.version is not None and name is not None and name in said:
                members = {
                    key: as_json(cmcd.raw[key]) for key in settings.stream_keys if key in cmcd.raw
                }
                chosen.append((shown_session(name), json.dumps(members).encode()))
            if self._turn_is_over():
                await self._next_turn()
        for at in range(0, len(chosen), WRITTEN_AT_ONCE):
            part = chosen[at : at + WRITTEN_AT_ONCE]
            time_ms = int(batch.received_s * 1000)
            try:
                await append_reports(redis, part, time_ms, settings.stream_max_length)
            except StoreUnavailable:
                metrics.CMCD_STREAM.labels("lost").inc(len(part))
            else:
                metrics.CMCD_STREAM.labels("written").inc(len(part))

    async def _read(self, batch: ReportBatch) -> Said:
        """The reports of a batch that name a session. The others are counted."""
        said: Said = {}
        url_name = None if batch.session is None else session_name(batch.session)
        names: dict[str, bytes] = {}
        read = unreadable = anonymous = 0
        for line in islice(lines_of(batch.body), batch.reports):
            report = read_report(line)
            read += 1
            if not read % 16 and self._turn_is_over():
                await self._next_turn()
            if report is None:
                unreadable += 1
                continue
            name = url_name
            if name is None:
                if report.sid is None:
                    anonymous += 1
                    continue
                name = names.get(report.sid)
                if name is None:
                    name = names[report.sid] = session_name(report.sid)
            reports = said.get(name)
            if reports is None:
                said[name] = [report]
            else:
                reports.append(report)
        metrics.CMCD_REPORTS.inc(read - unreadable - anonymous)
        for reason, count in (("unreadable", unreadable), ("anonymous", anonymous)):
            if count:
                metrics.CMCD_DROPPED.labels(reason).inc(count)
        return said

    async def _look_up(self, name: bytes, reports: list[Report], batch: ReportBatch) -> bool:
        """Like ``_add``, to the record that the store has."""
        record, trouble = await self._gateway.sessions.get(name)
        if trouble is not None:
            metrics.CMCD_DROPPED.labels("store").inc(len(reports))
        return self._add(name, record, reports, batch)

    def _add(
        self, name: bytes, record: SessionRecord, reports: list[Report], batch: ReportBatch
    ) -> bool:
        """Add what the reports say to a session's record, if their sender may use it; returns
        whether it may."""
        received_s = batch.received_s
        sender = self._gateway.runtime.clients.sender(batch.peer, batch.headers)
        caller = Caller(self._gateway.session_access, name, batch.headers, sender)
        use = caller.use_of(record)
        if use != "own":
            metrics.CMCD_DROPPED.labels(use).inc(len(reports))
            return False
        estimate = with_measurements(
            record.estimate,
            "cmcd",
            measurements(reports, received_s),
            received_s,
            self._gateway.runtime.estimator,
        )
        changed = record if estimate is record.estimate else record.measured(estimate)
        known = known_names(self._gateway, self._gateway.runtime)
        if known is not None:
            changed = changed.heard(reports, received_s, known)
        if changed is not record:
            self._gateway.sessions.put(name, caller.noted_in(changed))
        return True

    def _count_in_prior(self, batch: ReportBatch, said: Said) -> None:
        """Count the batch's first measurement in the prior of its network: a viewer counts once."""
        gateway = self._gateway
        priors = gateway.priors
        if not priors.active or not batch.network:
            return
        clients = gateway.runtime.clients
        device = clients.player(batch.headers).device.kind
        viewer = batch.network, device
        window_s = priors.window_start_s(batch.received_s)
        if self._counted.get(viewer) == window_s:
            return
        speeds = (report.speed_kbps for reports in said.values() for report in reports)
        kbps = next((speed for speed in speeds if speed is not None and plausible(speed)), None)
        if kbps is not None:
            self._counted.put(viewer, window_s)
            sender = clients.sender(batch.peer, batch.headers)
            count_in_prior(priors, sender, device, kbps, batch.received_s)


def _is_trouble(report: Report, slow_start_ms: int) -> bool:
    delay_ms = report.start_delay_ms
    return report.starved or bool(report.errors) or (delay_ms or 0) > slow_start_ms


def measurements(reports: list[Report], received_s: float) -> list[tuple[float, float]]:
    """What reports measured, in kbit/s, and when, in seconds since 1970.

    A player's clock may be wrong by hours, so only the time between its reports is used: the last
    one is as old as its arrival, and none is younger than those after it, also where the clock was
    set back between them. One whose clock is more than an hour further back says nothing of others.
    """
    found: list[tuple[float, float]] = []
    last_ms, age_ms = 0, 0
    for report in reversed(reports[-MAX_MEASURED:]):
        own_ms = age_ms
        if report.time_ms:
            last_ms = last_ms or report.time_ms
            own_ms = max(age_ms, last_ms - report.time_ms)
            if own_ms - age_ms < CLOCK_SET_MS:
                age_ms = own_ms
        if report.speed_kbps is not None:
            found.append((report.speed_kbps, received_s - own_ms / 1000))
    return found
