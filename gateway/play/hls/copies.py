"""Which playlists list their ladder once for each of several edges, and for whom?

Usually a playlist lists each rung once, and the other edges are clones, in which players replace
the host. That is not possible where the URLs of edges differ in the port, the path or the scheme,
and not in players that do not clone. There, a playlist may declare a few pathways itself: symmetric
copies of its ladder. A player that does not steer sees each rung several times (G1), so only those
that are known to steer get them.
"""

import re
from typing import Final

from gateway.decision import nearest_edges
from gateway.edge.edge import Edge
from gateway.play.decide import Decided
from gateway.play.hls.renewal import may_be_renewed
from gateway.play.hls.steering import MAY_NOT_STEER, NO_OTHER_EDGE, TOO_MANY
from gateway.play.request import Headers
from gateway.play.steering import PAGES
from gateway.reason import Reason

STEERS: Final = {*PAGES, "AVPlayer", "QuickTime"}
"""The players that steer: those in the pages of browsers, and those of Apple. Safari and AVPlayer
before version 15 take copies for redundant ones, and fail over to them. media3 steers from 1.11 on.
"""
CANNOT_CLONE: Final = {"Shaka Player"}
"""In a page, Shaka cannot be told from other players."""
MAX_COPIED_VARIANTS: Final = 96
"""The most variants of a playlist with copies; with more, it lists fewer pathways."""

_MEDIA3 = re.compile(r"androidxmedia3/(\d{1,3})\.(\d{1,3})", re.IGNORECASE)
_MEDIA3_STEERS = (1, 11)


def may_copy(found: Decided) -> bool:
    """Whether copies of the ladder are to be considered: where no other edge can be a clone, where
    the player does not clone, or always, as ``steering.copies`` says."""
    copies = found.runtime.steering.copies
    return copies != "never" and (
        copies == "always" or not may_clone(found) or found.player.device.player in CANNOT_CLONE
    )


def copies_for(found: Decided, headers: Headers) -> tuple[tuple[Edge, ...], Reason | None]:
    """The edges for which the playlist lists its ladder once more, best first; without any, why it
    cannot be steered, or None when clones can be used instead."""
    decision, config = found.decision, found.runtime.steering
    fleet = decision.inquiry.fleet
    refused: Reason | None = None
    copies: tuple[Edge, ...] = ()
    url = decision.edge.url
    near = [edge for edge in nearest_edges(decision) if edge.url != url]
    up = [edge for edge in near if fleet.conditions[fleet.positions[edge.id]].state == "up"]
    wanted = up[: config.max_pathways - 1]
    if not wanted:
        refused = NO_OTHER_EDGE
    elif not _steers(found.player.device.player, headers):
        refused = MAY_NOT_STEER
    else:
        copies = tuple(wanted[: max(0, MAX_COPIED_VARIANTS // len(decision.kept) - 1)])
        refused = None if copies else TOO_MANY
    return copies, None if may_clone(found) else refused


def may_clone(found: Decided) -> bool:
    """Whether sessions can move to clones: of an edge whose URL differs in the host alone, or with
    URIs of their own where URLs are signed. The latter also renew the signatures of a single
    edge."""
    decision = found.decision
    return decision.inquiry.fleet.index.has_sibling(decision.edge) or may_be_renewed(found)


def _steers(player: str | None, headers: Headers) -> bool:
    if player != "media3":
        return player in STEERS
    version = _MEDIA3.search(headers.get("user-agent") or "")
    return version is not None and (int(version[1]), int(version[2])) >= _MEDIA3_STEERS
