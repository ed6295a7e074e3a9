"""JSON that anyone may have written."""

import json

import pytest

from gateway.untrusted import MAX_NUMBER, json_of


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"a": [1, -1.5, true, null, "\\u00e9 \\ud83d\\ude00 é"]}',
        f"[{MAX_NUMBER}, -{MAX_NUMBER}, 1e15, 1e-400]",
        '"\\\\ud800"',
    ],
)
def test_what_is_read(text: str) -> None:
    """Values within bounds are what the json module makes of them."""
    assert json.loads(text) == json_of(text.encode(), 1000)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"[1] x", "Extra data"),
        (b"\xff", "can't decode"),
        (b"\xed\xa0\x80", "can't decode"),
        ('"é"'.encode("utf-16"), "can't decode"),
        (b'"\\ud800"', "surrogates not allowed"),
        (b'{"\\udfff": 1}', "surrogates not allowed"),
        (b'"\\ude00\\ud83d"', "surrogates not allowed"),
        (b"[NaN]", "has NaN"),
        (b"[-Infinity]", "has -Infinity"),
        (b"1e400", "too large"),
        (b"1e16", "too large"),
        (b"1" + b"0" * 400, "too large"),
        (b"1" + b"0" * 5000, "too large"),
        (b"%d" % (MAX_NUMBER + 1), "too large"),
        (b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b'{"a":' * 1500 + b"1" + b"}" * 1500, "nested too deeply"),
        (b'[1, {"a":' * 101 + b"1" + b"}]" * 101, "nested too deeply"),
        (b"[" * 201 + b"]" * 201, "nested too deeply"),
        (b" " * 10_001, "has 10001 bytes, more than 10000"),
    ],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    """Only ValueError is raised, and it says why."""
    with pytest.raises(ValueError, match=reason):
        json_of(data, 10_000)
