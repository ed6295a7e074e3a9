"""Who asks? The sender of a request by its address, and the player by its User-Agent and hints.

A player depends on a few header values, which recur in later requests of the same player and of
others like it. So it is cached by these values until the config changes. A client asks once for a
playlist, but every few seconds where to play from, and reports what it has seen. So what its
address tells is cached as well.
"""

from collections.abc import Container
from itertools import chain
from typing import NamedTuple

from gateway.cache import CLIENTS, PLAYERS, Cache
from gateway.client.address import (
    Address,
    ClientAddress,
    TrustedProxies,
    is_https,
    resolve,
    viewer_prefix,
)
from gateway.client.device import DeviceClassifier
from gateway.client.facts import Device
from gateway.client.hints import DEVICE_HINT_HEADERS, parse_hints
from gateway.play.compression import negotiate
from gateway.play.request import Headers
from gateway.reason import Reason
from geodata.lookup import GeoLookup
from geodata.place import NOT_LOOKED_UP, Place

LONGEST_CHARS = 1024
"""Header values with a greater total length are not cached. This bounds the memory that players can
use."""

_PLAYER_HEADERS = ("user-agent", *DEVICE_HINT_HEADERS, "accept-encoding")


class Sender(NamedTuple):
    """Where a request comes from. ``prefix`` is the network of the household, and ``client`` the
    address; neither may leave the process. They are empty and None when the address is unknown."""

    place: Place
    prefix: str
    reasons: tuple[Reason, ...]
    client: Address | None = None


class Player(NamedTuple):
    """The device that plays, and the content coding that it prefers."""

    device: Device
    coding: str


_ClientKey = tuple[str | None, tuple[str, ...], tuple[str, ...]]
_PlayerKey = tuple[str | None, ...]


class _Client:
    """The client with an address. Its place is looked up when it is first needed, and again when
    ``generation``, that of the databases, has changed."""

    __slots__ = ("address", "generation", "network", "sender")

    def __init__(self, address: ClientAddress) -> None:
        self.address = address
        self.network = "" if address.ip is None else viewer_prefix(address.ip)
        self.sender: Sender | None = None
        self.generation = 0


class ClientLookup:
    """Identifies clients by one version of the config."""

    def __init__(
        self,
        classifier: DeviceClassifier,
        trusted: TrustedProxies,
        geo: GeoLookup,
        read: Container[str] = ("forwarded", "x-forwarded-for"),
    ) -> None:
        """``trusted`` are the proxies whose forwarding headers are used (F9), as far as ``read``
        names these, in lower case."""
        self._classifier = classifier
        self._trusted = trusted
        self._reads_forwarded = "forwarded" in read
        self._reads_x_forwarded_for = "x-forwarded-for" in read
        self._geo = geo
        self._players: Cache[_PlayerKey, Player] = Cache(PLAYERS)
        self._clients: Cache[_ClientKey, _Client] = Cache(CLIENTS)

    def _client(self, peer: str | None, headers: Headers) -> _Client:
        """The client that sends a request."""
        key = (
            peer,
            headers.forwarded if self._reads_forwarded else (),
            headers.x_forwarded_for if self._reads_x_forwarded_for else (),
        )
        found = self._clients.get(key)
        if found is None:
            found = _Client(resolve(*key, self._trusted))
            if sum(map(len, chain(key[1], key[2]))) <= LONGEST_CHARS:
                self._clients.put(key, found)
        return found

    def trusts(self, client: Address) -> bool:
        """Whether an address is that of a trusted proxy."""
        return client in self._trusted

    def sender(self, peer: str | None, headers: Headers) -> Sender:
        """Where a request comes from; ``peer`` is the address of the connection."""
        client = self._client(peer, headers)
        if client.sender is None or client.generation != self._geo.generation:
            client.generation = self._geo.generation
            ip, _, reasons = client.address
            place = NOT_LOOKED_UP if ip is None else self._geo.place(ip)
            client.sender = Sender(place, client.network, reasons, ip)
        return client.sender

    def network(self, peer: str | None, headers: Headers) -> str:
        """The network of the household that sends a request, as :attr:`Sender.prefix`."""
        return self._client(peer, headers).network

    def address(self, peer: str | None, headers: Headers) -> Address | None:
        """The address of who sends a request; None when it is not known."""
        return self._client(peer, headers).address.ip

    def is_https(self, peer: str | None, headers: Headers) -> bool:
        """Whether a trusted proxy says that the client has reached it over TLS."""
        proto = headers.get("x-forwarded-proto")
        forwarded = headers.forwarded if self._reads_forwarded else ()
        return is_https(peer, forwarded, proto, self._trusted)

    def player(self, headers: Headers) -> Player:
        """What plays."""
        key = tuple(map(headers.by_name.get, _PLAYER_HEADERS))
        found = self._players.get(key)
        if found is None:
            device = self._classifier.classify(key[0], parse_hints(headers.by_name))
            found = Player(device, negotiate(headers.get("accept-encoding") or ""))
            if sum(map(len, filter(None, key))) <= LONGEST_CHARS:
                self._players.put(key, found)
        return found
