"""How do workers notify each other of changes, on this host and on others?

There are four topics, each with a log: ``policy`` (a config was reloaded), ``edges`` (check the
edges again), ``assets`` (a purge), ``revocations`` (something was revoked). Each subscription has
its own queue: a slow subscriber loses its own oldest messages and does not delay others.

A message can be missed when Redis was away or lost its log, or when the subscriber was slow. The
subscriber then gets a ``Gap``, and checks everything that its topic covers. So a message is a hint
to look now; it is never the only record of a change.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal, Protocol, Self

from gateway.observe import metrics

Topic = Literal["policy", "edges", "assets", "revocations"]
TOPICS: tuple[Topic, ...] = ("policy", "edges", "assets", "revocations")

MAX_MESSAGE_BYTES = 4096
"""A larger message is neither sent nor read."""

QUEUED = 256
"""Messages that may wait in one subscription."""

GapReason = Literal["away", "lost", "slow"]
"""``away``: the log could not be read for a while; it may be complete, but publishers may have been
unable to write to it. ``lost``: the log was trimmed or lost. ``slow``: this subscription's queue
was full."""


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a topic's log. ``body`` is untrusted, as anything may have written it to Redis;
    see ``gateway.store.coordination.messages.decode_message``."""

    topic: Topic
    id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages may have been missed: check everything."""

    topic: Topic
    reason: GapReason


BusEvent = Message | Gap


class Bus(Protocol):
    """The message bus that all workers share."""

    async def publish(self, topic: Topic, body: bytes) -> bool:
        """Add a message to a topic's log. Never raises. Returns, after a second at most, whether
        the log is known to hold it. The publishing worker receives it, too."""
        ...

    def subscribe(self, topic: Topic) -> "Subscription":
        """Subscribe to a topic from now on, until closed."""
        ...

    async def run(self) -> None:
        """Deliver until cancelled. Survives any failure of Redis."""
        ...


class Subscription:
    """The events of one subscriber, in order: ``async for event in subscription``."""

    def __init__(self, topic: Topic, queued: int = QUEUED) -> None:
        """``queued`` events may wait; at least 1."""
        self.topic: Topic = topic
        self._queued = queued
        self._waiting: deque[BusEvent] = deque()
        self._overrun = False
        self._closed = False
        self._wake = asyncio.Event()

    def put(self, event: BusEvent) -> None:
        """Queue an event; a full queue drops its oldest event."""
        if isinstance(event, Gap) and self._waiting and isinstance(self._waiting[-1], Gap):
            return  # it will check everything anyway
        if len(self._waiting) >= self._queued:
            self._waiting.popleft()
            if not self._overrun:
                self._overrun = True
                metrics.BUS_GAPS.labels(self.topic, "slow").inc()
        self._waiting.append(event)
        self._wake.set()

    def close(self) -> None:
        """End the iteration; the bus drops the subscription at its next event."""
        self._closed = True
        self._wake.set()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def __aiter__(self) -> Self:
        """The events to come."""
        return self

    async def __anext__(self) -> BusEvent:
        """The next event, as soon as there is one."""
        while not self._closed:
            if self._overrun:
                self._overrun = False
                return Gap(self.topic, "slow")
            if self._waiting:
                return self._waiting.popleft()
            self._wake.clear()
            await self._wake.wait()
        raise StopAsyncIteration


class Subscribers:
    """The subscriptions of this process, by topic."""

    def __init__(self) -> None:
        self._by_topic: Mapping[Topic, list[Subscription]] = {topic: [] for topic in TOPICS}

    def add(self, topic: Topic) -> Subscription:
        """Add a subscription."""
        subscription = Subscription(topic)
        self._by_topic[topic].append(subscription)
        return subscription

    def deliver(self, event: BusEvent) -> None:
        """Queue an event in every subscription of its topic, without waiting."""
        if isinstance(event, Gap):
            metrics.BUS_GAPS.labels(event.topic, event.reason).inc()
        else:
            metrics.BUS_RECEIVED.labels(event.topic).inc()
        subscriptions = self._by_topic[event.topic]
        subscriptions[:] = [each for each in subscriptions if not each.closed]
        for subscription in subscriptions:
            subscription.put(event)


class LocalBus:
    """The bus of one process that shares nothing with others (store ``memory``)."""

    def __init__(self) -> None:
        self._subscribers = Subscribers()
        self._ids = count(1)

    async def publish(self, topic: Topic, body: bytes) -> bool:
        """See ``Bus.publish``."""
        accepted = len(body) <= MAX_MESSAGE_BYTES
        metrics.BUS_PUBLISHED.labels(topic, "accepted" if accepted else "refused").inc()
        if accepted:
            self._subscribers.deliver(Message(topic, str(next(self._ids)), body))
        return accepted

    def subscribe(self, topic: Topic) -> Subscription:
        """See ``Bus.subscribe``."""
        return self._subscribers.add(topic)

    async def run(self) -> None:
        """Wait until cancelled: ``publish`` delivers messages itself."""
        await asyncio.Event().wait()
