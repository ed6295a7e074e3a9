"""Reports that were answered and wait to be read. What waits is bounded in bytes."""

import asyncio
from collections import deque
from typing import Final, NamedTuple

from gateway.play.request import Headers

OVERHEAD_BYTES: Final = 1024
"""What a waiting batch takes besides its body, roughly."""


class ReportBatch(NamedTuple):
    """The body of one request, and who sent it.

    ``session`` is the id that the URL names, if any; then all reports are of this session.
    The first ``reports`` of them are read. ``network`` is that of the client, empty when unknown,
    ``peer`` the remote address of the connection, and ``received_s`` the time in seconds since
    1970.
    """

    body: bytes
    session: str | None
    reports: int
    network: str
    peer: str | None
    headers: Headers
    received_s: float


class ReportQueue:
    """Batches in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[ReportBatch] = deque()
        self.bytes = 0
        """The size of what waits."""
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        """The number of batches that wait."""
        return len(self._waiting)

    def left(self) -> list[ReportBatch]:
        """The batches that wait; they stay in the queue."""
        return list(self._waiting)

    def offer(self, batch: ReportBatch, most_bytes: int) -> bool:
        """Add a batch; False when it would make more than ``most_bytes`` wait."""
        size = len(batch.body) + OVERHEAD_BYTES
        if self.bytes + size > most_bytes:
            return False
        self._waiting.append(batch)
        self.bytes += size
        self._filled.set()
        return True

    async def take(self) -> ReportBatch:
        """The oldest batch, as soon as there is one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        batch = self._waiting.popleft()
        self.bytes -= len(batch.body) + OVERHEAD_BYTES
        return batch
