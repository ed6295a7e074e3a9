"""Which requests may be sent to origins now? Unknown ids have a share, each client a part of it.

All requests together are bounded. Of these, assets that this process knows to be good may use all;
*unknown* ids, which players choose freely, may use half; and the unknown ids of one client network
a quarter of that half. So a player who asks for ids that the origin answers slowly, or not at all,
delays neither the titles that others watch nor the new titles that others ask for.
"""

import asyncio
from collections import Counter
from contextlib import suppress

UNKNOWN_SHARE = 2
CLIENT_SHARE = 8
"""Unknown ids may use 1/2 of all slots, and those of one client network 1/8."""
_MAX_CLIENTS = 32
"""More clients of one request make no difference."""


class Ticket:
    """One asset that is being fetched: whether it is known to be good, and which client networks
    ask for it. An empty network is one whose address is not known; it has no share of its own."""

    __slots__ = ("charged", "clients", "known", "waiting")

    def __init__(self, *, known: bool, client: str = "") -> None:
        self.known = known
        self.clients = {client: None}
        self.charged = client
        self.waiting: asyncio.Future[None] | None = None

    @property
    def client(self) -> str:
        """The network that asked first."""
        return next(iter(self.clients))


class Slots:
    """The slots of all origins together."""

    def __init__(self, total: int) -> None:
        """``total`` requests may be in progress at a time."""
        self._total = total
        self._most_unknown = max(1, total // UNKNOWN_SHARE)
        self._most_per_client = max(1, total // CLIENT_SHARE)
        self._used = 0
        self._unknown = 0
        self._by_client: Counter[str] = Counter()
        self._queue: dict[Ticket, None] = {}

    async def take(self, ticket: Ticket, deadline: float) -> None:
        """Wait for a slot. Raises TimeoutError at ``deadline`` (loop time)."""
        if not self._queue and self._grants(ticket):
            return
        ticket.waiting = asyncio.get_running_loop().create_future()
        self._queue[ticket] = None
        self._serve()
        try:
            async with asyncio.timeout_at(deadline):
                await ticket.waiting
        except BaseException:
            with suppress(KeyError):
                del self._queue[ticket]
            if ticket.waiting.done() and not ticket.waiting.cancelled():
                self.give_back(ticket)
            raise
        finally:
            ticket.waiting = None

    def give_back(self, ticket: Ticket) -> None:
        """Free the slot of ``ticket``."""
        self._used -= 1
        if not ticket.known:
            self._unknown -= 1
            self._by_client[ticket.charged] -= 1
            if not self._by_client[ticket.charged]:
                del self._by_client[ticket.charged]
        self._serve()

    def join(self, ticket: Ticket, client: str) -> None:
        """Another client asks for the same asset: its share may be used, too."""
        if client in ticket.clients or len(ticket.clients) >= _MAX_CLIENTS:
            return
        ticket.clients[client] = None
        if ticket.waiting is not None:
            self._serve()

    def _serve(self) -> None:
        """Give free slots to waiting tickets, the newest first: it has most of its time left, and
        the origin may never answer a client's earlier requests."""
        for ticket in reversed(list(self._queue)):
            if self._used >= self._total:
                return
            waiting = ticket.waiting
            if waiting is not None and not waiting.done() and self._grants(ticket):
                del self._queue[ticket]
                waiting.set_result(None)

    def _grants(self, ticket: Ticket) -> bool:
        """Take a slot for ``ticket`` if one is free for it."""
        if self._used >= self._total:
            return False
        if not ticket.known:
            if self._unknown >= self._most_unknown:
                return False
            for client in ticket.clients:
                if not client or self._by_client[client] < self._most_per_client:
                    ticket.charged = client
                    break
            else:
                return False
            self._unknown += 1
            self._by_client[ticket.charged] += 1
        self._used += 1
        return True
