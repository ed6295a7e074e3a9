"""Which MPDs are refused, and which are served with faults."""

import pytest

from manifests.dash.checks import MAX_FAULTS
from manifests.dash.document import NAMESPACE
from manifests.dash.reading import parse
from manifests.fault import ManifestError
from manifests.standards import RULES

STATIC = 'profiles="p" minBufferTime="PT2S" mediaPresentationDuration="PT1H"'
DYNAMIC = (
    'profiles="p" minBufferTime="PT2S" type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z"'
    ' publishTime="2026-01-01T00:00:00Z"'
)
GOOD = '<Representation id="a" bandwidth="1000" mimeType="video/mp4"/>'
SET = f'<AdaptationSet id="1">{GOOD}</AdaptationSet>'
PERIOD = f"<Period>{SET}</Period>"


def mpd(inner: str, attributes: str = STATIC, namespace: str = f'xmlns="{NAMESPACE}"') -> bytes:
    """An MPD in which ``inner`` begins on line 2."""
    link = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<MPD {namespace} {link} {attributes}>\n{inner}</MPD>".encode()


def in_set(inner: str, attributes: str = "") -> bytes:
    return mpd(f'<Period><AdaptationSet id="1" {attributes}>{inner}</AdaptationSet></Period>')


def descriptor(name: str, scheme: str, value: str) -> str:
    return f'<{name} schemeIdUri="{scheme}" value="{value}"/>'


TRICK = "http://dashif.org/guidelines/trickmode"
SWITCHING = "urn:mpeg:dash:adaptation-set-switching:2016"

Expected = tuple[str, str, str]

SERVED: dict[str, tuple[bytes, list[Expected]]] = {
    "good": (mpd(PERIOD), []),
    "good and live": (mpd(f'<Period id="1">{SET}</Period>', DYNAMIC), []),
    "no profiles": (
        mpd(PERIOD, 'minBufferTime="PT2S" mediaPresentationDuration="PT1H"'),
        [("MPD, line 1", "E1", "profiles is missing")],
    ),
    "no minBufferTime": (
        mpd(PERIOD, 'profiles="p" mediaPresentationDuration="PT1H"'),
        [("MPD, line 1", "E1", "minBufferTime is missing")],
    ),
    "other type": (
        mpd(PERIOD, f'{STATIC} type="Dynamic"'),
        [("MPD, line 1", "E1", 'type is "Dynamic", neither static nor dynamic')],
    ),
    "no duration": (
        mpd(PERIOD, 'profiles="p" minBufferTime="PT2S"'),
        [("MPD, line 1", "E1", "neither it nor its last Period has a duration, in a static MPD")],
    ),
    "duration of the last Period": (
        mpd(f'<Period duration="PT1H">{SET}</Period>', 'profiles="p" minBufferTime="PT2S"'),
        [],
    ),
    "remote last Period": (
        mpd('<Period xlink:href="urn:x"/>', 'profiles="p" minBufferTime="PT2S"'),
        [],
    ),
    "remote set": (
        mpd('<Period><AdaptationSet xlink:href="x"/><Subset contains="5"/></Period>'),
        [],
    ),
    "live without times": (
        mpd(PERIOD, 'profiles="p" minBufferTime="PT2S" type="dynamic"'),
        [
            ("MPD, line 1", "E1", "availabilityStartTime is missing, in a dynamic MPD"),
            ("MPD, line 1", "E1", "publishTime is missing, in a dynamic MPD"),
            ("MPD/Period[1], line 2", "E9", "id is missing, in a dynamic MPD"),
        ],
    ),
    "live before it begins": (
        mpd('<Period id="1"/>', DYNAMIC),
        [("MPD/Period[1], line 2", "E1.1", "there is no AdaptationSet")],
    ),
    "empty set": (
        mpd(f"<Period>{SET}\n<AdaptationSet/></Period>"),
        [("MPD/Period[1]/AdaptationSet[2], line 3", "E1.1", "there is no Representation")],
    ),
    "old namespace": (
        mpd(PERIOD, namespace='xmlns="urn:x"'),
        [
            (
                "MPD, line 1",
                "E1",
                'the namespace is "urn:x", not urn:mpeg:dash:schema:mpd:2011',
            )
        ],
    ),
    "no namespace": (
        mpd(PERIOD, namespace=""),
        [("MPD, line 1", "E1", 'the namespace is "", not urn:mpeg:dash:schema:mpd:2011')],
    ),
    "unbound prefixes, each once": (
        in_set(f'<cenc:pssh a:b="1"/><cenc:pssh/>{GOOD}'),
        [
            (
                "MPD/Period[1]/AdaptationSet[1]/{cenc:}pssh[1], line 2",
                "E16",
                'the prefix "a" has no namespace',
            ),
            (
                "MPD/Period[1]/AdaptationSet[1]/{cenc:}pssh[1], line 2",
                "E16",
                'the prefix "cenc" has no namespace',
            ),
        ],
    ),
    "prefix of the MPD": (
        f'<m:MPD xmlns:m="{NAMESPACE}" {STATIC}><m:Period><m:AdaptationSet><m:Representation id="a"'
        ' bandwidth="1" mimeType="video/mp4"/></m:AdaptationSet></m:Period></m:MPD>'.encode(),
        [("MPD, line 1", "G6", "MPD has a prefix: Shaka and media3 refuse it")],
    ),
    "encoding": (
        b"<?xml version='1.0' encoding='ISO-8859-1'?>"
        + mpd(f"<!-- é -->{PERIOD}").decode().encode("latin-1"),
        [("MPD, line 1", "E16", "the text is neither UTF-8 nor UTF-16")],
    ),
    "declared encoding of plain text": (
        b"<?xml version='1.0' encoding='ISO-8859-1'?>" + mpd(PERIOD),
        [],
    ),
    "representation without anything": (
        in_set("<Representation/>"),
        [
            ("MPD/Period[1]/AdaptationSet[1]/Representation[1], line 2", "E9", "id is missing"),
            (
                "MPD/Period[1]/AdaptationSet[1]/Representation[1], line 2",
                "E9.1",
                "bandwidth is missing",
            ),
            (
                "MPD/Period[1]/AdaptationSet[1]/Representation[1], line 2",
                "E9.2",
                "neither it nor its AdaptationSet has mimeType",
            ),
        ],
    ),
    "bad values": (
        in_set('<Representation id="a b" bandwidth="-1"/>', 'mimeType="video/mp4"'),
        [
            (
                "MPD/Period[1]/AdaptationSet[1]/Representation[1], line 2",
                "E9",
                'the id "a b" has white space',
            ),
            (
                "MPD/Period[1]/AdaptationSet[1]/Representation[1], line 2",
                "E9.1",
                'bandwidth is "-1", no number',
            ),
        ],
    ),
    "repeated ids": (
        mpd(f'<Period id="p">{SET}\n{SET}</Period>\n<Period id="p">{SET}</Period>'),
        [
            (
                "MPD/Period[1]/AdaptationSet[2], line 3",
                "E9",
                'the id "1" is given twice in its Period',
            ),
            (
                "MPD/Period[1]/AdaptationSet[2]/Representation[1], line 3",
                "E9",
                'the id "a" is given twice in its Period',
            ),
            ("MPD/Period[2], line 4", "E9", 'the id "p" is given twice in its MPD'),
        ],
    ),
    "dependencies": (
        in_set(
            '<Representation id="a" bandwidth="1" dependencyId="b"/>\n'
            '<Representation id="b" bandwidth="1" dependencyId="a c" associationId="d"/>',
            'mimeType="video/mp4"',
        ),
        [
            (
                "MPD/Period[1]/AdaptationSet[1]/Representation[2], line 3",
                "E2",
                'it refers to the Representation "c", which does not exist',
            ),
            (
                "MPD/Period[1]/AdaptationSet[1]/Representation[2], line 3",
                "E2",
                'it refers to the Representation "d", which does not exist',
            ),
        ],
    ),
    "references to sets": (
        mpd(
            '<Period><AdaptationSet id="1">'
            + descriptor("EssentialProperty", TRICK, "1 2")
            + descriptor("SupplementalProperty", SWITCHING, "1,3")
            + f'<ContentComponent id="c"/>{GOOD}</AdaptationSet>\n<Subset contains="1 4"/>\n'
            '<Preselection preselectionComponents="1 c 5"/></Period>'
        ),
        [
            (
                "MPD/Period[1]/AdaptationSet[1], line 2",
                "E2",
                'it refers to the AdaptationSet "2", which does not exist',
            ),
            (
                "MPD/Period[1]/AdaptationSet[1], line 2",
                "E2",
                'it refers to the AdaptationSet "3", which does not exist',
            ),
            (
                "MPD/Period[1]/Subset[1], line 3",
                "E2",
                'it refers to the AdaptationSet "4", which does not exist',
            ),
            (
                "MPD/Period[1]/Preselection[1], line 4",
                "E2",
                'it refers to the AdaptationSet "5", which does not exist',
            ),
        ],
    ),
    "schemes": (
        in_set(f'<InbandEventStream/><Role schemeIdUri=""/>\n{GOOD}'),
        [
            (
                "MPD/Period[1]/AdaptationSet[1]/InbandEventStream[1], line 2",
                "E18",
                "schemeIdUri is missing",
            ),
            ("MPD/Period[1]/AdaptationSet[1]/Role[1], line 2", "E18", "schemeIdUri is missing"),
        ],
    ),
    "order": (
        mpd(f"<UTCTiming schemeIdUri='x'/>{PERIOD}\n<BaseURL/><Location/>"),
        [("MPD/Period[1], line 2", "E2", "it comes after UTCTiming")],
    ),
    "order in a set, with what the schema does not know": (
        in_set(f'{GOOD}\n<New/><x xmlns="urn:x"/><BaseURL/><ContentProtection schemeIdUri="x"/>'),
        [
            (
                "MPD/Period[1]/AdaptationSet[1]/BaseURL[1], line 3",
                "E2",
                "it comes after Representation",
            )
        ],
    ),
}


@pytest.mark.parametrize(("source", "faults"), SERVED.values(), ids=SERVED.keys())
def test_playable_faults_are_listed_by_line(source: bytes, faults: list[Expected]) -> None:
    """Some player plays each of these. Path and line, rule, sentence."""
    expected = [f"{place}: {RULES[rule].clause}: {text}" for place, rule, text in faults]
    assert sorted(map(str, parse(source).faults)) == sorted(expected)
    lines = [fault.line for fault in parse(source).faults]
    assert lines == sorted(lines)


REFUSED = {
    "no Period": (mpd(""), "film.mpd, MPD, line 1: 23009-1 5.3.1: there is no Period"),
    "no Period in a live MPD": (
        mpd("", DYNAMIC),
        "film.mpd, MPD, line 1: 23009-1 5.3.1: there is no Period",
    ),
    "Period of another namespace": (
        mpd('<Period xmlns="urn:x"/>'),
        "film.mpd, MPD, line 1: 23009-1 5.3.1: there is no Period",
    ),
    "no Representation": (
        mpd("<Period><AdaptationSet/></Period><Period/>"),
        "film.mpd, MPD, line 1: 23009-1 5.3.1: no Period has a Representation",
    ),
}


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_no_player_plays_is_refused(source: bytes, message: str) -> None:
    """dash.js, Shaka and media3 all stop."""
    with pytest.raises(ManifestError) as caught:
        parse(source, "film.mpd")
    assert str(caught.value) == message


def test_faults_are_bounded() -> None:
    """However many there are."""
    source = in_set("<Representation/>" * (MAX_FAULTS + 1))
    assert len(parse(source).faults) == MAX_FAULTS
