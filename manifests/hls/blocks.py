"""How is the text of a playlist kept, so that it can be edited and otherwise stay as it is?

The source is cut into blocks that stay, go or move as one, and each block into literal text and
slots. Joining the texts of all blocks and the ``raw`` of all slots gives the source back.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

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


@dataclass(frozen=True, slots=True)
class UriSlot:
    """A URI: as it stands (``raw``), and with its variables expanded (``target``).

    ``late``: the target still refers to query parameters.
    """

    raw: str
    target: str
    late: bool


@dataclass(frozen=True, slots=True)
class QuerySlot:
    """The ``QUERYPARAM="name"`` attribute of an EXT-X-DEFINE, as it stands and by name (A5.4)."""

    raw: str
    name: str


Part = str | UriSlot | QuerySlot


class BlockKind(Enum):
    """What a block is, and so which decision keeps, drops or moves it."""

    TEXT = auto()
    DEFINE = auto()
    VARIANT = auto()
    IFRAME = auto()
    RENDITION = auto()


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole lines, in this order: ``head``, ``line_end``, ``between``, ``tail``.

    A tag that can go or move has its line in ``head``, with its attribute list starting
    ``attributes_at`` characters in. For a variant, ``between`` holds the comments and blank lines
    before its URI, and ``tail`` the URI line. Other lines are all in ``head``. ``index`` counts
    the variants, I-frame playlists or renditions.
    """

    kind: BlockKind
    head: tuple[Part, ...]
    line_end: str = ""
    between: str = ""
    tail: tuple[Part, ...] = ()
    index: int = -1
    attributes_at: int = 0


@dataclass(frozen=True, slots=True)
class MultivariantPlaylist:
    """A source playlist: facts to decide on, and its text in blocks for ``write``.

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
    blocks: tuple[Block, ...]


def is_rewritable(uri: str) -> bool:
    """True for http, https and relative references; ``data:``, ``skd:``, ``urn:`` stay (A10.2)."""
    match = _SCHEME.match(uri)
    return bool(uri) and (match is None or match[1].lower() in {"http", "https"})


def cut(text: str, slots: Iterable[tuple[int, int, UriSlot | QuerySlot]]) -> tuple[Part, ...]:
    """Literal text and slots in turn; each slot takes the place of ``text[start:end]``."""
    parts: list[Part] = []
    done = 0
    for start, end, slot in slots:
        parts += (text[done:start], slot)
        done = end
    parts.append(text[done:])
    return tuple(parts)
