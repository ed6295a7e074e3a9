"""The bytes that a player gets: what is kept, dropped and moved, and how URIs change."""

from collections.abc import Callable

import pytest

from manifests.hls.multivariant import (
    Edit,
    QueryParameterError,
    keep_everything,
    parse,
    write,
)


def same(uri: str) -> str:
    """A rewrite that changes nothing."""
    return uri


def moved(uri: str) -> str:
    """A rewrite that shows what it was given."""
    return f"https://e/{uri}"


def written(
    text: str,
    variants: tuple[int, ...] | None = None,
    iframes: set[int] | None = None,
    renditions: set[int] | None = None,
    rewrite: Callable[[str], str] = same,
    query: dict[str, str] | None = None,
) -> str:
    """Parse, edit and write; None keeps everything of a kind."""
    playlist = parse(text.encode())
    everything = keep_everything(playlist)
    edit = Edit(
        everything.variants if variants is None else variants,
        everything.iframes if iframes is None else frozenset(iframes),
        everything.renditions if renditions is None else frozenset(renditions),
    )
    return write(playlist, edit, rewrite, query).decode()


ODD = [
    "#EXTM3U\r\n\r\n#EXT-X-STREAM-INF: BANDWIDTH=1 , X=2\r\n\r\n  v \t\r\n",
    "#EXTM3U\n# a\n#EXT-X-STREAM-INF:X=,BANDWIDTH=1,,BANDWIDTH=2,junk\nv\n##b\n#EXT-Y:URI=\"z\"",
    '#EXTM3U\r#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="a\r# c\r#EXT-X-NEW\r\rv',
    '#EXTM3U\n#EXT-X-DEFINE:NAME="a",VALUE="b"\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{$a}/v\nstray',
    ' \t#EXTM3U\n  #EXT-X-MEDIA:URI="x\n#EXT-X-STREAM-INF:BANDWIDTH=1\né\u2028/v\n'.lstrip(),
]  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_everything_kept_is_everything_the_same(text: str) -> None:
    """A2.2: byte for byte, with any line ends, spacing and faults."""
    assert text == written(text)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xef\xbb\xbf#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n", 3),
        (b"\xef\xbb\xbf\r\n#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n", 5),
        (b"\n\n#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n", 2),
    ],
)
def test_the_output_starts_with_the_header(data: bytes, expected: int) -> None:
    """A1.1, A1.4: a byte order mark and white space before the header are not written."""
    playlist = parse(data)
    assert data[expected:] == write(playlist, keep_everything(playlist), same)


URIS = [
    ("a URI line", "#EXT-X-STREAM-INF:BANDWIDTH=1\n v?a=1#b \n", "v?a=1#b"),
    ("rendition", '#EXT-X-MEDIA:URI="v",TYPE=AUDIO\n', "v"),
    ("iframes", '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="v",X="URI"\n', "v"),
    ("thumbnails", '#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1,URI="v"\n', "v"),
    ("session data", '#EXT-X-SESSION-DATA:DATA-ID="a",URI="v"\n', "v"),
    ("session key", '#EXT-X-SESSION-KEY:METHOD=AES-128,URI="v"\n', "v"),
    ("steering", '#EXT-X-CONTENT-STEERING:SERVER-URI="v",PATHWAY-ID="."\n', "v"),
    ("https", '#EXT-X-MEDIA:URI="HTTPS://a/v"\n', "HTTPS://a/v"),
    ("scheme-relative", '#EXT-X-MEDIA:URI="//a/v"\n', "//a/v"),
    ("no quotes", "#EXT-X-MEDIA:URI=v\n", "v"),
]


@pytest.mark.parametrize(("name", "line", "uri"), URIS)
def test_every_uri_is_rewritten_and_nothing_else(name: str, line: str, uri: str) -> None:
    """A10.1: every URI is replaced, and nothing around it changes."""
    head = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ndata:x\n"
    expected = line.replace(f'"{uri}"', f'"https://e/{uri}"', 1)
    if expected == line:
        expected = line.replace(uri, f"https://e/{uri}", 1)
    assert head + expected == written(head + line, rewrite=moved)


@pytest.mark.parametrize(
    "line",
    [
        '#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://key"\n',
        '#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,AA=="\n',
        '#EXT-X-SESSION-DATA:DATA-ID="a",URI="urn:x:y"\n',
        '#EXT-X-MEDIA:URI=""\n',
        '#EXT-X-MEDIA:X-URI="v",FURI="w"\n',
        '#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="URI=v"\n',
        '#EXT-X-VENDOR:URI="v"\n',
        '# URI="v"\n',
        "stray\n",
    ],
)
def test_what_is_no_web_address_stays(line: str) -> None:
    """A9.2, A10.2, A2.2: other schemes, other attributes and unknown tags are not touched."""
    text = f"#EXTM3U\n{line}#EXT-X-STREAM-INF:BANDWIDTH=1\nskd://v\n"
    assert text == written(text, rewrite=moved)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ('a"b', "a%22b"),
        ("a\nb\r", "a%0Ab%0D"),
        ("\x85", "%C2%85"),
        ("#EXT-X-ENDLIST", "%23EXT-X-ENDLIST"),
        ("a#b c'%41", "a#b c'%41"),
    ],
)
def test_a_rewritten_uri_cannot_leave_its_place(uri: str, expected: str) -> None:
    """A3.3, A1.5: a rewritten URI cannot end its quoted string or its line, nor become a tag."""
    text = '#EXTM3U\n#EXT-X-MEDIA:URI="m"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n'
    actual = written(text, rewrite=lambda _: uri)
    assert text.replace('"m"', f'"{expected}"').replace("v\n", f"{expected}\n") == actual


LADDER = """\
#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="en"
# first
#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"
one
# second
#EXT-X-STREAM-INF:AUDIO="a",BANDWIDTH=2

# third, odd
two
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i1"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=2,URI="i2"
#EXT-X-STREAM-INF:BANDWIDTH=3,AUDIO="a"
three"""


@pytest.mark.parametrize(
    ("variants", "iframes", "expected"),
    [
        (
            (0,),
            {1},
            (
                '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="en"\n# first\n'
                '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\none\n# second\n'
                '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=2,URI="i2"\n'
            ),
        ),
        (
            (1, 2),
            set(),
            (
                '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="en"\n'
                "# first\n# second\n"
                '\n# third, odd\n#EXT-X-STREAM-INF:AUDIO="a",BANDWIDTH=2\ntwo\n'
                '#EXT-X-STREAM-INF:BANDWIDTH=3,AUDIO="a"\nthree'
            ),
        ),
        (
            (2, 0, 1),
            {0},
            (
                '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="en"\n# first\n'
                '#EXT-X-STREAM-INF:BANDWIDTH=3,AUDIO="a"\nthree\n'
                '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\none\n# second\n'
                '\n# third, odd\n#EXT-X-STREAM-INF:AUDIO="a",BANDWIDTH=2\ntwo\n'
                '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i1"\n'
            ),
        ),
        (
            (2, 1),
            set(),
            (
                '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="en"\n'
                "# first\n# second\n"
                '#EXT-X-STREAM-INF:BANDWIDTH=3,AUDIO="a"\nthree\n'
                '\n# third, odd\n#EXT-X-STREAM-INF:AUDIO="a",BANDWIDTH=2\ntwo\n'
            ),
        ),
    ],
)
def test_entries_go_and_move(variants: tuple[int, ...], iframes: set[int], expected: str) -> None:
    """A tag is dropped with its URI; a variant that moves forward goes before the first that it
    overtakes; an edited playlist has nothing between a variant's tag and its URI (A6.1)."""
    assert expected == written(LADDER, variants, iframes)


def test_definitions_come_before_what_overtakes_them() -> None:
    """A5.5: a definition precedes its use, also when the variant that uses it moves."""
    text = (
        '#EXTM3U\r\n#EXT-X-DEFINE:NAME="a",VALUE="1"\r\n#EXT-X-STREAM-INF:BANDWIDTH=1\r\none\r\n'
        '#EXT-X-DEFINE:NAME="b",VALUE="2"\r\n# x\r\n#EXT-X-STREAM-INF:BANDWIDTH=2\r\n{$b}\r\n'
        '#EXT-X-DEFINE:NAME="c",VALUE="3"'
    )
    assert (
        '#EXTM3U\r\n#EXT-X-DEFINE:NAME="a",VALUE="1"\r\n#EXT-X-DEFINE:NAME="b",VALUE="2"\r\n'
        '#EXT-X-DEFINE:NAME="c",VALUE="3"\r\n#EXT-X-STREAM-INF:BANDWIDTH=2\r\n{$b}\r\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=1\r\none\r\n# x\r\n"
    ) == written(text, (1, 0))
    assert text.replace("#EXT-X-STREAM-INF:BANDWIDTH=1\r\none\r\n", "") == written(text, (1,))


GROUPS = """\
#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="1",URI="1"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="2",URI="2"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="g",NAME="3",URI="3"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="4",INSTREAM-ID="CC1"
#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID="v",NAME="5",URI="5"
#EXT-X-STREAM-INF:AUDIO="g",SUBTITLES="g", VIDEO="v",BANDWIDTH=1,CLOSED-CAPTIONS="c"
x
#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="gone",CLOSED-CAPTIONS=NONE
y
#EXT-X-I-FRAME-STREAM-INF:URI="z,z",VIDEO="v",BANDWIDTH=3
"""


@pytest.mark.parametrize(
    ("renditions", "first", "iframe"),
    [
        ({0, 2, 3, 4}, 'AUDIO="g",SUBTITLES="g", VIDEO="v",BANDWIDTH=1,CLOSED-CAPTIONS="c"', True),
        ({2, 3, 4}, 'SUBTITLES="g", VIDEO="v",BANDWIDTH=1,CLOSED-CAPTIONS="c"', True),
        ({0, 1, 3}, 'AUDIO="g",BANDWIDTH=1,CLOSED-CAPTIONS="c"', False),
        ({1, 2}, 'AUDIO="g",SUBTITLES="g",BANDWIDTH=1', False),
        (set(), "BANDWIDTH=1", False),
    ],
)
def test_references_leave_with_their_group(renditions: set[int], first: str, iframe: bool) -> None:
    """A6.12, A11.2: no reference to a group without renditions is left, by type and id. References
    that dangled in the source, and CLOSED-CAPTIONS=NONE, stay."""
    lines = GROUPS.splitlines(keepends=True)
    expected = [lines[0], *(lines[1 + index] for index in sorted(renditions))]
    expected += [f"#EXT-X-STREAM-INF:{first}\n", *lines[7:10]]
    video = 'VIDEO="v",' if iframe else ""
    expected.append(f'#EXT-X-I-FRAME-STREAM-INF:URI="https://e/z,z",{video}BANDWIDTH=3\n')
    actual = written(
        GROUPS, renditions=renditions, rewrite=lambda uri: moved(uri) if "," in uri else uri
    )
    assert "".join(expected) == actual  # fmt: skip


def test_a_comment_before_a_uri_stays_there_while_no_variant_goes() -> None:
    """A6.1: a dropped variant moves comments before the tag, a dropped reference does not."""
    media = '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="1",URI="1"\n'
    one = '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="g"\n# c\nx\n'
    two = "#EXT-X-STREAM-INF:BANDWIDTH=2\ny\n"
    stays = "#EXT-X-STREAM-INF:BANDWIDTH=1\n# c\nx\n"
    assert f"#EXTM3U\n{stays}{two}" == written(media + one + two, renditions=set())
    tidy = "# c\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx\n"
    assert f"#EXTM3U\n{tidy}" == written(media + one + two, (0,), renditions=set())


def test_variables_in_uris_are_expanded_before_a_rewrite() -> None:
    """A5.5: the value may hold the host; the definition stays, as media playlists import it."""
    text = (
        '#EXTM3U\n#EXT-X-DEFINE:NAME="h",VALUE="https://a/"\n#EXT-X-DEFINE:NAME="k",VALUE="skd:"\n'
        '#EXT-X-SESSION-KEY:METHOD=AES-128,URI="{$k}x"\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{$h}v\n'
    )
    assert text.replace("{$h}v", "https://e/https://a/v") == written(text, rewrite=moved)
    assert text == written(text, rewrite=same)


QUERY = (
    '#EXTM3U\n#EXT-X-DEFINE: QUERYPARAM="token" ,X=1\n#EXT-X-DEFINE:NAME="t",VALUE="?t={$token}"\n'
    "#EXT-X-STREAM-INF:BANDWIDTH=1\nv{$t}\n#EXT-X-STREAM-INF:BANDWIDTH=2\n{$token}:w\n"
)


@pytest.mark.parametrize(
    ("rewrite", "query", "expected"),
    [
        (same, None, QUERY),
        (moved, None, QUERY.replace("v{$t}", "https://e/v?t={$token}").replace(
            "{$token}:w", "https://e/{$token}:w")),
        (same, {"token": "a/b", "x": "y"}, QUERY.replace(
            'QUERYPARAM="token"', 'NAME="token",VALUE="a/b"')),
        (moved, {"token": "https"}, QUERY.replace(
            'QUERYPARAM="token"', 'NAME="token",VALUE="https"').replace(
            "v{$t}", "https://e/v?t=https").replace("{$token}:w", "https://e/https:w")),
        (moved, {"token": "skd"}, QUERY.replace(
            'QUERYPARAM="token"', 'NAME="token",VALUE="skd"').replace(
            "v{$t}", "https://e/v?t=skd")),
    ],
)  # fmt: skip
def test_query_parameters_are_resolved(
    rewrite: Callable[[str], str], query: dict[str, str] | None, expected: str
) -> None:
    """A5.4: the tag becomes NAME and VALUE, so the player never fails; without a query all stays.

    A scheme that only the query tells is judged after it is known."""
    assert expected == written(QUERY, rewrite=rewrite, query=query)


@pytest.mark.parametrize("query", [{}, {"token": ""}, {"token": 'a",URI="x'}, {"token": "a\nb"}])
def test_a_bad_query_parameter_is_refused(query: dict[str, str]) -> None:
    """A5.4, A3.3: text from a player reaches a manifest only after it was checked."""
    with pytest.raises(QueryParameterError) as caught:
        written(QUERY, query=query)
    assert "token" == caught.value.parameter


def test_an_unquoted_query_parameter_is_resolved_too() -> None:
    """hls.js reads such a playlist, so the gateway does."""
    text = "#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM=a,X=1\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n"
    assert text.replace("QUERYPARAM=a", 'NAME="a",VALUE="1"') == written(text, query={"a": "1"})


@pytest.mark.parametrize(
    "edit",
    [
        Edit((), frozenset(), frozenset()),
        Edit((0, 0), frozenset(), frozenset()),
        Edit((3,), frozenset(), frozenset()),
        Edit((-1,), frozenset(), frozenset()),
        Edit((0,), frozenset({2}), frozenset()),
        Edit((0,), frozenset(), frozenset({0, 1})),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(edit: Edit) -> None:
    """A11.1: an edit keeps a variant, none of them twice, and only entries that exist."""
    with pytest.raises(ValueError, match=r"an edit must keep|does not have"):
        write(parse(LADDER.encode()), edit, same)
