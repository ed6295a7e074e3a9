"""Who asks? The sender of a request by its address, and the player by its User-Agent and hints.

A player depends on a few header values, which recur in later requests of the same player and of
others like it. So it is cached by these values until the config changes.
"""

from collections.abc import Container
from typing import NamedTuple

from gateway.cache import PLAYERS, Cache
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
    address; neither must leave the process. They are empty and None when the address is unknown."""

    place: Place
    prefix: str
    reasons: tuple[Reason, ...]
    client: Address | None = None


class Player(NamedTuple):
    """The device that plays, and the content coding that it prefers."""

    device: Device
    coding: str


_PlayerKey = tuple[str | None, ...]


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
        self._asked: tuple[str | None, tuple[str, ...], tuple[str, ...]] = (None, (), ())
        self._address = resolve(*self._asked, trusted)

    def _resolved(self, peer: str | None, headers: Headers) -> ClientAddress:
        """The address of the client that sends a request. The last answer is kept: a request is
        asked about when it is admitted, and again at once."""
        asked = (
            peer,
            headers.forwarded if self._reads_forwarded else (),
            headers.x_forwarded_for if self._reads_x_forwarded_for else (),
        )
        if asked != self._asked:
            self._address = resolve(*asked, self._trusted)
            self._asked = asked
        return self._address

    def trusts(self, client: Address) -> bool:
        """Whether an address is that of a trusted proxy."""
        return client in self._trusted

    def sender(self, peer: str | None, headers: Headers) -> Sender:
        """Where a request comes from; ``peer`` is the address of the connection.

        It is looked up for each request. A player asks for one playlist in minutes, so a cache by
        address would hardly ever hit where there are enough players to need one.
        """
        address = self._resolved(peer, headers)
        if address.ip is None:
            return Sender(NOT_LOOKED_UP, "", address.reasons)
        place, prefix = self._geo.place(address.ip), viewer_prefix(address.ip)
        return Sender(place, prefix, address.reasons, address.ip)

    def network(self, peer: str | None, headers: Headers) -> str:
        """The network of the household that sends a request, as :attr:`Sender.prefix`."""
        ip = self._resolved(peer, headers).ip
        return "" if ip is None else viewer_prefix(ip)

    def address(self, peer: str | None, headers: Headers) -> Address | None:
        """The address of who sends a request; None when it is not known."""
        return self._resolved(peer, headers).ip

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
