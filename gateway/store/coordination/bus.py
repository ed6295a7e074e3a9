"""How do workers tell each other that something changed, on this host and on others?

Three topics, each with a log: ``policy`` (a config was reloaded), ``edges`` (look at the edges
again), ``assets`` (a purge). Whoever follows a topic has a subscription of its own, with a queue of
its own: a slow one loses its own oldest messages and holds up nobody.

A message may be missed: Redis was away, forgot its log, or the follower was slow. The follower is
then told of a ``Gap``, and checks everything that its topic is about. So a message is a hint to
look now, and never the only place where something stands.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal, Protocol, Self

from gateway.observe import metrics

Topic = Literal["policy", "edges", "assets"]
TOPICS: tuple[Topic, ...] = ("policy", "edges", "assets")

MAX_MESSAGE_BYTES = 4096
"""A larger message is not accepted, and not read."""

QUEUED = 256
"""So many messages may wait in one subscription."""

GapReason = Literal["away", "lost", "slow"]
"""``away``: the log could not be read for a while. It proves that nothing in it was missed, but
whoever had something to say may have been away, too. ``lost``: the log was trimmed or forgotten.
``slow``: this subscription's queue was full."""


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a topic's log. ``body`` is as its publisher wrote it, or as whoever else can
    write to Redis did: see ``gateway.store.coordination.messages.decode``."""

    topic: Topic
    id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Something may have been missed here: check everything."""

    topic: Topic
    reason: GapReason


BusEvent = Message | Gap


class Bus(Protocol):
    """Topics that all workers share."""

    async def publish(self, topic: Topic, body: bytes) -> bool:
        """Add a message to a topic's log. Never raises; whether it is known to be in the log,
        after a second at most. Its own worker gets it, too."""
        ...

    def subscribe(self, topic: Topic) -> "Subscription":
        """Everything from now on, until it is closed."""
        ...

    async def run(self) -> None:
        """Deliver until cancelled. Survives whatever happens to Redis."""
        ...


class Subscription:
    """One follower's events, in order: ``async for event in subscription``."""

    def __init__(self, topic: Topic, queued: int = QUEUED) -> None:
        """``queued`` events may wait; at least 1."""
        self.topic: Topic = topic
        self._queued = queued
        self._waiting: deque[BusEvent] = deque()
        self._overrun = False
        self._closed = False
        self._wake = asyncio.Event()

    def put(self, event: BusEvent) -> None:
        """Queue an event; when there is no room, the oldest gives way to it."""
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
        """End the iteration; nothing is queued any more once the bus has noticed."""
        self._closed = True
        self._wake.set()

    @property
    def closed(self) -> bool:
        """Whether nobody follows any more."""
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
    """Who follows which topic in this process."""

    def __init__(self) -> None:
        self._by_topic: Mapping[Topic, list[Subscription]] = {topic: [] for topic in TOPICS}

    def add(self, topic: Topic) -> Subscription:
        """One more."""
        subscription = Subscription(topic)
        self._by_topic[topic].append(subscription)
        return subscription

    def deliver(self, event: BusEvent) -> None:
        """Queue an event with everyone who follows its topic. Waits for nobody."""
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
        """Nothing to do: messages are delivered where they are published."""
        await asyncio.Event().wait()
