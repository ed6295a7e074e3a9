"""The pure core's one entry: facts and policy in, decision and reasons out."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.edge.edge import Edge
from gateway.policy.profile import Profile
from gateway.policy.rules import Rule


@dataclass(frozen=True, slots=True)
class Policy:
    """What operators decided, immutable. ``version`` is a short hash over all of it: decisions
    cached under another version are never used. Build one with :mod:`gateway.config`."""

    profiles: Mapping[str, Profile]
    rules: tuple[Rule, ...]
    default_profile: str
    edges: tuple[Edge, ...]
    time_zone: str
    version: str
