"""The costliest MPDs within the bounds: the time to read one is linear in its size."""

import time

import pytest

from manifests.dash.document import DEFAULT_MAX_BYTES
from manifests.dash.markup import Markup
from manifests.dash.reading import parse
from manifests.fault import ManifestError

pytestmark = pytest.mark.no_cover  # very long MPDs through the same few lines

MPD = '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">'
TAIL = "<Period><AdaptationSet><Representation/></AdaptationSet></Period></MPD>"
MOST_S = 10.0
"""CPU seconds, on a machine however slow. Each takes 0.3 s at most; in quadratic time, minutes."""


def filled(head: str, unit: str, tail: str) -> str:
    """As many units as the bytes allow."""
    return head + unit * ((DEFAULT_MAX_BYTES - len(head) - len(tail)) // len(unit)) + tail


def many(text: str, count: int) -> str:
    """The text with each number up to ``count`` in the place of its ``#``."""
    return "".join([text.replace("#", str(number)) for number in range(count)])


def in_set(attributes: str, inner: str) -> str:
    return f"{MPD}<Period><AdaptationSet{attributes}>{inner}</AdaptationSet></Period></MPD>"


ATTRIBUTE, BINDING = " a#=''", " xmlns:a#='c'"
BINDS = '<b xmlns:q="r"/>'
HOSTILE = {
    "attributes on one element": f"{MPD}<a{many(ATTRIBUTE, 150_000)}/>{TAIL}",
    "namespaces on one element": f"{MPD}<a{many(BINDING, 90_000)}/>{TAIL}",
    "bindings around elements that bind": (
        f"{MPD}<a{many(BINDING, 50_000)}>{BINDS * 40_000}</a>{TAIL}"
    ),
    "unbound prefixes": f"{MPD}{many('<a#:b/>', 49_000)}{TAIL}",
    "inherited attributes": in_set(many(ATTRIBUTE, 50_000), "<Representation/>" * 4_990),
    "inherited codecs": in_set(f" codecs='{'avc1,' * 200_000}'", "<Representation/>" * 4_990),
    "inherited properties": in_set(
        "", "<EssentialProperty/>" * 39_000 + "<Representation/>" * 4_990
    ),
    "dangling references": in_set("", f"<Representation dependencyId='{'a ' * 900_000}'/>"),
    "Representations": in_set("", many('<Representation id="#"/>', 4_990)),
    "Periods": f"{MPD}{TAIL[:-6] * 4_990}</MPD>",
    "faults below long names": f"{MPD}<{'a' * 900_000}>{'<Role/>' * 2_000}</{'a' * 900_000}>{TAIL}",
    "lines": filled(MPD, "\n", f"{'<Role/>' * 2_000}{TAIL}"),
    "text": filled(f"{MPD}<BaseURL>", "&amp;\r\n", f"</BaseURL>{TAIL}"),
    "a timeline": filled(f"{MPD}<SegmentTimeline>", "<S d='1'/>", f"</SegmentTimeline>{TAIL}"),
    "deep, again and again": MPD + f"{'<a>' * 63}{'</a>' * 63}" * 700 + TAIL,
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_mpds_take_linear_time(source: str) -> None:
    """They are served or refused, soon."""
    data = source.encode()
    assert len(data) <= DEFAULT_MAX_BYTES
    started = time.process_time()
    mpd = parse(data)
    assert all(map(str, mpd.faults))
    assert time.process_time() - started < MOST_S


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (in_set("", many('<Representation id="#"/>', 5_001)), "more than 5000 Representations"),
        (filled(MPD, "<a/>", ""), "more than 50000 elements"),
        (filled(MPD, "<a>", ""), "nested more than 64 deep"),
        (filled(f"{MPD}<SegmentTimeline>", "<S>", ""), "nested more than 64 deep"),
        (filled(f"{MPD}<a b='", "x", ""), "unclosed token"),
        (filled(f"{MPD}<a ", "b='' ", ""), "unclosed token"),
        (MPD + "<Period>" * 2, "no element found"),
    ],
)
def test_what_is_beyond_the_bounds_is_refused(source: str, problem: str) -> None:
    """In time that does not grow with what comes after."""
    started = time.process_time()
    with pytest.raises(ManifestError, match=problem):
        parse(source.encode())
    assert time.process_time() - started < MOST_S


def test_white_space_at_the_end_of_a_tag_takes_linear_time() -> None:
    """It begins no attribute; looked at from each of its characters, it would take hours."""
    tag = filled("<MPD><Period id='1'", " ", "/></MPD>").encode()
    begun = time.process_time()
    found = Markup(tag).attributes(5)
    assert time.process_time() - begun < MOST_S
    assert [("id", tag[17:18])] == [(name, tag[start:end]) for name, _, start, end in found]
