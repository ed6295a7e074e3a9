"""``gateway stats``: reads decision events as one consumer of a group, and shows what it counted.

Without ``group`` each run has a group of its own that starts at the beginning of its window: it
sees every event. With ``group`` the runs of that name divide the events, and a run that is started
again continues where the last one stopped; each shows its own part.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Callable

from gateway.commands.stats.report import Report
from gateway.commands.stats.window import MissedEvents, Window
from gateway.commands.store_access import CommandError, shared_url
from gateway.config.load import Loaded
from gateway.store.connection.address import shown_url
from gateway.store.connection.protocol import StoreError, StoreUnavailable
from gateway.store.events.consumer import (
    Delivery,
    GroupStatus,
    StreamConsumer,
    UnprocessableError,
)
from gateway.store.events.event import parse_event

OWN_GROUPS = "stats."
LEFT_BEHIND_S = 60.0
"""A run's own group whose consumer was idle for this long was left behind by a killed run."""

CLOCKS_DIFFER_S = 60.0
"""An entry that is dated further in the future than this is no event."""

REFRESH_S = 1.0
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"


class Stats:
    """The counts of one run. Without ``group`` it has a group of its own."""

    def __init__(self, url: str, window_s: int, group: str | None) -> None:
        """Raises StoreError when the URL is invalid."""
        self._own = group is None
        self._group = group or f"{OWN_GROUPS}{secrets.token_hex(6)}"
        self._window_s = window_s
        self._window = Window(window_s)
        self._missed = MissedEvents()
        self._newest_s = 0.0
        self._status = GroupStatus(None, 0, 0)
        name = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(3)}"
        self._consumer = StreamConsumer(url, self._group, name, since_s=window_s)

    async def once(self) -> Report:
        """Read to the current end of the stream. Raises StoreUnavailable."""
        async with self._consumer:
            try:
                await self._consumer.step(self._count)
                now_s = self._consumer.now_s
                while self._newest_s < now_s and await self._consumer.step(self._count):
                    pass
                return await self._report()
            finally:
                await self._leave()

    async def watch(self, show: Callable[[Report], None]) -> None:
        """Show a report each second until cancelled. Raises StoreUnavailable at the start only:
        later the report says that Redis cannot be reached."""
        async with self._consumer:
            await self._consumer.step(self._count)
            reading = asyncio.create_task(self._consumer.run(self._count))
            try:
                while not reading.done():
                    show(await self._report())
                    await asyncio.wait((reading,), timeout=REFRESH_S)
                reading.result()
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                await self._leave()

    async def _count(self, delivery: Delivery) -> None:
        time_s = delivery.time_ms / 1000
        if time_s > self._consumer.now_s + CLOCKS_DIFFER_S:
            raise UnprocessableError("dated in the future")
        self._newest_s = time_s
        try:
            event = parse_event(delivery.fields)
            is_new = not self._own or self._missed.is_new(delivery.fields.get(b"id", b""))
        except ValueError as error:
            raise UnprocessableError(str(error)) from error
        if is_new and event is not None:
            self._window.add(event, self._newest_s)

    async def _report(self) -> Report:
        trouble = self._consumer.trouble
        if trouble is None:
            try:
                self._status = await self._consumer.status()
            except StoreUnavailable as error:
                trouble = error
        events, shares = self._window.shares(self._consumer.now_s)
        return Report(
            group=self._group,
            window_s=self._window_s,
            events=events,
            shares=shares,
            lag=self._status.lag,
            pending=self._status.pending,
            lost=self._missed.lost if self._own else None,
            dead_letters=self._status.dead_letters,
            trouble=None if trouble is None else str(trouble),
        )

    async def _leave(self) -> None:
        # A later run removes a group that is left behind now.
        with contextlib.suppress(StoreUnavailable):
            if self._own:
                await self._consumer.disband()
                await self._consumer.disband_idle(OWN_GROUPS, LEFT_BEHIND_S)
            else:
                await self._consumer.leave()


async def show_stats(
    loaded: Loaded, window_s: int, group: str | None, *, once: bool, as_json: bool
) -> None:
    """Print reports of the last ``window_s`` seconds: one, or one each second until cancelled.

    Raises CommandError when there is nothing to show.
    """
    stats = _stats_of(loaded, window_s, group)

    def show(report: Report) -> None:
        text = f"{report.to_json()}\n" if as_json else report.to_text()
        if not once and not as_json and sys.stdout.isatty():
            text = f"{_CLEAR}{text}"
        sys.stdout.write(text)
        sys.stdout.flush()

    try:
        if once:
            show(await stats.once())
        else:
            await stats.watch(show)
    except StoreUnavailable as error:
        url = shown_url(loaded.settings.store.url.get_secret_value())
        raise CommandError(f"cannot read from the store at {url}: {error}") from error


def _stats_of(loaded: Loaded, window_s: int, group: str | None) -> Stats:
    """The counter for a config. Raises CommandError when the config has no events to read."""
    if not loaded.settings.events.enabled:
        raise CommandError(
            "decision events are off; switch them on with enabled = true in [events], "
            "or GATEWAY_EVENTS__ENABLED=true"
        )
    try:
        return Stats(shared_url(loaded), window_s, group)
    except StoreError as error:
        raise CommandError(str(error)) from error
