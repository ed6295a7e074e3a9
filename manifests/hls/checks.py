"""Which faults concern a multivariant playlist as a whole, rather than one line of it?"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from operator import attrgetter

from manifests.fault import Fault
from manifests.hls.entries import (
    IFrameVariant,
    Rendition,
    SessionData,
    Steering,
    Variant,
    groups_named,
    groups_of,
)

_name = attrgetter("type", "group_id", "name")


def check_playlist(
    variants: Sequence[Variant],
    iframes: Sequence[IFrameVariant],
    renditions: Sequence[Rendition],
    session_data: Sequence[SessionData],
    steering: Sequence[Steering],
) -> Iterator[Fault]:
    """Faults that show only when entries are compared with each other."""
    present = groups_of(renditions)
    if not present >= groups_named([*variants, *iframes]):
        yield from _dangling([*variants, *iframes], present)
    if len({variant.no_closed_captions for variant in variants}) > 1:
        yield _captions(variants)
    if len({variant.score is None for variant in variants}) > 1:
        yield _scores(variants)
    if renditions:
        yield from _groups(renditions)
    if session_data:
        yield from _duplicate_session_data(session_data)
    if steering:
        yield from _steering(variants, steering)


def _dangling(
    variants: Iterable[Variant], present: AbstractSet[tuple[str, str]]
) -> Iterator[Fault]:
    """A6.12: a variant must name groups that exist."""
    for variant in variants:
        for group in variant.groups:
            if group not in present:
                text = f'{group[0]} names the group "{group[1]}", which does not exist'
                yield Fault(variant.line, "A6.12", text)


def _captions(variants: Iterable[Variant]) -> Fault:
    """A6.12: all variants have CLOSED-CAPTIONS=NONE, or none has."""
    line = next(variant.line for variant in variants if not variant.no_closed_captions)
    return Fault(line, "A6.12", "CLOSED-CAPTIONS=NONE is missing, but other variants have it")


def _groups(renditions: Sequence[Rendition]) -> Iterator[Fault]:
    """A8.8: in a group, NAMEs differ and at most one rendition is the default."""
    names = set(map(_name, renditions))
    defaults = [rendition for rendition in renditions if rendition.default]
    if len(names) == len(renditions) and len(groups_of(defaults)) == len(defaults):
        return
    groups: set[tuple[str, str]] = set()
    names.clear()
    for rendition in renditions:
        if rendition.default:
            group = rendition.type, rendition.group_id
            if group in groups:
                yield Fault(rendition.line, "A8.8", "a second DEFAULT=YES in its group")
            groups.add(group)
        # Some packagers repeat a NAME where only LANGUAGE or another attribute differs; players
        # list both.
        name = _name(rendition)
        if name in names:
            yield Fault(rendition.line, "A8.8", "a second rendition of this NAME in its group")
        names.add(name)


def _scores(variants: Iterable[Variant]) -> Fault:
    """A6.3: all variants have a SCORE, or none has."""
    line = next(variant.line for variant in variants if variant.score is None)
    return Fault(line, "A6.3", "SCORE is missing, but other variants have it")


def _duplicate_session_data(session_data: Iterable[SessionData]) -> Iterator[Fault]:
    """A9.1: DATA-ID and LANGUAGE together must be unique."""
    seen: set[tuple[str | None, str | None]] = set()
    for data in session_data:
        key = data.data_id, data.language
        if key in seen:
            yield Fault(data.line, "A9.1", "its DATA-ID and LANGUAGE were given before")
        seen.add(key)


def _steering(variants: Iterable[Variant], steering: Sequence[Steering]) -> Iterator[Fault]:
    """C1.1: at most one steering tag, with a server, that starts on a pathway of some variant."""
    pathways = {variant.pathway for variant in variants}
    for tag in steering:
        if tag is not steering[0]:
            yield Fault(tag.line, "C1.1", "EXT-X-CONTENT-STEERING is given twice")
        if not tag.server_uri:
            yield Fault(tag.line, "C1.1", "SERVER-URI is missing")
        if tag.pathway is not None and tag.pathway not in pathways:
            yield Fault(tag.line, "C1.1", "PATHWAY-ID names a pathway that no variant has")
