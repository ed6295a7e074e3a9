"""Who asks? The sender of a request by its address, and the player by its User-Agent and hints.

Both depend on a few header values, which recur in later requests of the same player and of others
like it. So both are cached by these values until the config or a GeoIP database changes.
"""

from typing import NamedTuple

from gateway.cache import PLAYERS, SENDERS, Cache
from gateway.client.address import TrustedProxies, resolve, viewer_prefix
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
    """Where a request comes from. ``prefix`` is the network of the household, and must not leave
    the process; it is empty when the address is unknown."""

    place: Place
    prefix: str
    reasons: tuple[Reason, ...]


class Player(NamedTuple):
    """The device that plays, and the content coding that it prefers."""

    device: Device
    coding: str


_SenderKey = tuple[int, str | None, tuple[str, ...], tuple[str, ...]]
_PlayerKey = tuple[str | None, ...]


class ClientLookup:
    """Identifies clients by one version of the config."""

    def __init__(
        self, classifier: DeviceClassifier, trusted: TrustedProxies, geo: GeoLookup
    ) -> None:
        """``trusted`` are the proxies whose forwarding headers are used (F9)."""
        self._classifier = classifier
        self._trusted = trusted
        self._geo = geo
        self._senders: Cache[_SenderKey, Sender] = Cache(SENDERS)
        self._players: Cache[_PlayerKey, Player] = Cache(PLAYERS)

    def sender(self, peer: str | None, headers: Headers) -> Sender:
        """Where a request comes from; ``peer`` is the address of the connection."""
        key = (self._geo.generation, peer, headers.forwarded, headers.x_forwarded_for)
        found = self._senders.get(key)
        if found is None:
            found = self._find_sender(peer, headers)
            if sum(map(len, (*headers.forwarded, *headers.x_forwarded_for))) <= LONGEST_CHARS:
                self._senders.put(key, found)
        return found

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

    def _find_sender(self, peer: str | None, headers: Headers) -> Sender:
        address = resolve(peer, headers.forwarded, headers.x_forwarded_for, self._trusted)
        if address.ip is None:
            place, prefix = NOT_LOOKED_UP, ""
        else:
            place, prefix = self._geo.place(address.ip), viewer_prefix(address.ip)
        return Sender(place, prefix, address.reasons)
