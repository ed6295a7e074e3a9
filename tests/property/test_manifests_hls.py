"""Laws of reading and writing playlists, on generated playlists."""

from hypothesis import given
from hypothesis import strategies as st

from manifests.hls.multivariant import (
    Edit,
    ManifestError,
    MultivariantPlaylist,
    keep_everything,
    parse,
    write,
)
from manifests.rebase import rebase, rebaser

EDGE = "https://edge.example/videos/"

names = st.text("ab1-", min_size=1, max_size=3)
quoted = st.text(
    st.characters(exclude_characters='"{', exclude_categories=["Cc", "Cs"]), max_size=9
)
spaces = st.sampled_from(["", "", "", " ", "  "])
groups = st.sampled_from("gh")
uris = st.sampled_from(
    ["v.m3u8", "../a/v.m3u8?x=1#y", "/r/v", "//h/v", "https://h/v", "data:,x", "é/{$a}", "{$a}"]
)
comments = st.sampled_from(["", "# comment", "##", "#EXT-X-VENDOR:A=1", '#EXT-X-NEW:URI="q"'])


@st.composite
def attribute_lists(draw: st.DrawFn, required: list[str]) -> str:
    """The required attributes among others, in any order and spacing."""
    unknown = st.builds('{}="{}"'.format, names.map("X-{}".format), quoted)
    items = [*required, *draw(st.lists(unknown, max_size=2))]
    reference = st.builds('{}="{}"'.format, st.sampled_from(["AUDIO", "SUBTITLES"]), groups)
    items += draw(st.lists(reference, max_size=2))
    separator = draw(st.sampled_from([",", ", ", " ,", ",,"]))
    return separator.join(draw(st.permutations(items)))


@st.composite
def entries(draw: st.DrawFn) -> list[str]:
    """The lines of one entry of a multivariant playlist, or of something unknown."""
    kind = draw(st.sampled_from(["variant", "variant", "variant", "iframe", "media", "text"]))
    uri = draw(uris)
    bandwidth = f"BANDWIDTH={draw(st.integers(0, 10**7))}"
    if kind == "variant":
        between = draw(st.lists(comments, max_size=1))
        pad = draw(spaces)
        return [
            f"#EXT-X-STREAM-INF:{draw(attribute_lists([bandwidth]))}",
            *between,
            f"{pad}{uri}{pad}",
        ]
    if kind == "iframe":
        attributes = draw(attribute_lists([bandwidth, f'URI="{uri}"']))
        return [f"#EXT-X-I-FRAME-STREAM-INF:{attributes}"]
    if kind == "media":
        group = f'GROUP-ID="{draw(groups)}"'
        group_type = f"TYPE={draw(st.sampled_from(['AUDIO', 'SUBTITLES']))}"
        return [f'#EXT-X-MEDIA:{group_type},{group},NAME="{draw(names)}",URI="{uri}"']
    return [draw(comments)]


@st.composite
def playlists(draw: st.DrawFn) -> bytes:
    """A playlist with a variant at least, with any line ends and any last line."""
    lines = ["#EXTM3U", '#EXT-X-DEFINE:NAME="a",VALUE="https://var.example/x"']
    for entry in draw(st.lists(entries(), max_size=8)):
        lines += entry
    lines += ["#EXT-X-STREAM-INF:BANDWIDTH=1", "last.m3u8"]
    ends = st.sampled_from(draw(st.sampled_from([["\n"], ["\r\n"], ["\n", "\r\n", "\r"]])))
    text = "".join(f"{line}{draw(ends)}" for line in lines[:-1])
    return (text + lines[-1] + draw(st.sampled_from(["", "\n", "\r\n"]))).encode()


@st.composite
def edits(draw: st.DrawFn, playlist: MultivariantPlaylist) -> Edit:
    """Any edit that fits."""
    count = len(playlist.variants)
    kept = draw(st.lists(st.integers(0, count - 1), min_size=1, unique=True))
    return Edit(
        tuple(kept if draw(st.booleans()) else sorted(kept)),
        frozenset(x.index for x in playlist.iframes if draw(st.booleans())),
        frozenset(x.index for x in playlist.renditions if draw(st.booleans())),
    )


def same(uri: str) -> str:
    """A rewrite that changes nothing."""
    return uri


def dangling(playlist: MultivariantPlaylist) -> set[tuple[str, str]]:
    """The groups that are referred to and not there."""
    here = {(rendition.type, rendition.group_id) for rendition in playlist.renditions}
    return {
        group
        for variant in (*playlist.variants, *playlist.iframes)
        for group in variant.groups
        if group not in here
    }


@given(playlists())
def test_reading_and_writing_loses_nothing(data: bytes) -> None:
    """A2.2: with everything kept and no URI changed, the output is the input."""
    playlist = parse(data)
    assert data == write(playlist, keep_everything(playlist), same)


@given(playlists(), st.data())
def test_an_edit_keeps_what_it_says(data: bytes, choice: st.DataObject) -> None:
    """The variants come out in the order asked for, and no reference dangles that did not
    before (A6.12, A11.2)."""
    playlist = parse(data)
    edit = choice.draw(edits(playlist))
    edited = parse(write(playlist, edit, same))
    assert [playlist.variants[index].uri for index in edit.variants] == [
        variant.uri for variant in edited.variants
    ]
    assert (len(edit.iframes), len(edit.renditions)) == (
        len(edited.iframes),
        len(edited.renditions),
    )
    assert dangling(edited) <= dangling(playlist)


@given(playlists(), st.data())
def test_writing_settles_at_once(data: bytes, choice: st.DataObject) -> None:
    """Idempotent: reading an edited playlist and keeping all of it gives the same bytes, also
    when URIs are rewritten once more (A11.5)."""
    playlist = parse(data)
    edit = choice.draw(edits(playlist))

    def rewrite(uri: str) -> str:
        return rebase(uri, "a/b/master.m3u8", EDGE)

    once = write(playlist, edit, rewrite)
    again = parse(once)
    assert once == write(again, keep_everything(again), rewrite)


@given(playlists())
def test_only_uris_change(data: bytes) -> None:
    """Undoing the rewrite in the output gives the source with its variables expanded."""
    playlist = parse(data)
    mark = "http://m.example/?"
    output = write(playlist, keep_everything(playlist), lambda uri: mark + uri).decode()
    plain = data.decode().replace("{$a}", "https://var.example/x")
    assert plain == output.replace(mark, "").replace("{$a}", "https://var.example/x")


PIECES = [
    *("#EXTM3U", "\n", "\r", "BANDWIDTH=", "1", ",", '"', "=", " ", "{$1}", "#", "v"),
    *("#EXT-X-STREAM-INF:", "#EXT-X-I-FRAME-STREAM-INF:", "#EXT-X-MEDIA:", "URI=", "AUDIO="),
    *("#EXT-X-DEFINE:", "NAME=", "QUERYPARAM=", "VALUE="),
]


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: b"#EXTM3U\n" + text.encode("utf-8", "ignore")),
        st.lists(st.sampled_from(PIECES)).map(
            lambda pieces: (
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n" + "".join(pieces)
            ).encode()
        ),
    )
)
def test_garbage_is_refused_or_kept(data: bytes) -> None:
    """Any bytes at all: either a ManifestError, or a playlist that comes out as it went in."""
    try:
        playlist = parse(data)
    except ManifestError:
        return
    assert data.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n") == write(
        playlist, keep_everything(playlist), same
    )


@given(
    st.text("ab./?#:", max_size=12),
    st.lists(st.sampled_from(["a", "b.c", ".", ".."]), max_size=3),
)
def test_relative_references_never_leave_the_edge(uri: str, folders: list[str]) -> None:
    """Whatever the dots and slashes, and RFC 3986 has nothing left to resolve in the path."""
    if uri.startswith("//") or ":" in uri.partition("/")[0].partition("?")[0].partition("#")[0]:
        return
    actual = rebase(uri, "/".join([*folders, "master.m3u8"]), EDGE)
    path = actual.partition("?")[0].partition("#")[0]
    assert path.startswith(EDGE)
    if uri and uri[0] not in "?#":
        assert not {".", ".."} & set(path.split("/"))


@given(
    playlists(),
    st.data(),
    st.sampled_from(["m.m3u8", "a/b/m.m3u8"]),
    st.sampled_from([EDGE, 'https://e"x/é']),
)
def test_one_rebaser_serves_a_whole_playlist(
    data: bytes, choice: st.DataObject, path: str, edge: str
) -> None:
    """The rebaser of a playlist gives each URI what ``rebase`` gives it."""
    playlist = parse(data)
    edit = choice.draw(edits(playlist))
    expected = write(playlist, edit, lambda uri: rebase(uri, path, edge))
    assert expected == write(playlist, edit, rebaser(path, edge))
