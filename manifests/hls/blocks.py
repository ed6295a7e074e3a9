"""How is the text of a playlist kept, so that it can be edited and otherwise stay as it is?

The source is cut into blocks that stay, go or move as one. A block is a stretch of the text, with
the places in it that a rewrite may change. All blocks in turn are the text.
"""

import re
from dataclasses import dataclass
from typing import Literal

from manifests.fact import fact
from manifests.hls.entries import (
    IFrameVariant,
    Rendition,
    SessionData,
    SessionKey,
    Steering,
    Variant,
)
from manifests.hls.fault import Fault

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


@fact
class UriSlot:
    """A URI, ``text[start:end]``; ``target`` is the same with its variables expanded.

    ``late``: the target still refers to query parameters.
    """

    start: int
    end: int
    target: str
    late: bool


@fact
class QuerySlot:
    """The ``QUERYPARAM="name"`` attribute of an EXT-X-DEFINE (A5.4), ``text[start:end]``."""

    start: int
    end: int
    name: str


Slot = UriSlot | QuerySlot

BlockKind = Literal["text", "define", "variant", "iframe", "rendition"]
"""What a block is, and so which decision keeps, drops or moves it."""


@fact
class Block:
    """Some whole lines, ``text[start:end]``, and the slots in them, in order.

    ``index`` counts the variants, I-frame playlists or renditions. An entry that was read at a
    glance has no slots, but the start and the end of its URI when that is plain (``rebase.PLAIN``),
    else -1. For a variant, comments and blank lines may stand between its tag and its URI line:
    ``between`` says from where to where.
    """

    kind: BlockKind
    start: int
    end: int
    index: int = -1
    plain_start: int = -1
    plain_end: int = -1
    slots: tuple[Slot, ...] = ()
    between: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class MultivariantPlaylist:
    """A source playlist: facts to decide on, and its ``text`` in blocks for ``write``.

    ``version`` is EXT-X-VERSION, None when absent. ``query_parameters`` are the parameters that
    the source takes from the player's request (A5.4). ``newline`` is the line end it uses.
    """

    name: str
    variants: tuple[Variant, ...]
    iframes: tuple[IFrameVariant, ...]
    renditions: tuple[Rendition, ...]
    faults: tuple[Fault, ...]
    version: int | None
    session_keys: tuple[SessionKey, ...]
    session_data: tuple[SessionData, ...]
    steering: Steering | None
    query_parameters: tuple[str, ...]
    newline: str
    text: str
    blocks: tuple[Block, ...]


def is_rewritable(uri: str) -> bool:
    """True for http, https and relative references; ``data:``, ``skd:``, ``urn:`` stay (A10.2)."""
    match = _SCHEME.match(uri)
    return bool(uri) and (match is None or match[1].lower() in {"http", "https"})
