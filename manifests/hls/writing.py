"""What bytes does a player get? A source playlist with an edit applied and its URIs rewritten.

What an edit keeps is written as it stands (A2.2). With everything kept and nothing rewritten the
output is the input, but for a byte order mark or white space before ``#EXTM3U``.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest

from manifests.hls.attributes import drop_attributes
from manifests.hls.blocks import (
    Block,
    BlockKind,
    MultivariantPlaylist,
    Part,
    QuerySlot,
    is_rewritable,
)
from manifests.hls.entries import Variant
from manifests.hls.variables import check_query, resolve_late

# A URI must not end its quoted string or its line, nor start a line as a tag (A3.3, A1.5).
_UNSAFE = re.compile(r'[\x00-\x1f"\x7f-\x9f]|^#')
# Control characters never stand in a source (A1.2), so this one can stand in for a slot.
_PLACEHOLDER = "\x00"


@dataclass(frozen=True, slots=True)
class Edit:
    """Which entries stay, by ``index``. ``variants`` are in output order: source order, but for
    a deliberate move such as the start variant to the front."""

    variants: tuple[int, ...]
    iframes: frozenset[int]
    renditions: frozenset[int]


def keep_everything(playlist: MultivariantPlaylist) -> Edit:
    """The edit that drops and moves nothing."""
    return Edit(
        variants=tuple(range(len(playlist.variants))),
        iframes=frozenset(range(len(playlist.iframes))),
        renditions=frozenset(range(len(playlist.renditions))),
    )


def write(
    playlist: MultivariantPlaylist,
    edit: Edit,
    rewrite: Callable[[str], str],
    query: Mapping[str, str] | None = None,
) -> bytes:
    """The playlist with ``edit`` applied, as UTF-8.

    ``rewrite`` gets every URI that is http(s) or relative, variables expanded, and returns the
    new one; where it returns its argument the source's text stays. A group that loses its last
    rendition is no longer referred to (A6.12, A11.2). A variant that moves forward stands before
    the first one that it overtakes. As soon as variants are dropped or moved, comments between
    EXT-X-STREAM-INF and its URI are put before both, where every player reads them as comments
    (A6.1).

    ``query`` is the player's percent-decoded query: EXT-X-DEFINE tags with QUERYPARAM become NAME
    and VALUE (A5.4). With None they, and the references to them, stay for the player to resolve.

    Raises QueryParameterError when a parameter that the source asks for is missing or illegal,
    and ValueError when the edit keeps no variant (A11.1) or one that is not there.
    """
    values = None if query is None else check_query(playlist.query_parameters, query)
    parts = _arranged(playlist, edit)
    return "".join([_text_of(part, rewrite, values) for part in parts]).encode()


def _text_of(part: Part, rewrite: Callable[[str], str], values: Mapping[str, str] | None) -> str:
    """A part as it is written; ``values`` are the query parameters, None to leave them."""
    if isinstance(part, str):
        return part
    if isinstance(part, QuerySlot):
        return part.raw if values is None else f'NAME="{part.name}",VALUE="{values[part.name]}"'
    target = part.target
    if part.late and values is not None:
        target = resolve_late(target, values)
        if not is_rewritable(target):
            return part.raw
    rewritten = rewrite(target)
    if rewritten == target:
        return part.raw
    return _UNSAFE.sub(_percent_encoded, rewritten)


def _percent_encoded(character: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in character[0].encode())


def _arranged(playlist: MultivariantPlaylist, edit: Edit) -> Iterator[Part]:
    """The parts that stay, in output order."""
    _check(playlist, edit)
    kept = [block for block in playlist.blocks if _stays(block, edit)]
    blocks = kept if list(edit.variants) == sorted(edit.variants) else _moved(kept, edit)
    tidy = edit.variants != tuple(range(len(playlist.variants)))
    gone = _gone_groups(playlist, edit)
    for block in blocks:
        if block.kind is BlockKind.VARIANT:
            yield from _lines(_without(block, playlist.variants[block.index], gone), tidy=tidy)
        elif block.kind is BlockKind.IFRAME:
            yield from _lines(_without(block, playlist.iframes[block.index], gone), tidy=False)
        else:
            yield from _lines(block, tidy=False)
        if block is playlist.blocks[-1] and block is not blocks[-1] and not _ends_line(block):
            # The source had no line end behind its last line, and that line has moved forward.
            yield playlist.newline


def _stays(block: Block, edit: Edit) -> bool:
    """False for an entry that the edit drops."""
    match block.kind:
        case BlockKind.VARIANT:
            return block.index in edit.variants
        case BlockKind.IFRAME:
            return block.index in edit.iframes
        case BlockKind.RENDITION:
            return block.index in edit.renditions
    return True


def _moved(blocks: list[Block], edit: Edit) -> list[Block]:
    """The blocks with their variants in the edit's order.

    Those that overtake a variant stand right before it. Every definition behind the first variant
    comes before it, since a definition precedes its use (A5.5).
    """
    variants = {block.index: block for block in blocks if block.kind is BlockKind.VARIANT}
    first = next(at for at, block in enumerate(blocks) if block.kind is BlockKind.VARIANT)
    late = [block for block in blocks[first:] if block.kind is BlockKind.DEFINE]
    moved = blocks[:first] + late
    waiting = deque(edit.variants)
    for block in blocks[first:]:
        if block.kind is BlockKind.VARIANT:
            if block.index in waiting:
                for _ in range(waiting.index(block.index) + 1):
                    moved.append(variants[waiting.popleft()])
        elif block.kind is not BlockKind.DEFINE:
            moved.append(block)
    return moved


def _lines(block: Block, *, tidy: bool) -> tuple[Part, ...]:
    """All of a block, with ``between`` put first when it has to be tidy (A6.1)."""
    if tidy:
        return (block.between, *block.head, block.line_end, *block.tail)
    return (*block.head, block.line_end, block.between, *block.tail)


def _ends_line(block: Block) -> bool:
    """True when a line end stands behind the block."""
    last = block.tail[-1] if block.tail else block.line_end
    return isinstance(last, str) and last.endswith(("\r", "\n"))


def _without(block: Block, variant: Variant, gone: frozenset[tuple[str, str]]) -> Block:
    """The block without the references to groups that are gone."""
    if not gone:
        return block
    names = [
        group_type for group_type, group_id in variant.groups if (group_type, group_id) in gone
    ]
    if not names:
        return block
    slots = [part for part in block.head if not isinstance(part, str)]
    text = "".join(part if isinstance(part, str) else _PLACEHOLDER for part in block.head)
    literals = drop_attributes(text, block.attributes_at, names).split(_PLACEHOLDER)
    woven = [part for pair in zip_longest(literals, slots, fillvalue="") for part in pair]
    return replace(block, head=tuple(woven))


def _gone_groups(playlist: MultivariantPlaylist, edit: Edit) -> frozenset[tuple[str, str]]:
    """The groups, as (type, id), whose renditions all leave."""
    if len(edit.renditions) == len(playlist.renditions):
        return frozenset()
    here = {(rendition.type, rendition.group_id) for rendition in playlist.renditions}
    stay = {
        (rendition.type, rendition.group_id)
        for rendition in playlist.renditions
        if rendition.index in edit.renditions
    }
    return frozenset(here - stay)


def _check(playlist: MultivariantPlaylist, edit: Edit) -> None:
    """Raise ValueError for an edit that does not fit the playlist."""
    if not edit.variants or len(set(edit.variants)) < len(edit.variants):
        raise ValueError("an edit keeps one variant at least, and each of them once (A11.1)")
    for kept, entries in (
        (edit.variants, playlist.variants),
        (edit.iframes, playlist.iframes),
        (edit.renditions, playlist.renditions),
    ):
        if kept and not 0 <= min(kept) <= max(kept) < len(entries):
            raise ValueError("an edit keeps an entry that the playlist does not have")
