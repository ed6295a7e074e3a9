"""How does an answer name its edges, and when does the player ask next?

Usually a pathway is an edge. Where URLs are signed anew while a session plays, a pathway is an edge
with a signature, and the player asks often enough to get the next one before the last one ends.
"""

from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.steering.pathways import named
from gateway.steering.state import MAX_AGE_S, SteeringState
from gateway.steering.steering_config import SteeringConfig


class Naming(NamedTuple):
    """The edges of an answer, best first, the ids of their pathways, and the TTL in seconds.

    ``tags`` and ``siblings`` are there only where URLs are signed anew: the tags of the edges
    (:mod:`gateway.steering.signatures`), and whether each differs from the base in the host alone.
    """

    priority: tuple[Edge, ...]
    pathways: tuple[str, ...]
    ttl_s: int
    tags: tuple[int, ...] = ()
    siblings: tuple[bool, ...] = ()


def signed_names(
    state: SteeringState,
    fleet: Fleet,
    edges: tuple[Edge, ...],
    ttl_s: int,
    now_s: int,
    config: SteeringConfig | None,
) -> Naming:
    """The names of ``edges`` in an answer of a session whose URLs are signed anew, whose TTL would
    otherwise be ``ttl_s``. ``config`` is None for one that gets no new signatures: it keeps those
    that it has."""
    most_s = longest_renewed_s(edges)
    until_s = 0 if config is None else now_s + 2 * min(most_s, _longest_s(config))
    at = fleet.positions.get(state.base)
    base = None if at is None else fleet.edges[at]
    found = [(edge, named(state, edge, base, now_s, until_s)) for edge in edges]
    kept = [(edge, name) for edge, name in found if name is not None]
    return Naming(
        priority=tuple([edge for edge, _ in kept]),
        pathways=tuple([name.pathway for _, name in kept]),
        ttl_s=min(ttl_s, most_s),
        tags=tuple([name.tag for _, name in kept]),
        siblings=tuple([name.is_sibling for _, name in kept]),
    )


def longest_renewed_s(edges: Iterable[Edge]) -> int:
    """The longest TTL of a session that may use these edges: a third of how long the shortest
    signature lives. So a new one comes two requests before the old one ends."""
    lives = [edge.url_signing.lifetime_s for edge in edges if edge.url_signing is not None]
    return max(1, min(lives, default=MAX_AGE_S) // 3)


def _longest_s(config: SteeringConfig) -> int:
    """The longest time between two requests of a player."""
    return ceil(config.ttl_s * (1 + config.ttl_jitter))
