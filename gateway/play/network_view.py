"""What is known of the network of one steering request: what others measure, and its prior."""

from gateway.client.prior import network_name, viewer_slot
from gateway.play.clients import Sender
from gateway.play.request import Headers
from gateway.play.runtime import Gateway
from gateway.steering.decide import Steered

_ANY_DEVICE = "any"


class RequestView:
    """The :class:`gateway.steering.decide.NetworkView` of one request. What it needs is looked up
    when it is asked, since most sessions have no reason to ask."""

    __slots__ = ("_clock_s", "_gateway", "_headers", "_name", "_sender")

    def __init__(self, gateway: Gateway, sender: Sender, headers: Headers, clock_s: float) -> None:
        """``clock_s`` is what the monotonic clock shows."""
        self._gateway = gateway
        self._sender = sender
        self._headers = headers
        self._clock_s = clock_s
        self._name = network_name(sender.place, sender.prefix, _ANY_DEVICE)

    def kbps_on(self, edge: int) -> int | None:
        """What its viewers usually measure on an edge, by its key."""
        return self._gateway.steering.networks.kbps_on(self._name, edge, self._clock_s)

    def prior_kbps(self) -> int | None:
        """The prior of the network for the player's class of devices."""
        if not self._gateway.priors.known or not self._sender.prefix:
            return None
        device = self._gateway.runtime.clients.player(self._headers).device.kind
        name = network_name(self._sender.place, self._sender.prefix, device)
        return self._gateway.priors.known.get(name)

    def learn(self, answer: Steered) -> None:
        """Note what this viewer has just measured, or that it has left an edge by itself."""
        if not self._sender.prefix:
            return
        for edge, kbps, at_s in answer.state.records:
            if at_s == answer.state.issued_s and kbps is not None:
                viewer = viewer_slot(self._sender.prefix)
                self._gateway.steering.networks.add(self._name, viewer, edge, kbps, self._clock_s)
