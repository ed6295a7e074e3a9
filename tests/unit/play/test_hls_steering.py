"""The tags of content steering: exact bytes, what keeps a playlist from them, and that they are all
that changes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.play.hls.steering import refusal
from manifests.hls.multivariant import (
    Edit,
    ManifestError,
    MultivariantPlaylist,
    PathwayCopy,
    keep_everything,
    parse,
    write,
)
from manifests.rebase import Rebaser, rebaser
from manifests.steering import SteeringTags

EDGE = "https://e1.example/v/"
TAGS = SteeringTags("/v1/steering/film?state=k.AbC-_", "e1")
TAG = '#EXT-X-CONTENT-STEERING:SERVER-URI="/v1/steering/film?state=k.AbC-_",PATHWAY-ID="e1"\n'
CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "hls"
SYNTHETIC = sorted((Path(__file__).parents[2] / "conformance" / "hls").rglob("source.m3u8"))

HEAD = "#EXTM3U\n#EXT-X-VERSION:6\n"


def steered(source: str, keep: tuple[int, ...] | None = None) -> str:
    """The playlist with steering."""
    playlist = parse(source.encode())
    edit = keep_everything(playlist)
    if keep is not None:
        edit = type(edit)(keep, edit.iframes, edit.renditions)
    data = write(playlist, edit, rebaser("film/m.m3u8", EDGE), {}, steering=TAGS)
    return data.decode()


BYTES = [
    (
        "variants, renditions, an I-frame playlist",
        HEAD
        + "#EXT-X-INDEPENDENT-SEGMENTS\n"
        + '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="a.m3u8"\n'
        + '#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO="a"\nv.m3u8\n'
        + '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9,URI="i.m3u8"\n# end\n',
        HEAD
        + "#EXT-X-INDEPENDENT-SEGMENTS\n"
        + TAG
        + f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="{EDGE}film/a.m3u8"\n'
        + f'#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO="a",PATHWAY-ID="e1"\n{EDGE}film/v.m3u8\n'
        + f'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9,URI="{EDGE}film/i.m3u8",PATHWAY-ID="e1"\n# end\n',
    ),
    (
        "comments, blanks, unknown attributes and tags stay where they are",
        "#EXTM3U\n# c1\n#EXT-X-STREAM-INF:X-Y=1,BANDWIDTH=1 \n# c2\n\nv.m3u8\n#EXT-X-NEW\n",
        "#EXTM3U\n# c1\n"
        + TAG
        + f'#EXT-X-STREAM-INF:X-Y=1,BANDWIDTH=1,PATHWAY-ID="e1" \n# c2\n\n{EDGE}film/v.m3u8\n'
        + "#EXT-X-NEW\n",
    ),
    (
        "CR LF",
        "#EXTM3U\r\n#EXT-X-STREAM-INF:BANDWIDTH=1\r\nv.m3u8\r\n",
        "#EXTM3U\r\n"
        + TAG.replace("\n", "\r\n")
        + f'#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID="e1"\r\n{EDGE}film/v.m3u8\r\n',
    ),
    (
        "no line end, a comma at the end of a list",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,\nv.m3u8",
        "#EXTM3U\n" + TAG + f'#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID="e1"\n{EDGE}film/v.m3u8',
    ),
]


@pytest.mark.parametrize(("source", "expected"), [r[1:] for r in BYTES], ids=[r[0] for r in BYTES])
def test_the_bytes(source: str, expected: str) -> None:
    assert expected == steered(source)


def test_a_moved_variant_takes_its_pathway_along() -> None:
    source = "#EXTM3U\n" + "".join(
        f"#EXT-X-STREAM-INF:BANDWIDTH={n}\n# c{n}\nv{n}.m3u8\n" for n in range(1, 4)
    )
    expected = "#EXTM3U\n" + TAG.join(
        [
            "",
            "".join(
                f'# c{n}\n#EXT-X-STREAM-INF:BANDWIDTH={n},PATHWAY-ID="e1"\n{EDGE}film/v{n}.m3u8\n'
                for n in (3, 1)
            ),
        ]
    )
    assert expected == steered(source, (2, 0))


def test_the_tags_count_towards_the_bound() -> None:
    """What each entry gets is bounded as rewritten URIs are; the one line is not counted."""
    playlist = parse(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n")
    edit = keep_everything(playlist)
    size = len(write(playlist, edit, lambda uri: uri, {}, steering=TAGS)) - len(TAG)
    assert size + len(TAG) == len(write(playlist, edit, lambda uri: uri, {}, size, TAGS))
    with pytest.raises(ManifestError):
        write(playlist, edit, lambda uri: uri, {}, size - 1, TAGS)


VARIANT = "#EXT-X-STREAM-INF:BANDWIDTH=1000,RESOLUTION=1x1\nv.m3u8\n"
TWO_GROUPS = (
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="lo",NAME="en",LANGUAGE="en",{lo}URI="lo.m3u8"\n'
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="hi",NAME="en",LANGUAGE="en",{hi}URI="hi.m3u8"\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS="avc1.4d401e,{one}",AUDIO="lo"\nv1.m3u8\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=2000,CODECS="avc1.4d401e,{two}",AUDIO="hi"\nv2.m3u8\n'
)
ONE_PICTURE = (
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="lo",NAME="en",CHANNELS="2",URI="lo.m3u8"\n'
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="hi",NAME="en",CHANNELS="6",URI="hi.m3u8"\n'
    '#EXT-X-STREAM-INF:BANDWIDTH={one},CODECS="avc1.4d401e,mp4a.40.2",AUDIO="lo"\nv.m3u8\n'
    '#EXT-X-STREAM-INF:BANDWIDTH={two},CODECS="avc1.4d401e,mp4a.40.2",AUDIO="hi"{more}\nv.m3u8\n'
)
AAC = {"lo": "", "hi": "", "one": "mp4a.40.2", "two": "mp4a.40.2"}

SOURCES: list[tuple[str, str, str | None]] = [
    ("one ladder", VARIANT, None),
    ("it steers already", '#EXT-X-CONTENT-STEERING:SERVER-URI="s"\n' + VARIANT, "source-steers"),
    (
        "it has pathways",
        '#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID="."\nv.m3u8\n',
        "source-steers",
    ),
    ("a redundant pair", VARIANT + VARIANT.replace("v.", "w."), "source-has-copies"),
    # hls.js drops the second of two variants that differ in one of these alone.
    *(
        (
            f"a redundant pair with another {more.partition('=')[0]}",
            VARIANT + VARIANT.replace("RES", f"{more},RES").replace("v.", "w."),
            "source-has-copies",
        )
        for more in (
            'STABLE-VARIANT-ID="2"',
            "AVERAGE-BANDWIDTH=900",
            "SCORE=2",
            'SUPPLEMENTAL-CODECS="dvh1.08.07/db1p"',
            'REQ-VIDEO-LAYOUT="CH-STEREO"',
            'ALLOWED-CPC="x:Y"',
            'NAME="backup"',
        )
    ),
    *(
        (
            f"told apart by their {more.partition('=')[0]}",
            VARIANT + VARIANT.replace("RES", f"{more},RES").replace("v.", "w."),
            None,
        )
        for more in ('CODECS="hvc1.1.6.L93.B0"', "FRAME-RATE=50", "VIDEO-RANGE=PQ")
    ),
    ("one line twice", VARIANT + VARIANT, None),
    (
        "one picture for two audio groups",
        ONE_PICTURE.format(one="1000", two="1000", more=""),
        "audio-group-alone",
    ),
    (
        "one picture for two audio groups, at bit rates of their own",
        ONE_PICTURE.format(one="1000", two="1100", more=""),
        None,
    ),
    (
        "one picture for two audio groups, with stable ids of their own",
        ONE_PICTURE.format(one="1000", two="1000", more=',STABLE-VARIANT-ID="2"'),
        None,
    ),
    ("two bit rates of one track", TWO_GROUPS.format(**AAC), "source-has-copies"),
    ("other codecs", TWO_GROUPS.format(**{**AAC, "two": "ac-3"}), None),
    (
        "other channels",
        TWO_GROUPS.format(**{**AAC, "lo": 'CHANNELS="2",', "hi": 'CHANNELS="6",'}),
        None,
    ),
    (
        "an absolute URI elsewhere",
        VARIANT.replace("v.", "https://o.example/v."),
        "uris-do-not-move",
    ),
    (
        "subtitles elsewhere",
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="s",URI="//o.example/s.m3u8"\n' + VARIANT,
        "uris-do-not-move",
    ),
    (
        "an I-frame playlist elsewhere",
        VARIANT + '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="https://o.example/i.m3u8"\n',
        "uris-do-not-move",
    ),
    (
        "media in the URI itself",
        VARIANT + '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="data:,x"\n',
        "uris-do-not-move",
    ),
    (
        "two I-frame playlists of one format",
        VARIANT
        + '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i.m3u8"\n'
        + '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="j.m3u8"\n',
        "source-has-copies",
    ),
    (
        "an I-frame playlist with the format of a variant",
        VARIANT + '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1000,RESOLUTION=1x1,URI="i.m3u8"\n',
        None,
    ),
    ("keys may be anywhere", '#EXT-X-SESSION-KEY:METHOD=AES-128,URI="skd://k"\n' + VARIANT, None),
    (
        "an unpaired quote",
        '#EXT-X-STREAM-INF:BANDWIDTH=1,NAME="x\nv.m3u8\n',
        "attributes-faulty",
    ),
    (
        "more faults than are listed, and then an unpaired quote",
        " #EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n" * 1000
        + '#EXT-X-STREAM-INF:BANDWIDTH=1,NAME="x\nv.m3u8\n',
        "attributes-faulty",
    ),
    *(
        (f"an end of a list: {end!r}", VARIANT + VARIANT.replace("1x1", f"1x1{end}"), code)
        for end, code in (
            (" ", "attributes-faulty"),
            ("\t", "attributes-faulty"),
            (',NAME="x" ', "attributes-faulty"),
            (",FLAG", "attributes-faulty"),
            (", FLAG", "attributes-faulty"),
            (",", None),
            (',NAME="x, y"', None),
            (', NAME="x"', None),
            (",X=1", None),
        )
    ),
    ("white space in a list", "#EXT-X-STREAM-INF:BANDWIDTH=1, X=2\nv.m3u8\n", None),
]


@pytest.mark.parametrize(("body", "code"), [r[1:] for r in SOURCES], ids=[r[0] for r in SOURCES])
def test_what_keeps_a_playlist_from_being_steered(body: str, code: str | None) -> None:
    """Each reason; copies are refused for media3 (C1.3), and hls.js drops them."""
    assert code == _refused("#EXTM3U\n" + body)


def test_only_what_stays_counts() -> None:
    """A copy that the edit drops keeps nothing from being steered."""
    playlist = parse(("#EXTM3U\n" + VARIANT + VARIANT.replace("v.", "w.")).encode())
    edit = keep_everything(playlist)
    first = type(edit)((0,), edit.iframes, edit.renditions)
    assert refusal(playlist, first, EDGE, rebaser("m.m3u8", EDGE)) is None


def _refused(source: str) -> str | None:
    playlist = parse(source.encode())
    found = refusal(playlist, keep_everything(playlist), EDGE, rebaser("m.m3u8", EDGE))
    return None if found is None else found.code


def playlists() -> list[Path]:
    """Every playlist of the conformance set, and of the corpus when it is here."""
    corpus = sorted(CORPUS.rglob("*.m3u8")) if CORPUS.exists() else []
    return [*SYNTHETIC, *corpus]


def steerable() -> Iterator[tuple[Path, MultivariantPlaylist, Edit, Rebaser]]:
    """The playlists that can be steered, with the edit that keeps everything and the URIs on the
    edge."""
    for path in playlists():
        try:
            playlist = parse(path.read_bytes(), path.name)
        except ManifestError:
            continue
        edit, rewrite = keep_everything(playlist), rebaser("film/m.m3u8", EDGE)
        if refusal(playlist, edit, EDGE, rewrite) is None:
            yield path, playlist, edit, rewrite


def test_nothing_else_changes() -> None:
    """Without the tag and the attributes, a steered playlist is the same, byte for byte; one that
    cannot be steered is not."""
    count = 0
    for path, playlist, edit, rewrite in steerable():
        count += 1
        plain = write(playlist, edit, rewrite).decode()
        found = write(playlist, edit, rewrite, steering=TAGS).decode()
        assert 1 == found.count("#EXT-X-CONTENT-STEERING")
        entries = len(playlist.variants) + len(playlist.iframes)
        assert 1 + entries == found.count('PATHWAY-ID="e1"'), path
        found = re.sub(r"#EXT-X-CONTENT-STEERING[^\r\n]*(?:\r\n|\r|\n)", "", found)
        assert plain == re.sub(r'(?:(?<=,)|,)PATHWAY-ID="e1"', "", found), path
        again = parse(write(playlist, edit, rewrite, steering=TAGS), path.name)
        assert {"e1"} == {entry.pathway for entry in (*again.variants, *again.iframes)}
        assert again.steering is not None
        assert TAGS[:2] == (again.steering.server_uri, again.steering.pathway)
    assert count > 20


OTHERS = {"port": "https://e1.example:8443/v/", "path": "https://e2.example/tenant/v/"}
GROUPED = re.compile(r'\b(AUDIO|VIDEO|SUBTITLES|GROUP-ID|PATHWAY-ID|URI)="[^"]*"')


def lines_of(playlist: MultivariantPlaylist, pathway: str) -> tuple[list[str], set[str]]:
    """What Shaka compares of the variants of a pathway (C1.4), and the groups that they name."""
    lines = playlist.text.splitlines()
    entries = [
        entry for entry in (*playlist.variants, *playlist.iframes) if entry.pathway == pathway
    ]
    groups = {
        f"{kind} {group_id}"
        for entry in entries
        for kind, group_id in entry.groups
        if kind != "CLOSED-CAPTIONS"
    }
    tags = [GROUPED.sub(r"\1", lines[entry.line - 1]) for entry in entries]
    media = [
        GROUPED.sub(r"\1", lines[rendition.line - 1])
        for rendition in playlist.renditions
        if f"{rendition.type} {rendition.group_id}" in groups
    ]
    return [*sorted(tags), *sorted(media)], groups


def test_copies_are_symmetric() -> None:
    """Whatever the source is: each pathway has the same lines but for groups and URIs, in groups
    that no other one has (C1.3, C1.4). Without them, and the pathways of renditions, the playlist
    is the same, byte for byte."""
    copied = 0
    for path, playlist, edit, rewrite in steerable():
        copied += 1
        copies = [PathwayCopy(name, rebaser("film/m.m3u8", url)) for name, url in OTHERS.items()]
        alone = write(playlist, edit, rewrite, steering=TAGS)
        data = write(playlist, edit, rewrite, steering=TAGS, copies=copies)
        listed = re.sub(r'(#EXT-X-MEDIA:[^\r\n]*),PATHWAY-ID="e1"', r"\1", data.decode())
        assert listed.startswith(alone.decode()), path
        found = parse(data, path.name, max_bytes=len(data))
        before = [(fault.rule, fault.text) for fault in parse(alone, path.name).faults]
        rules = {rule for rule, _ in before}
        assert {fault.rule for fault in found.faults} <= rules, path
        lines, groups = lines_of(found, "e1")
        of_one = len(groups)
        for name, url in OTHERS.items():
            theirs, other_groups = lines_of(found, name)
            assert lines == theirs, path
            assert of_one == len(other_groups), path
            assert not groups & other_groups, path
            groups |= other_groups
            uris = [entry.uri for entry in found.variants if entry.pathway == name]
            assert all(uri.startswith(url) for uri in uris), path
    assert copied > 50
