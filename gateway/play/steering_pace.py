"""How long should a player wait before it asks to be steered again?

As long as the config says, unless it asks far more often: then until it would be within its pace
again. It is answered in any case (rule C4.2), so this is all that slows it down.
"""

import time
from math import ceil
from typing import Final

from gateway.client.address import Address
from gateway.play.runtime import Gateway
from gateway.trust.admission import Admission

OFTEN: Final = 4
"""A session may ask this many times as often as its TTL says."""
PATIENCE: Final = 8
"""This many requests at once are normal: a player that reloads its playlist sends them."""


def pace_s(
    gateway: Gateway, viewer: int | None, client: Address | None, admission: Admission | None
) -> int:
    """Seconds that the answer should at least say; 0 for a player that keeps its pace.

    ``viewer`` is the key of the session in its state. It is None for a request without the state of
    an earlier answer, which counts for the network of its ``client``, as its manifest did. A
    request that carries an ``admission`` counts for its token as well.
    """
    config, now_s = gateway.runtime.steering, time.monotonic()
    token = None if admission is None else admission.counted_as
    if token is not None and gateway.rates.take_one("token", token, now_s):
        return config.max_ttl_s
    if viewer is None:
        if client is None or not gateway.rates.take("steering", client, now_s):
            return 0
        return 0 if gateway.runtime.clients.trusts(client) else config.max_ttl_s
    each_s = config.ttl_s / OFTEN
    late_s = gateway.steered.owed_s(viewer, now_s) - (PATIENCE - 1) * each_s
    if late_s < config.max_ttl_s:
        gateway.steered.charge(viewer, each_s, now_s)
    return min(config.max_ttl_s, config.ttl_s + ceil(late_s)) if late_s > 0 else 0
