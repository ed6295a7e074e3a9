"""What is known of the network of one steering request: what others measure, and its prior."""

import time
from typing import Final

from gateway.client.prior import network_name, viewer_slot, wide_network
from gateway.play.clients import Sender
from gateway.play.facts import experience_network
from gateway.play.request import Headers
from gateway.play.runtime import Gateway
from gateway.steering.decide import Steered

_PROBES: Final = ("probe", "query")
_REPORTS_TTLS: Final = 2
"""A reported CDN counts as evidence for this many TTLs."""


class RequestView:
    """The :class:`gateway.steering.decide.NetworkView` of one request. What it needs is looked up
    when it is asked, since most sessions have no reason to ask."""

    __slots__ = ("_clock_s", "_gateway", "_headers", "_network", "_sender", "_session")

    def __init__(
        self,
        gateway: Gateway,
        sender: Sender,
        headers: Headers,
        session: bytes | None,
        clock_s: float,
    ) -> None:
        """``session`` is the session's name, None when it has none; ``clock_s`` is what the
        monotonic clock shows."""
        self._gateway = gateway
        self._session = session
        self._sender = sender
        self._headers = headers
        self._clock_s = clock_s
        asn = sender.place.asn
        self._network = wide_network(sender.prefix) if asn is None else f"{asn}"

    def kbps_on(self, edge: int) -> int | None:
        """What its viewers usually measure on an edge, by its key; 0 when they report trouble
        there, and edges are avoided for that (``cmcd.avoid_poor_edges``)."""
        fleet = self._gateway.fleet
        at = fleet.index.by_key.get(edge)
        if at is not None and fleet.edges[at].id in self._poor_edges():
            return 0
        return self._gateway.steering.networks.kbps_on(self._network, edge, self._clock_s)

    def _poor_edges(self) -> frozenset[str]:
        if not self._gateway.runtime.settings.cmcd.avoid_poor_edges or not self._sender.prefix:
            return frozenset()
        return self._gateway.experiences.poor(experience_network(self._sender), self._clock_s)

    def prior_kbps(self) -> int | None:
        """The prior of the network for the player's class of devices."""
        if not self._gateway.priors.known or not self._sender.prefix:
            return None
        device = self._gateway.runtime.clients.player(self._headers).device.kind
        name = network_name(self._sender.place, self._sender.prefix, device)
        return self._gateway.priors.known.get(name)

    def probed_kbps(self) -> int | None:
        """The best that the session's page has measured in the last ``forget_s`` seconds, as far
        as this worker knows: with ``/v1/probe``, or by itself (``speed``)."""
        record = None if self._session is None else self._gateway.sessions.fresh(self._session)
        if record is None:
            return None
        oldest = time.time() - self._gateway.runtime.steering.forget_s
        known = [
            sample.kbps
            for sample in record.estimate.samples
            if sample.source in _PROBES and sample.time_s > oldest
        ]
        return max(known, default=None)

    def reported_edge(self, since_s: int) -> int | None:
        """The key of the edge that its player has named as its CDN in a report that came after
        ``since_s``, and within two TTLs, as far as this worker knows."""
        record = None if self._session is None else self._gateway.sessions.fresh(self._session)
        playback = None if record is None else record.playback
        if playback is None or playback.cdn is None:
            return None
        age_s = time.time() - playback.time_s
        named_ago_ms = playback.latest - playback.cdns[0]
        ttl_s = self._gateway.runtime.steering.ttl_s
        if playback.time_s < since_s or max(age_s, named_ago_ms / 1000) > _REPORTS_TTLS * ttl_s:
            return None
        at = self._gateway.fleet.positions.get(playback.cdn)
        return None if at is None else self._gateway.fleet.edges[at].key

    def learn(self, answer: Steered) -> None:
        """Note what this viewer has just measured, or that it has left an edge by itself."""
        if not self._sender.prefix:
            return
        for edge, kbps, at_s in answer.state.records:
            if at_s == answer.state.issued_s:
                viewer = viewer_slot(self._sender.prefix)
                self._gateway.steering.networks.add(
                    self._network, viewer, edge, kbps, self._clock_s
                )
