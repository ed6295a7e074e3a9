"""Bytes to lines, rules A1.1 to A1.4."""

import pytest

from manifests.fault import ManifestError
from manifests.hls.lines import _LONG, read_lines, split_lines


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"#EXTM3U", ["#EXTM3U"]),
        (b"#EXTM3U\n", ["#EXTM3U\n"]),
        (b"#EXTM3U\r\nb\r\n", ["#EXTM3U\r\n", "b\r\n"]),
        (b"#EXTM3U\rb\r", ["#EXTM3U\r", "b\r"]),
        (
            b"#EXTM3U\n\r\n\r\rb",
            ["#EXTM3U\n", "\r\n", "\r", "\r", "b"],
        ),
        # U+2028 ends a line for Python, not for players.
        ("#EXTM3U\na\u2028b\n".encode(), ["#EXTM3U\n", "a\u2028b\n"]),
    ],
)
def test_every_line_keeps_its_end(data: bytes, expected: list[str]) -> None:
    """LF, CRLF and a lone CR end lines, as in the players; joining gives the source back."""
    assert expected == list(read_lines(data, "x", 1000))
    assert data == "".join(expected).encode()


@pytest.mark.parametrize(
    ("data", "newline"), [(b"#EXTM3U", "\n"), (b"#EXTM3U\r\nx\n", "\r\n"), (b"#EXTM3U\rx", "\r")]
)
def test_the_newline_is_that_of_the_first_line(data: bytes, newline: str) -> None:
    """A line end that the writer adds is the source's own."""
    assert newline == read_lines(data, "x", 1000).newline


@pytest.mark.parametrize(
    ("name", "data", "line", "rule"),
    [
        ("empty", b"", 1, "A1.4"),
        ("white space", b"\n\n  ", 3, "A1.4"),
        ("an HTML error page", b"<!DOCTYPE html>\n", 1, "A1.4"),
        ("JSON", b'{"error":1}', 1, "A1.4"),
        ("a comment first", b"# hello\n#EXTM3U\n", 1, "A1.4"),
        ("a longer word", b"#EXTM3U8\n", 1, "A1.4"),
        ("latin-1", b"#EXTM3U\n\n# fran\xe7ais", 3, "A1.1"),
        ("UTF-16", "#EXTM3U\n".encode("utf-16"), 1, "A1.1"),
        ("NUL", b"#EXTM3U\n\na\x00b", 3, "A1.2"),
        ("a C1 control", "#EXTM3U\r\n\x85".encode(), 2, "A1.2"),
        ("DEL on the first line", b"#EXTM3U \x7f", 1, "A1.2"),
        ("too large", b"#EXTM3U" + b"\n" * 1000, None, "F13"),
    ],
)
def test_what_is_not_a_playlist_is_refused(
    name: str, data: bytes, line: int | None, rule: str
) -> None:
    """The error names the file, the line and the clause."""
    with pytest.raises(ManifestError) as caught:
        read_lines(data, name, 1000)
    error = caught.value
    assert (name, line, rule) == (error.name, error.line, error.rule)
    assert (name if line is None else f"{name}, line {line}: ") in str(error)
    assert f": {error.clause}: " in str(error)


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        (b"#EXTM3U\n", []),
        (b"#EXTM3U tvg=1\n", []),
        (b"\xef\xbb\xbf#EXTM3U\n", [(1, "A1.1")]),
        (b"\n \n#EXTM3U\na", [(1, "A1.4")]),
        (b"#EXTM3U\na\rb\rc\n", [(2, "A1.3")]),
        ("#EXTM3U\nc\u0327\nc\u0327\n".encode(), [(2, "A1.2")]),
        ("#EXTM3U\n\u00e7\n".encode(), []),
    ],
)
def test_what_players_tolerate_is_a_fault(data: bytes, faults: list[tuple[int, str]]) -> None:
    """A byte order mark, white space before the header, lone CRs and text that is not NFC."""
    assert faults == [(fault.line, fault.rule) for fault in read_lines(data, "x", 99).faults]


def test_lines_are_numbered_as_in_the_file() -> None:
    """White space before the header counts, so that errors point at the right line."""
    assert 3 == read_lines(b"\r\n \n#EXTM3U\n", "x", 99).first


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_long_text_has_the_lines_of_a_short_one(end: str) -> None:
    """They are searched one by one, which others need not wait for."""
    short = f"#EXTM3U{end}{end}# a{end}b"
    long = short + end + "x" * _LONG
    assert [*split_lines(short + end), "x" * _LONG] == list(split_lines(long))
    assert not isinstance(split_lines(long), list)


@pytest.mark.parametrize(("space", "line"), [("\n\n", 3), ("\r\n\r", 3), (" \r \n\r\n", 4)])
def test_a_control_character_behind_white_space_has_its_line(space: str, line: int) -> None:
    """Every kind of line end counts once."""
    with pytest.raises(ManifestError) as raised:
        read_lines(f"{space}#EXTM3U\x01".encode(), "x", 99)
    assert line == raised.value.line
