"""How is a playlist's text kept, so that it can be edited and otherwise stays byte-identical?

The text is cut into blocks. A block stays, is dropped or is moved as a whole; its slots are the
places in it that a rewrite may change. All blocks in order make up the whole text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from manifests.fault import Fault
from manifests.hls.entries import (
    IFrameVariant,
    Rendition,
    SessionData,
    SessionKey,
    Steering,
    Variant,
)

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


class UriSlot(NamedTuple):
    """A URI, ``text[start:end]``; ``target`` is that URI with its variables expanded.

    ``late``: the target still refers to query parameters, whose values only a request has.
    """

    start: int
    end: int
    target: str
    late: bool


class QuerySlot(NamedTuple):
    """The ``QUERYPARAM="name"`` attribute of an EXT-X-DEFINE (A5.4), ``text[start:end]``."""

    start: int
    end: int
    name: str


Slot = UriSlot | QuerySlot

BlockKind = Literal["text", "define", "variant", "iframe", "rendition"]
"""What a block holds: an entry of one kind, an EXT-X-DEFINE, or any other text."""


class Block(NamedTuple):
    """A run of whole lines, ``text[start:end]``, and the slots in them, in order.

    ``entry`` is the index of the variant, I-frame playlist or rendition, -1 for other blocks.
    ``between`` is where comments and blank lines stand between the tag of a variant and its URI
    line, None when there are none.
    """

    kind: BlockKind
    start: int
    end: int
    entry: int = -1
    slots: tuple[Slot, ...] = ()
    between: tuple[int, int] | None = None


# Not frozen for the same reason as variants, though nobody changes it.
@dataclass(slots=True)
class MultivariantPlaylist:
    """A source playlist: facts to decide on, and its ``text`` in blocks for ``write``.

    ``version`` is EXT-X-VERSION, None when absent. ``query_uses`` names the parameters that the
    source takes from the player's request (A5.4), and how often each is written. ``newline`` is the
    line end that it uses.
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
    query_uses: Mapping[str, int]
    newline: str
    text: str
    blocks: tuple[Block, ...]

    @property
    def query_parameters(self) -> tuple[str, ...]:
        """The names of the parameters that the source takes from the player's request."""
        return tuple(self.query_uses)


def is_rewritable(uri: str) -> bool:
    """True for http, https and relative references; ``data:``, ``skd:`` and ``urn:`` URIs are never
    rewritten (A9.2)."""
    scheme, colon, _ = uri.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        return bool(uri)
    return scheme.lower() in {"http", "https"}
