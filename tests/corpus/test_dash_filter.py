"""The filter on MPDs that others wrote: nothing dangles, nothing is empty, nothing else changes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from lxml import etree

from gateway.config.load import load
from gateway.ladder.fit import NothingToPlayError
from gateway.ladder.periods import fit_all
from gateway.ladder.rung import Constraints
from gateway.play.dash.edit import gone_of
from gateway.play.dash.ladder import rungs_of
from manifests.codecs import CodecFamily, VideoRange
from manifests.dash.filtering import filter_splices
from manifests.dash.model import AdaptationSet, Mpd, Period
from manifests.dash.reading import parse
from manifests.dash.splices import apply, remove_element
from tests.corpus.served import served

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "dash"
FILES = served(CORPUS, "*.mpd", parse)

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"NOT RUN: the corpus of MPDs is not at {CORPUS}"
)

AVC, HEVC = frozenset({CodecFamily.AVC}), frozenset({CodecFamily.AVC, CodecFamily.HEVC})
SDR = frozenset({VideoRange.SDR})
DEVICES = {
    "unknown": Constraints(immersive=False),
    "old phone": Constraints(immersive=False, device_codecs=AVC, device_ranges=SDR),
    "television": Constraints(immersive=False, device_codecs=HEVC),
}
OTHERS = {
    "least": Constraints(max_bandwidth=1, max_height=1, max_frame_rate=1.0),
    "speaker": Constraints(screen=False),
    "asks for HEVC": Constraints(wanted_codecs=frozenset({CodecFamily.HEVC})),
    "asks for 720p": Constraints(min_height=720, max_bandwidth=2_000_000),
    "operator's three": Constraints(max_bandwidth=1, min_rungs=3),
}


def clients() -> Mapping[str, Constraints]:
    """Each shipped profile for each kind of device, and some more."""
    profiles = load(environ={}).policy.profiles
    found = dict(OTHERS)
    for profile, (device, limits) in product(profiles.values(), DEVICES.items()):
        kbps = profile.max_bitrate_kbps
        found[f"{profile.name} on {device}"] = replace(
            limits,
            max_height=profile.max_height,
            max_bandwidth=None if kbps is None else kbps * 1000,
        )
    return found


CLIENTS = clients()


def filtered(mpd: Mpd, limits: Constraints) -> bytes:
    """The MPD for a client; its URIs as they are."""
    kept = fit_all(rungs_of(mpd), limits).kept
    return apply(mpd.document, filter_splices(mpd, gone_of(mpd, kept, limits)))


def each_client(mpd: Mpd) -> Iterator[tuple[str, Constraints, bytes]]:
    """What every client gets that gets anything."""
    for client, limits in CLIENTS.items():
        try:
            yield client, limits, filtered(mpd, limits)
        except NothingToPlayError:
            assert limits.wanted_codecs is not None


def test_there_is_something_to_try() -> None:
    """Most of the corpus can be served."""
    assert len(FILES) > 150


@pytest.mark.parametrize("name", FILES)
def test_keeping_everything_has_no_edits(name: str) -> None:
    """E15: no splice at all, so the same bytes."""
    mpd = parse((CORPUS / name).read_bytes())
    limits = Constraints(untouched=True)
    assert [] == filter_splices(mpd, gone_of(mpd, fit_all(rungs_of(mpd), limits).kept, limits))


@pytest.mark.parametrize("name", FILES)
def test_every_client_can_play(name: str) -> None:
    """E6 to E8: each Period has each type that it had, no set is empty, nothing dangles that did
    not, bounds hold, and the same comes out when it is filtered again."""
    source = parse((CORPUS / name).read_bytes())
    for client, limits, data in each_client(source):
        after = parse(data)
        assert len(source.periods) == len(after.periods), client
        for before, left in zip(source.periods, after.periods, strict=True):
            assert types(before) == types(left), client
            assert empty(before) == empty(left), client
            assert languages(before) == languages(left), client
            assert dangling(left) <= dangling(before), client
        assert wrong_bounds(after) <= wrong_bounds(source), client
        assert data == filtered(after, limits), client


def types(period: Period) -> set[str]:
    """The types of media that a Period has; trick mode is another."""
    return {
        found.content_type
        for found in period.adaptation_sets
        if found.representations and not found.is_trick_mode
    }


def empty(period: Period) -> int:
    """How many sets have no Representation."""
    return sum(not found.representations for found in period.adaptation_sets)


def languages(period: Period) -> set[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    """The languages, roles and codecs of audio and text."""
    return {
        (found.content_type, found.lang, found.roles, found.codecs)
        for found in period.adaptation_sets
        if found.content_type in {"audio", "text"}
    }


def dangling(period: Period) -> set[str]:
    """The ids that are referred to in a Period, and are not there."""
    sets = {found.id for found in period.adaptation_sets}
    every = [each for found in period.adaptation_sets for each in found.representations]
    ids = {each.id for each in every}
    wanted: set[str] = set()
    for found in period.adaptation_sets:
        wanted.update(set(found.trick_mode_of) - sets)
        for property_ in (*found.essential, *found.supplemental):
            if "switching" in property_.scheme:
                wanted.update(set(re.split("[, ]+", property_.value)) - sets)
    for each in every:
        wanted.update({*each.dependency_ids, *each.association_ids} - ids)
    for element in period.preselections:
        wanted.update(set(element.attributes["preselectionComponents"].split()) - sets)
    for element in period.subsets:
        wanted.update(set(element.attributes["contains"].split()) - sets)
    return wanted


def wrong_bounds(mpd: Mpd) -> set[tuple[str, str]]:
    """The first Representation of each set of which a bound is not true, and the bound."""
    return {
        (found.representations[0].id, name)
        for period in mpd.periods
        for found in period.adaptation_sets
        for name in broken_bounds(found)
    }


def broken_bounds(found: AdaptationSet) -> Iterator[str]:
    """The bounds that are not true."""
    for name, attribute in [("Bandwidth", "bandwidth"), ("Width", "width"), ("Height", "height")]:
        values = [getattr(each, attribute) for each in found.representations]
        for end, extreme in [("min", min), ("max", max)]:
            stated = found.element.attributes.get(end + name)
            known = [value for value in values if value is not None]
            if stated is not None and known and int(stated) != extreme([*known, int(stated)]):
                yield end + name


EDITED = {
    "AdaptationSet": {
        *(f"{end}{of}" for end in ("min", "max") for of in ("Bandwidth", "Width", "Height")),
        *("minFrameRate", "maxFrameRate", "initializationSetRef"),
    },
    "Representation": {"associationId", "associationType"},
    "Subset": {"contains"},
    "EssentialProperty": {"value"},
    "SupplementalProperty": {"value"},
}
"""What the filter may edit."""
REMOVED = {
    *("AdaptationSet", "Representation", "EssentialProperty", "SupplementalProperty"),
    *("Preselection", "Subset", "GroupLabel"),
}
"""What the filter may remove, with all that is in it."""

Line = tuple[str, tuple[tuple[str, str], ...], str]


def lines(element: etree._Element) -> Iterator[Line]:
    """An element and all below it: names, attributes that are not edited, text and comments."""
    local = local_name(element)
    kept = [item for item in element.items() if item[0] not in EDITED.get(local, ())]
    yield local, tuple(sorted(kept)), (element.text or "").strip()
    for child in element:
        yield from lines(child)


def local_name(element: etree._Element) -> str:
    """The name without its namespace; that of a comment is no name."""
    return str(element.tag).rpartition("}")[2]


def tree(data: bytes) -> etree._Element:
    """An MPD as lxml reads it, with its comments, also when a prefix has no namespace."""
    return etree.fromstring(data, etree.XMLParser(recover=True, resolve_entities=False))


def removed(before: etree._Element, after: etree._Element) -> Iterator[str]:
    """The names of the elements that are gone, each without what was in it."""
    left = list(after)
    for child in before:
        if left and is_same(child, left[0]):
            yield from removed(child, left.pop(0))
        else:
            yield local_name(child)
    assert not left, "something was added or changed"


def is_same(before: etree._Element, after: etree._Element) -> bool:
    """Whether one element is what is left of the other."""
    return next(lines(before)) == next(lines(after)) and is_part(lines(after), lines(before))


def is_part(few: Iterable[Line], many: Iterable[Line]) -> bool:
    """Whether lines are among others, in their order."""
    rest = iter(many)
    return all(line in rest for line in few)


@pytest.mark.parametrize("name", FILES)
def test_nothing_else_changes(name: str) -> None:
    """E15: to lxml, the output is the source without some elements, and with other
    bounds and lists of ids."""
    data = (CORPUS / name).read_bytes()
    outputs = {output: client for client, _, output in each_client(parse(data))}
    for output, client in outputs.items():
        assert set(removed(tree(data), tree(output))) <= REMOVED, client


@pytest.mark.parametrize("name", FILES)
def test_a_refresh_keeps_what_was_kept(name: str) -> None:
    """E10: when the first Period has passed, the others have the same Representations."""
    source = parse((CORPUS / name).read_bytes())
    if len(source.periods) == 1:
        return
    later = parse(
        apply(source.document, [remove_element(source.document, source.periods[0].element)])
    )
    for client, limits, data in each_client(source):
        if limits.wanted_codecs is None:
            before, after = parse(data), parse(filtered(later, limits))
            assert ids(before)[1:] == ids(after), client


def ids(mpd: Mpd) -> list[list[str]]:
    """The ids of the Representations of each Period."""
    return [
        [each.id for found in period.adaptation_sets for each in found.representations]
        for period in mpd.periods
    ]
