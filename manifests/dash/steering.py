"""Can an MPD be steered by the gateway? Otherwise, why not?

A steered MPD declares a BaseURL for each edge that the session may use, and a ContentSteering
(ETSI TS 103 998; C1.5). Players change between these BaseURLs alone. What an absolute URI leads to
elsewhere stays where it is.
"""

from typing import Literal

from manifests.dash.links import Links
from manifests.dash.uris import Destination, Resolver

Refusal = Literal[
    "source-steers", "source-has-alternatives", "uris-do-not-move", "outside-of-signature"
]


def refusal(links: Links, destination: Destination, *, live: bool) -> Refusal | None:
    """Why an MPD cannot be steered; None when it can.

    - ``source-steers``: it has content steering of its own.
    - ``source-has-alternatives``: of its BaseURLs at the MPD level, one leads to another server.
    - ``uris-do-not-move``: all of them do, or no Representation has its segments on the edge. The
      latter is not asked of a ``live`` MPD, which may consist of advertisements for a while: a
      client may drop steering when one update lacks it.
    - ``outside-of-signature``: a URI leads outside of the folder that is signed for its edge. It
      gets a signature of its own, and with it an edge.
    """
    if links.steers:
        return "source-steers"
    resolver = Resolver(destination)
    top = resolver.bases(links.top)
    if None in top:
        return "uris-do-not-move" if set(top) == {None} else "source-has-alternatives"
    if not live and not any(resolver.leads_to_edge(*each) for each in links.segments):
        return "uris-do-not-move"
    signed = destination.mirrors[0].place is not None
    if signed and any(resolver.is_pinned(link) for link in links.media):
        return "outside-of-signature"
    return None


def nests(links: Links, destination: Destination) -> bool:
    """Whether a BaseURL below the MPD level will be relative to those of the edges. media3 then
    knows neither their priority nor their location (G8)."""
    if links.nests or not links.absolute:
        return links.nests
    resolver = Resolver(destination)
    return any(resolver.below(uri, "") is not None for uri in links.absolute)
