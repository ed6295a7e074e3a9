"""How many connections has a listener, in all and for each address? Each process counts its own."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import structlog

from gateway.client.address import TrustedProxies
from gateway.listener import Listener
from gateway.serving.limits import ConnectionLimits
from gateway.serving.refusal import TOO_MANY_CONNECTIONS, TOO_MANY_FROM_ADDRESS, Refusal

log = structlog.get_logger()

_IPV6_HOST_BITS = 64
"""One client usually has all addresses of a /64."""


class ConnectionCounts:
    """Admits connections up to two limits: for all together, and for each IPv4 address or IPv6 /64.
    Trusted proxies are exempt from the second."""

    def __init__(self, listener: Listener, limits: ConnectionLimits) -> None:
        self.listener: Listener = listener
        self.most = limits.max_connections
        self._most_per_address = limits.max_connections_per_address
        self._trusted = TrustedProxies.of(limits.trusted_proxies)
        self._all = 0
        self._by_address: dict[object, int] = {}
        self._reported: set[str] = set()

    def admit(self, host: str | None) -> "Refusal | Admitted":
        """Count a connection from ``host``, or return the reason why it is refused."""
        if self._all >= self.most:
            self._report(TOO_MANY_CONNECTIONS, self.most)
            return TOO_MANY_CONNECTIONS
        key = self._key(host)
        if key is not None:
            count = self._by_address.get(key, 0)
            if count >= self._most_per_address:
                self._report(TOO_MANY_FROM_ADDRESS, self._most_per_address)
                return TOO_MANY_FROM_ADDRESS
            self._by_address[key] = count + 1
        self._all += 1
        return Admitted(self, key)

    def release(self, key: object) -> None:
        """A counted connection has ended."""
        self._all -= 1
        if key is not None:
            count = self._by_address[key] - 1
            if count:
                self._by_address[key] = count
            else:
                del self._by_address[key]
        if self._reported and self._all < self.most * 0.9:
            self._reported.clear()

    def _key(self, host: str | None) -> object:
        """What the connections of an address are counted by; None if they are exempt."""
        try:
            address = ip_address((host or "").partition("%")[0])
        except ValueError:  # a Unix socket
            return None
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        if address in self._trusted:
            return None
        return address if isinstance(address, IPv4Address) else int(address) >> _IPV6_HOST_BITS

    def _report(self, refusal: Refusal, limit: int) -> None:
        """Log the first refusal since the number of connections was last well below the limit."""
        if refusal.reason not in self._reported:
            self._reported.add(refusal.reason)
            log.error(
                "connections_refused",
                listener=self.listener,
                reason=refusal.reason,
                limit=limit,
                open=self._all,
            )


class Admitted:
    """A connection that is counted until :meth:`release` is called."""

    __slots__ = ("_counts", "_key")

    def __init__(self, counts: ConnectionCounts, key: object) -> None:
        self._counts = counts
        self._key = key

    def release(self) -> None:
        """It has ended."""
        self._counts.release(self._key)
