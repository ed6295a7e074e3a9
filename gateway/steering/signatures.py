"""With which signature does a session know the URLs of an edge, and until when is it valid?

A state names an edge with the tag of where it was when the player learned of it. Of an edge that
signs its URLs, the tag also names the step that signed them. So the time at which they end is known
without being in the state, and a new signature is to the player what a new host is: another
pathway.
"""

from typing import Final

from gateway.edge.edge import Edge

_TAGS: Final = 0xFFFF
_AHEAD: Final = 2
"""How many steps the clock of another host may be ahead."""


def tag_at(edge: Edge, now_s: float) -> int:
    """The tag of an edge whose URLs are signed at ``now_s`` (Unix time); never 0."""
    if edge.url_signing is None:
        return edge.host_tag
    return (edge.signed_tag + int(now_s) // edge.url_signing.step_s) % _TAGS + 1


def signed_at(edge: Edge, tag: int, now_s: float) -> int | None:
    """When the step began that signed the URLs with ``tag`` (Unix time). None when their signature
    has ended, and for the tag of another host or key. ``edge`` has a signing."""
    signing = edge.url_signing
    if signing is None:
        return None
    step = int(now_s) // signing.step_s
    age = (edge.signed_tag + step - tag + 1) % _TAGS
    if age >= _TAGS - _AHEAD:
        age -= _TAGS
    at_s = (step - age) * signing.step_s
    return at_s if signing.validity(at_s).expires_s > now_s else None


def outlives(edge: Edge, tag: int, now_s: float, until_s: float) -> bool:
    """Whether the URLs with ``tag`` are good until ``until_s``. Those of an edge that signs nothing
    are as long as the edge is there."""
    if edge.url_signing is None:
        return tag == edge.host_tag
    at_s = signed_at(edge, tag, now_s)
    return at_s is not None and edge.url_signing.validity(at_s).expires_s > until_s


def sibling_tag(base: Edge, base_tag: int, edge: Edge) -> int:
    """The tag that ``edge`` has as a host-only clone of ``base``: it then carries the signature
    of ``base``, whose own tag is ``base_tag``. 0 when it cannot be such a clone."""
    if edge.host is None or edge.shape != base.shape or not base_tag:
        return 0
    if edge.url_signing is None:
        return edge.host_tag
    return (edge.signed_tag + base_tag - 1 - base.signed_tag) % _TAGS + 1
