"""Playlists from other projects: each is served unchanged or refused for a named rule."""

import csv
import re
from pathlib import Path

import m3u8
import pytest

from manifests.hls.multivariant import ManifestError, keep_everything, parse, write

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "hls"

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"NOT RUN: the playlist corpus is not at {CORPUS}"
)

BOM = b"\xef\xbb\xbf"
FILES = sorted(str(path.relative_to(CORPUS)) for path in CORPUS.rglob("*.m3u8"))

# Every hand-made malformed playlist: the rules that it breaks when it is served ("" for none), or
# the rule for which it is refused, with "!". Who plays it, where players differ:
SYNTHETIC = {
    "attr-order-assoc-language-first": "G3",
    "attr-order-codecs-after-supplemental": "G3",
    "bom": "A1.1",
    "cc-none-mixed": "A6.12",
    # hls.js plays both variants, Shaka and media3 the second.
    "comment-between-inf-and-uri": "A6.1",
    "crlf": "",
    "dangling-audio-group": "A6.12",
    # All three play it; nothing refers to the variable.
    "define-import-in-mv": "A5.3",
    # Clients must fail, and hls.js does.
    "define-two-kinds": "!A5.3",
    # Clients must fail, none of the three does.
    "double-version": "A4.1",
    "drm-multi-session-keys": "",
    "duplicate-attribute": "A3.4",
    "empty": "!A1.4",
    "extm3u-only": "!A1.7",
    # All three read the digits before the point.
    "float-bandwidth": "A3.2",
    "fragment-and-query-uris": "",
    "html-error-200": "!A1.4",
    # Legal, but media3 reads 32 bits.
    "huge-bandwidth": "A3.2",
    # hls.js and Shaka play it.
    "iframe-without-uri": "A7.1",
    "json-error-200": "!A1.4",
    "latin1-bytes": "!A1.1",
    # All three take a lone CR for a line end.
    "lone-cr": "A1.3",
    "media-playlist": "!A1.7",
    "mixed-mv-and-media": "!A1.7",
    "nfd-name": "A1.2",
    "no-newline-at-eof": "",
    "nul-and-control": "!A1.2",
    "orphan-rendition-group": "",
    "session-data-dup": "A9.1",
    "session-key-none": "A9.2",
    # media3 fails, hls.js and Shaka play it.
    "steering-pathway-undeclared": "C1.1",
    "steering-shared-audio-group": "",
    "steering-twice": "C1.1",
    # media3 throws; the entry has nothing to play.
    "stream-inf-at-eof": "!A6.1",
    "two-defaults": "A8.8",
    # Clients must fail, and hls.js does.
    "undefined-variable": "!A5.5",
    "unknown-req-attr": "A2.1",
    "unknown-tags-and-attrs": "",
    "unterminated-quote": "A3.3 A3.1",
    "whitespace-only": "!A1.4",
}

# Of what others wrote, all that is refused.
REFUSED = {
    "A1.4": """
        globocom__variant_playlist_with_iframe_stable_variant_id
        globocom__variant_playlist_with_stable_rendition_id
        globocom__variant_playlist_with_stable_variant_id gohlslib__fuzz-385fcd91f9124e7b
        grafov__master-with-hlsv7 grafov__media-playlist-with-discontinuity shaka__unit-009
        vjs__empty vjs__integration-master vjs__manifestNoExtM3u vjs__start vjs__streamInfInvalid
    """,
    "A1.7": """
        globocom__multiple_session_data_playlist globocom__session_data_playlist
        globocom__playlist_with_session_encrypted_segments
        globocom__playlist_with_session_encrypted_segments_and_iv
        globocom__playlist_with_session_encrypted_segments_and_iv_sorted
        sethdeckard__session_data vjs__emptyTargetDuration
    """,
    "A6.1": """
        gohlslib__fuzz-0dc7acadfc77c66f gohlslib__fuzz-3d3b730fff4edab7
        gohlslib__fuzz-887a39b75d06e42f gohlslib__fuzz-92520fd0385282e8
        gohlslib__fuzz-b9b505ab0b3f2f66 gohlslib__fuzz-f2aec50e971330e3
        mamba__hls_master_playlist_sap
    """,
    # hls.js alone plays these: Shaka and media3 refuse a variant without BANDWIDTH.
    "A6.2": """
        globocom__variant_playlist_with_hdcp_level
        globocom__variant_playlist_with_iframe_hdcp_level
        globocom__variant_playlist_with_iframe_video_range
        globocom__variant_playlist_with_video_range gohlslib__fuzz-3dd1e98000ea8dc4
        gohlslib__fuzz-5182bc26ec3f213c gohlslib__fuzz-5de4baefe444cc70
        gohlslib__fuzz-91502fec43ebaa5d gohlslib__fuzz-9f39f9445cd8eaeb
        gohlslib__fuzz-ab152ffd772fbbba gohlslib__fuzz-ce9b130745548405
        gohlslib__fuzz-d2e15f7b71f3da05 gohlslib__fuzz-e7a9051d1b73ce6a
        gohlslib__fuzz-f77dcd794103aed8 gohlslib__fuzz-f8bf2490ad39fd89 shaka__unit-092
        streamlink__test_multivariant_bandwidth
    """,
}
RULES = {name: rule for rule, names in REFUSED.items() for name in names.split()}


def same(uri: str) -> str:
    """A rewrite that changes nothing."""
    return uri


@pytest.mark.parametrize("file", [file for file in FILES if "/" not in file])
def test_every_playable_playlist_comes_out_as_it_went_in(file: str) -> None:
    """A2.2 on 251 playlists of 14 projects; those that no two players play are refused."""
    data = (CORPUS / file).read_bytes()
    refused = RULES.get(file.removesuffix(".m3u8"))
    if refused is not None:
        with pytest.raises(ManifestError) as caught:
            parse(data, file)
        assert (file, refused) == (caught.value.name, caught.value.rule)
        return
    playlist = parse(data, file)
    assert data.lstrip() == write(playlist, keep_everything(playlist), same)


@pytest.mark.parametrize("file", [file for file in FILES if "/" in file])
def test_every_malformed_playlist_has_its_verdict(file: str) -> None:
    """Served with these faults, or refused for this rule."""
    data = (CORPUS / file).read_bytes()
    expected = SYNTHETIC[Path(file).stem]
    if expected.startswith("!"):
        with pytest.raises(ManifestError) as caught:
            parse(data, file)
        assert expected == f"!{caught.value.rule}"
        return
    playlist = parse(data, file)
    assert set(expected.split()) == {fault.rule for fault in playlist.faults}
    assert data.removeprefix(BOM) == write(playlist, keep_everything(playlist), same)


SERVED = [
    file
    for file in FILES
    if Path(file).stem not in RULES and not SYNTHETIC.get(Path(file).stem, "").startswith("!")
]


@pytest.mark.parametrize("file", SERVED)
def test_only_uris_change(file: str) -> None:
    """With every URI rewritten, taking the mark away again gives the source back. URIs with
    variables are written expanded, so there only the number of URIs is looked at."""
    data = (CORPUS / file).read_bytes()
    playlist = parse(data, file)
    mark = b"https://mark.example/?"
    output = write(playlist, keep_everything(playlist), lambda uri: mark.decode() + uri)
    web = re.compile(
        rb'(?:SERVER-URI="|[,:] *URI="|^)(?!#|data:|skd:|test:|urn:)[^\s"]', re.MULTILINE
    )
    assert len(web.findall(data.removeprefix(BOM).replace(b"\r", b"\n"))) == output.count(mark)
    if b"{$" not in data:
        assert data.removeprefix(BOM).lstrip() == output.replace(mark, b"")


M3U8_DIFFERS = {
    # It takes the last of two attributes, media3 and Shaka the first.
    "duplicate-attribute",
    # It reads a float.
    "huge-bandwidth",
    # It reads quotes that do not pair in another way than the players.
    "unterminated-quote",
    # It raises KeyError or ValueError on one attribute that players pass over.
    *("grafov__master-with-i-frame-stream-inf", "iframe-without-uri"),
    *("shaka__unit-043", "shaka__unit-044", "shaka__unit-045", "shaka__unit-053"),
    *("shaka__unit-064", "shaka__unit-121"),
}


@pytest.mark.parametrize("file", [file for file in SERVED if Path(file).stem not in M3U8_DIFFERS])
def test_m3u8_reads_the_same_variants(file: str) -> None:
    """A second opinion: the ``m3u8`` library sees the same variants and renditions."""
    data = (CORPUS / file).read_bytes()
    playlist = parse(data, file)
    other = m3u8.loads(data.decode("utf-8-sig"))
    assert [
        (variant.bandwidth, (variant.width, variant.height)) for variant in playlist.variants
    ] == [
        (variant.stream_info.bandwidth, variant.stream_info.resolution or (None, None))
        for variant in other.playlists
    ]
    if b"{$" not in data:
        assert [variant.uri for variant in playlist.variants] == [
            variant.uri for variant in other.playlists
        ]
    assert len(playlist.renditions) == len(other.media)


def test_the_counts_are_those_of_the_index() -> None:
    """The corpus's own list says how many variants each playlist has."""
    with (CORPUS / "index.tsv").open() as index:
        rows = list(csv.DictReader(index, delimiter="\t"))
    wrong = []
    for row in rows:
        counted = row["interesting"].partition(" variants;")
        if counted[1] and counted[0].isdigit() and Path(row["file"]).stem not in RULES:
            playlist = parse((CORPUS / row["file"]).read_bytes())
            if int(counted[0]) != len(playlist.variants):
                wrong.append(row["file"])
    assert [] == wrong
