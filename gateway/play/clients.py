"""Who asks? The sender of a request by its address, and the player by its User-Agent and hints.

Both follow from a few header values alone, and the same values come again: from the player that
asks again, and from all others of its make. So what was found out is remembered by them, as long as
the config and the GeoIP databases stay the same.
"""

from typing import NamedTuple

from gateway.cache import Recent
from gateway.client.address import TrustedProxies, resolve, viewer_prefix
from gateway.client.device import DeviceClassifier
from gateway.client.facts import Device
from gateway.client.hints import HINT_HEADERS, ClientHints, parse_hints
from gateway.play.request import Headers
from gateway.reason import Reason, Step
from geodata.lookup import GeoLookup
from geodata.place import NOT_LOOKED_UP, Place

REMEMBERED = 8_192
"""So many senders, and so many players, are remembered."""
LONGEST_CHARS = 1024
"""Header values that are longer together are worked out each time: what is remembered is bounded
whatever players send."""

_PLAYER_HEADERS = ("user-agent", *HINT_HEADERS)


class Sender(NamedTuple):
    """Where a request comes from. ``prefix`` names the household (it must not leave the process)
    and is empty when the address is not known."""

    place: Place
    prefix: str
    reasons: tuple[Reason, ...]


class Player(NamedTuple):
    """What plays, and what its hints say."""

    device: Device
    hints: ClientHints


_SenderKey = tuple[int, str | None, tuple[str, ...], tuple[str, ...]]
_PlayerKey = tuple[str | None, ...]


class Askers:
    """Finds out who asks, for one version of the config."""

    def __init__(
        self, classifier: DeviceClassifier, trusted: TrustedProxies, geo: GeoLookup
    ) -> None:
        """``trusted`` are the proxies whose forwarding headers are believed (F9)."""
        self._classifier = classifier
        self._trusted = trusted
        self._geo = geo
        self._senders: Recent[_SenderKey, Sender] = Recent(REMEMBERED)
        self._players: Recent[_PlayerKey, Player] = Recent(REMEMBERED)

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
            hints = parse_hints(headers.by_name)
            found = Player(self._classifier.classify(key[0], hints), hints)
            if sum(map(len, filter(None, key))) <= LONGEST_CHARS:
                self._players.put(key, found)
        return found

    def _find_sender(self, peer: str | None, headers: Headers) -> Sender:
        address = resolve(peer, headers.forwarded, headers.x_forwarded_for, self._trusted)
        if address.ip is None:
            place, prefix = NOT_LOOKED_UP, ""
        else:
            place, prefix = self._geo.place(address.ip), viewer_prefix(address.ip)
        return Sender(place, prefix, (*address.reasons, _reason_of_place(place)))


_NO_DATABASE = Reason(Step.PLACE, "place-not-looked-up", "no GeoIP database or no usable address")
_NOT_KNOWN = Reason(Step.PLACE, "place-unknown", "the GeoIP database does not know the address")


def _reason_of_place(place: Place) -> Reason:
    if place.status == "not_looked_up":
        return _NO_DATABASE
    if place.status == "unknown":
        return _NOT_KNOWN
    region = f"country {place.country or '?'}, continent {place.continent or '?'}"
    if place.anonymous:
        region = f"{region}, an anonymising network"
    if not place.located:
        return Reason(Step.PLACE, "place-found", f"{region}, no point")
    radius = "unknown" if place.accuracy_km is None else f"{place.accuracy_km:.0f} km"
    return Reason(Step.PLACE, "place-found", f"{region}, accuracy radius {radius}")
