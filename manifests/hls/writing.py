"""What bytes does a player get? A source playlist with an edit applied and its URIs rewritten.

Entries that an edit keeps are written byte for byte (A2.2). With everything kept and nothing
rewritten, the output is the source without a byte order mark and white space before ``#EXTM3U``.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from manifests.fault import ManifestError
from manifests.hls.attributes import append_to_values, drop_attributes
from manifests.hls.blocks import (
    Block,
    BlockKind,
    MultivariantPlaylist,
    QuerySlot,
    Slot,
    is_rewritable,
)
from manifests.hls.entries import Variant, groups_named, groups_of
from manifests.hls.lines import line_at
from manifests.hls.stable import rendition_id, variant_id
from manifests.hls.variables import check_query, resolve_late
from manifests.steering import SteeringTags

# A URI must not end its quoted string or its line, nor start a line as a tag (A3.3, A1.5).
_UNSAFE = re.compile(r'[\x00-\x1f"\x7f-\x9f]|^#')
# A source contains no control characters (A1.2), so this one can mark a slot.
_PLACEHOLDER = "\x00"
_NO_ENTRY = (-1,)
_ON_PATHWAYS = ("variant", "iframe")
_ENTRIES = ("variant", "iframe", "rendition")
_COPIED_GROUPS = ("AUDIO", "VIDEO", "SUBTITLES")
"""The groups that pathways have of their own. Captions are inside the video, and for Shaka,
variants with other groups of captions are other variants (C1.4)."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Which entries stay, by ``index``.

    ``variants`` are in output order, which is source order except for deliberate moves, such as
    the start variant to the front.
    """

    variants: tuple[int, ...]
    iframes: frozenset[int]
    renditions: frozenset[int]


class PathwayCopy(NamedTuple):
    """A pathway that lists everything once more: its id, and what gives the URIs on its edge."""

    id: str
    rewrite: Callable[[str], str]


def keep_everything(playlist: MultivariantPlaylist) -> Edit:
    """An edit that drops and moves nothing."""
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
    max_characters: int | None = None,
    steering: SteeringTags | None = None,
    copies: Sequence[PathwayCopy] = (),
) -> bytes:
    """The playlist with ``edit`` applied, as UTF-8.

    ``rewrite`` gets every URI that is relative or http(s), with variables expanded, and returns the
    new one; where it returns the same URI, the source's text stays. Attributes that refer to a
    group without any rendition left are dropped (A6.12, A11.2). A variant that moves forward goes
    right before the first variant that it overtakes. As soon as a variant is dropped or moved,
    comments between an EXT-X-STREAM-INF and its URI go before the tag, where every player reads
    them as comments (A6.1).

    ``steering`` adds an EXT-X-CONTENT-STEERING before the first entry, and a PATHWAY-ID at the end
    of the tag of every variant and I-frame playlist. The source must have neither. At the end, each
    of ``copies`` lists all of these once more, on a pathway of its own, and the renditions of their
    groups in groups of its own (C1.3, C1.4): attributes and their order are the same. These
    renditions get a PATHWAY-ID as well. With ``stable_ids``, entries that have none also get a
    STABLE-VARIANT-ID or a STABLE-RENDITION-ID (:mod:`manifests.hls.stable`).

    ``query`` is the player's percent-decoded query: EXT-X-DEFINE tags with QUERYPARAM become NAME
    and VALUE (A5.4). With None, those tags and the references to them are left to the player.

    Raises QueryParameterError when a parameter that the source asks for is missing or illegal,
    ManifestError when rewritten URIs and pathway ids make the playlist longer than
    ``max_characters`` (the line of EXT-X-CONTENT-STEERING does not count), and ValueError when the
    edit keeps no variant (A11.1) or one that does not exist.
    """
    values = None if query is None else check_query(playlist.query_uses, query, playlist.query_uses)
    _check(playlist, edit)
    writing = _Writing(
        playlist, edit, rewrite, values, max_characters, steering, has_copies=bool(copies)
    )
    blocks = _arranged(playlist.blocks, edit)
    text = writing.text(blocks)
    if copies:
        text += "".join(writing.copied(text, blocks, copies))
    return text.encode()


class _Writing:
    """Writes one playlist with one edit; ``values`` are the query parameters, None to keep them.
    ``max_characters`` bounds the source with what is added to it."""

    def __init__(
        self,
        playlist: MultivariantPlaylist,
        edit: Edit,
        rewrite: Callable[[str], str],
        values: Mapping[str, str] | None,
        max_characters: int | None,
        steering: SteeringTags | None,
        *,
        has_copies: bool,
    ) -> None:
        self._has_copies = has_copies
        self._most = max_characters
        self._left = 0 if max_characters is None else max_characters - len(playlist.text)
        self._playlist = playlist
        self._source = playlist.text
        self._edit = edit
        self._rewrite = rewrite
        self._values = values
        self._steering = steering
        self._pathway = None if steering is None else steering.pathway
        self._group_suffix = ""
        self._moves_comments = edit.variants != tuple(range(len(playlist.variants)))
        self._lost = _lost_group_ids(playlist, edit)

    def text(self, blocks: Sequence[Block]) -> str:
        """The text of the blocks, with slots rewritten. Blocks that are neighbours in the source
        are copied together."""
        source, lost, steering = self._source, self._lost, self._steering
        moves_comments = self._moves_comments
        first = None if steering is None else next(b for b in blocks if b.kind in _ENTRIES)
        # The last line needs a line end when it moves forward.
        bare = None if source.endswith(("\r", "\n")) else self._playlist.blocks[-1]
        output: list[str] = []
        done = end = 0  # the text between the two is not written yet
        for block in blocks:
            if block.start != end:
                output.append(source[done:end])
                done = block.start
            end = block.end
            if block is first:
                output += (source[done : block.start], self._steering_tag())
                done = block.start
            if (moves_comments and block.between is not None) or (
                lost and self._lost_groups(block)
            ):
                output.append(source[done : block.start])
                output += self._rearranged(block)
                done = end
            else:
                pathway_at = -1  # where a PATHWAY-ID is still to be added
                added = "" if steering is None else self._added(block)
                if added:
                    pathway_at = line_at(source, block.start).end(1)
                for slot in block.slots:
                    if 0 <= pathway_at <= slot.start:
                        output.append(self._extended(source[done:pathway_at], added))
                        done, pathway_at = pathway_at, -1
                    output += (source[done : slot.start], self._text_of(slot))
                    done = slot.end
                if pathway_at >= 0:
                    output.append(self._extended(source[done:pathway_at], added))
                    done = pathway_at
            if block is bare and block is not blocks[-1]:
                output += (source[done:end], self._playlist.newline)
                done = end
        output.append(source[done:end])
        return "".join(output)

    def copied(
        self, text: str, blocks: Sequence[Block], copies: Sequence[PathwayCopy]
    ) -> Iterator[str]:
        """The entries of ``blocks`` on each of the pathways, to stand behind ``text``."""
        entries = [block for block in blocks if self._is_copied(block)]
        if not text.endswith(("\r", "\n")):
            yield self._playlist.newline
        self._moves_comments = True  # comments of a variant are not copied
        ids = {group_id for _, group_id in groups_of(self._playlist.renditions)}
        taken = set(ids)
        for copy in copies:
            self._pathway, self._rewrite = copy.id, copy.rewrite
            self._group_suffix = _new_suffix(ids, taken, copy.id)
            taken |= {group_id + self._group_suffix for group_id in ids}
            for block in entries:
                parts = self._rearranged(block)
                line = "".join(parts[1:])  # without the comments
                self._grow(block.end - block.start)
                yield line if line.endswith(("\r", "\n")) else line + self._playlist.newline

    def _added(self, block: Block) -> str:
        """The attributes to add at the end of a block's tag."""
        added = []
        if self._steering is not None and self._steering.stable_ids:
            added = self._stable_id(block)
        if self._pathway is not None and self._gets_pathway(block):
            added.append(f'PATHWAY-ID="{self._pathway}"')
        return ",".join(added)

    def _stable_id(self, block: Block) -> list[str]:
        """The stable id of an entry that has none."""
        playlist = self._playlist
        if block.kind == "variant" and playlist.variants[block.entry].stable_id is None:
            return [f'STABLE-VARIANT-ID="{variant_id(playlist.variants[block.entry])}"']
        if block.kind == "iframe" and playlist.iframes[block.entry].stable_id is None:
            return [f'STABLE-VARIANT-ID="{variant_id(playlist.iframes[block.entry])}"']
        if block.kind == "rendition":
            rendition = playlist.renditions[block.entry]
            if rendition.stable_id is None and rendition.uri is not None:
                return [f'STABLE-RENDITION-ID="{rendition_id(rendition)}"']
        return []

    def _gets_pathway(self, block: Block) -> bool:
        """Whether a block gets a PATHWAY-ID. Renditions do where there are copies: Shaka finds the
        pathways of subtitles in no other way."""
        return block.kind in _ON_PATHWAYS or (self._has_copies and self._is_copied(block))

    def _is_copied(self, block: Block) -> bool:
        """Whether a block is an entry of a pathway. Renditions belong to the pathways of the
        variants that name their group; without any, and if they are captions, to none."""
        if block.kind != "rendition":
            return block.kind in _ON_PATHWAYS
        rendition = self._playlist.renditions[block.entry]
        group = (rendition.type, rendition.group_id)
        return rendition.type in _COPIED_GROUPS and group in self._named_groups

    @cached_property
    def _named_groups(self) -> set[tuple[str, str]]:
        entries: list[Variant] = [self._playlist.variants[index] for index in self._edit.variants]
        entries += [self._playlist.iframes[index] for index in self._edit.iframes]
        return groups_named(entries)

    def _text_of(self, slot: Slot) -> str:
        """The text that replaces a slot."""
        raw, values = self._source[slot.start : slot.end], self._values
        if isinstance(slot, QuerySlot):
            return raw if values is None else f'NAME="{slot.name}",VALUE="{values[slot.name]}"'
        target = slot.target
        if slot.late and values is not None:
            target = resolve_late(target, values)
            if not is_rewritable(target):
                return raw
        rewritten = self._rewrite(target)
        if rewritten == target:
            return raw
        text = safe_uri(rewritten)
        self._grow(len(text) - len(raw))
        return text

    def _grow(self, characters: int) -> None:
        """Note that the playlist becomes longer. Raises ManifestError beyond the bound."""
        self._left -= characters
        if self._left < 0 and self._most is not None:
            problem = f"its URIs on an edge make it longer than {self._most} characters"
            raise ManifestError(self._playlist.name, None, "F13", problem)

    def _steering_tag(self) -> str:
        """The tag line of content steering, with its line end."""
        if self._steering is None:
            return ""
        uri, pathway = safe_uri(self._steering.server_uri), self._steering.pathway
        tag = f'#EXT-X-CONTENT-STEERING:SERVER-URI="{uri}",PATHWAY-ID="{pathway}"'
        return tag + self._playlist.newline

    def _extended(self, tag: str, more: str) -> str:
        """The end of a tag's line, with more attributes behind its last one."""
        attributes = tag.rstrip(" \t")
        comma = "" if attributes.endswith((":", ",")) else ","
        added = f"{comma}{more}"
        self._grow(len(added))
        return attributes + added + tag[len(attributes) :]

    def _lost_groups(self, block: Block) -> Sequence[str]:
        """The names of the attributes that refer to groups without any rendition left."""
        entry: Variant
        if block.kind == "variant":
            entry = self._playlist.variants[block.entry]
        elif block.kind == "iframe":
            entry = self._playlist.iframes[block.entry]
        else:
            return ()
        return [group[0] for group in entry.groups if group in self._lost]

    def _rearranged(self, block: Block) -> list[str]:
        """A block without references to lost groups, and with its comments before the tag when
        variants are dropped or moved (A6.1)."""
        line = line_at(self._source, block.start)
        tag_end = line.end(1)
        slots = block.slots
        in_tag = [slot for slot in slots if slot.end <= tag_end]
        literals = self._literals(block.start, tag_end, in_tag)
        lost = self._lost_groups(block)
        if lost:
            text = _PLACEHOLDER.join(literals)
            attributes_at = text.find(":") + 1 or len(text)
            literals = drop_attributes(text, attributes_at, lost).split(_PLACEHOLDER)
        if self._group_suffix:
            names = _COPIED_GROUPS if block.kind in _ON_PATHWAYS else ("GROUP-ID",)
            text = _PLACEHOLDER.join(literals)
            attributes_at = text.find(":") + 1 or len(text)
            suffixed = append_to_values(text, attributes_at, names, self._group_suffix)
            self._grow(len(suffixed) - len(text))
            literals = suffixed.split(_PLACEHOLDER)
        more = self._added(block)
        if more:
            literals[-1] = self._extended(literals[-1], more)
        tag = [*self._woven(literals, in_tag), line[2]]
        after, uri_line = block.between or (line.end(), line.end())
        between = self._source[after:uri_line]
        others = [slot for slot in slots if slot.start >= uri_line]
        tail = self._woven(self._literals(uri_line, block.end, others), others)
        return [between, *tag, *tail] if self._moves_comments else [*tag, between, *tail]

    def _literals(self, start: int, end: int, slots: Sequence[Slot]) -> list[str]:
        """The text of the source before, between and after the slots."""
        starts = (start, *(slot.end for slot in slots))
        ends = (*(slot.start for slot in slots), end)
        return [self._source[one:other] for one, other in zip(starts, ends, strict=True)]

    def _woven(self, literals: Sequence[str], slots: Sequence[Slot]) -> list[str]:
        """The literals with the text of the slots between them."""
        texts = [self._text_of(slot) for slot in slots]
        return [part for pair in zip(literals, (*texts, ""), strict=True) for part in pair]


def _new_suffix(ids: Collection[str], taken: Collection[str], pathway: str) -> str:
    """What makes the ids of groups those of a pathway: none of them is taken."""
    suffix = f"-{pathway}"
    while any(group_id + suffix in taken for group_id in ids):
        suffix = f"-{suffix}"
    return suffix


def safe_uri(uri: str) -> str:
    """A URI that can stand in a playlist."""
    return _UNSAFE.sub(_percent_encoded, uri)


def _percent_encoded(character: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in character[0].encode())


def _arranged(blocks: Iterable[Block], edit: Edit) -> Sequence[Block]:
    """The blocks that stay, in output order."""
    stays: dict[BlockKind, Collection[int]] = {
        "variant": frozenset(edit.variants),
        "iframe": edit.iframes,
        "rendition": edit.renditions,
        "text": _NO_ENTRY,
        "define": _NO_ENTRY,
    }
    kept = [block for block in blocks if block.entry in stays[block.kind]]
    return kept if list(edit.variants) == sorted(edit.variants) else _moved(kept, edit)


def _moved(blocks: list[Block], edit: Edit) -> list[Block]:
    """The blocks with their variants in the edit's order.

    A variant that overtakes another goes right before it. Definitions after the first variant move
    before it, since a definition must precede its use (A5.5).
    """
    variants = {block.entry: block for block in blocks if block.kind == "variant"}
    first = next(at for at, block in enumerate(blocks) if block.kind == "variant")
    late = [block for block in blocks[first:] if block.kind == "define"]
    moved = blocks[:first] + late
    order = {entry: at for at, entry in enumerate(edit.variants)}
    done = 0
    for block in blocks[first:]:
        if block.kind == "variant":
            overtaking = edit.variants[done : order[block.entry] + 1]
            moved += [variants[entry] for entry in overtaking]
            done += len(overtaking)
        elif block.kind != "define":
            moved.append(block)
    return moved


def _lost_group_ids(playlist: MultivariantPlaylist, edit: Edit) -> frozenset[tuple[str, str]]:
    """The groups, as (type, id), that lose all renditions while an entry that stays refers to
    them."""
    gone = set(range(len(playlist.renditions))).difference(edit.renditions)
    if not gone:
        return frozenset()
    entries: list[Variant] = [playlist.variants[index] for index in edit.variants]
    entries += [playlist.iframes[index] for index in edit.iframes]
    named = groups_named(entries) & groups_of(playlist.renditions[index] for index in gone)
    if not named:
        return frozenset()
    return frozenset(named - groups_of(playlist.renditions[index] for index in edit.renditions))


def _check(playlist: MultivariantPlaylist, edit: Edit) -> None:
    """Raise ValueError for an edit that does not fit the playlist."""
    if not edit.variants or len(set(edit.variants)) < len(edit.variants):
        raise ValueError("an edit must keep at least one variant, and none twice")
    for kept, entries in (
        (edit.variants, playlist.variants),
        (edit.iframes, playlist.iframes),
        (edit.renditions, playlist.renditions),
    ):
        if kept and not 0 <= min(kept) <= max(kept) < len(entries):
            raise ValueError("an edit keeps an entry that the playlist does not have")
