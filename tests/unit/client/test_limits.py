"""The query parameters of docs/http.md."""

import math
from typing import Any

import pytest

from gateway.client.facts import Limits
from gateway.client.limits import (
    MAX_PARAMETERS,
    MAX_QUERY,
    ParameterError,
    RequestParameters,
    parse_parameters,
)
from manifests.codecs import CodecFamily as Family

NOTHING = RequestParameters(Limits(), None, None, None, None, None, {})


@pytest.mark.parametrize("query", [b"", b"&", b"=x&&", b"unknown=1&Speed=abc&SESSION=%ff"])
def test_without_known_parameters_nothing_is_asked_for(query: bytes) -> None:
    """Empty queries and unknown parameters, which are case-sensitive, change nothing."""
    read = parse_parameters(query)
    assert (Limits(), None, None, None, None, None) == (
        read.limits,
        read.speed_kbps,
        read.bandwidth_hint_mbps,
        read.session,
        read.cmcd,
        read.fields,
    )


@pytest.mark.parametrize(
    ("query", "field", "expected"),
    [
        (b"speed=2100", "speed_kbps", 2100),
        (b"speed=2100.5", "speed_kbps", 2100.5),
        (b"speed=1e4", "speed_kbps", 10_000),
        (b"speed=1e+21", "speed_kbps", 1e21),
        (b"speed=-5", "speed_kbps", -5),
        (b"speed=99999999999", "speed_kbps", 99_999_999_999),
        (b"speed=1e999", "speed_kbps", math.inf),
        (b"speed=Infinity", "speed_kbps", math.inf),
        (b"speed=1&speed=2", "speed_kbps", 2),
        (b"s%70eed=7", "speed_kbps", 7),
        (b"clientBandwidthHint=7.25", "bandwidth_hint_mbps", 7.25),
        (b"session=abc", "session", "abc"),
        (b"session=a%20b%2Bc+d", "session", "a b+c+d"),
        (b"session=" + b"x" * 64, "session", "x" * 64),
        (b"session=", "session", None),
        (b"CMCD=mtp%3D2500%2Csu", "cmcd", "mtp=2500,su"),
        (b"CMCD=ec%3D(%22a%22+%22b%2Bc%22)", "cmcd", 'ec=("a" "b+c")'),
        (b"CMCD=a=b", "cmcd", "a=b"),
        (b"CMCD=nor%3D%22..%252Fa%22", "cmcd", 'nor="..%2Fa"'),
        (b"CMCD=", "cmcd", None),
        (b"CMCD=mtp%3D1&CMCD=mtp%3D2", "cmcd", "mtp=2"),
        (b"CMCD=mtp%3D1&CMCD=", "cmcd", "mtp=1"),
        (b"CMCD=mtp%3D1&CMCD=a+b&CMCD", "cmcd", "a b"),
        (b"%43M%43%44=a+b", "cmcd", "a b"),
        (b"fields=cdn_endpoint,ladder", "fields", ("cdn_endpoint", "ladder")),
    ],
)
def test_a_parameter_is_read(query: bytes, field: str, expected: object) -> None:
    """Each known parameter has its field and unit; the last value of a repeated one is used."""
    assert expected == getattr(parse_parameters(query), field)


def test_not_a_number_is_a_number_for_the_chooser_to_ignore() -> None:
    """Players without a measurement send NaN, which is not an error."""
    speed = parse_parameters(b"speed=NaN").speed_kbps
    assert speed is not None
    assert math.isnan(speed)


@pytest.mark.parametrize(
    ("query", "limits"),
    [
        (b"max_resolution=270p", {"max_height": 270}),
        (b"max_resolution=2160p&min_resolution=720p", {"max_height": 2160, "min_height": 720}),
        (b"max_resolution=720p&min_resolution=720p", {"max_height": 720, "min_height": 720}),
        (b"max_bitrate=1500", {"max_bitrate_kbps": 1500}),
        (b"max_bitrate=0001", {"max_bitrate_kbps": 1}),
        (b"codecs=avc", {"codecs": frozenset({Family.AVC})}),
        (
            b"codecs=hevc,%20AV1,dolby-vision,vp9,vp9",
            {"codecs": frozenset({Family.HEVC, Family.AV1, Family.DOLBY_VISION, Family.VP9})},
        ),
    ],
)
def test_limits_are_read(query: bytes, limits: dict[str, Any]) -> None:
    """Heights are in pixels, bit rates in kbit/s, and codecs are families."""
    assert Limits(**limits) == parse_parameters(query).limits


@pytest.mark.parametrize(
    ("query", "name", "value", "allowed"),
    [
        (b"speed=abc", "speed", "'abc'", "a number of kbit/s"),
        (b"speed=", "speed", "''", "a number of kbit/s"),
        (b"speed", "speed", "''", "a number of kbit/s"),
        (b"speed=1_000", "speed", "'1_000'", "a number of kbit/s"),
        (b"speed=%D9%A1", "speed", "'\\u0661'", "a number of kbit/s"),
        (b"speed=1 ", "speed", "'1 '", "a number of kbit/s"),
        (b"speed=0x10", "speed", "'0x10'", "a number of kbit/s"),
        (b"speed=" + b"9" * 80, "speed", f"'{'9' * 64}...'", "a number of kbit/s"),
        (b"speed=%0a%22", "speed", "'\\n\"'", "a number of kbit/s"),
        (b"clientBandwidthHint=fast", "clientBandwidthHint", "'fast'", "a number of Mbit/s"),
        (b"max_bitrate=0", "max_bitrate", "'0'", "a whole number of kbit/s from 1 up"),
        (b"max_bitrate=1.5", "max_bitrate", "'1.5'", "a whole number of kbit/s from 1 up"),
        (b"session=a%0d%0ab", "session", "'a\\r\\nb'", "up to 64 printable characters"),
        (b"session=\xff", "session", "'\\ufffd'", "up to 64 printable characters"),
        (
            b"session=" + b"x" * 65,
            "session",
            f"'{'x' * 64}...'",
            "up to 64 printable characters",
        ),
        (b"fields=a%20b", "fields", "'a b'", "a comma list of member names"),
        (
            b"max_resolution=1080",
            "max_resolution",
            "'1080'",
            "270p, 360p, 480p, 540p, 720p, 1080p, 1440p, 2160p",
        ),
        (
            b"max_resolution=720p&min_resolution=1080p",
            "min_resolution",
            "'1080p'",
            "at most max_resolution, 720p",
        ),
        (b"codecs=", "codecs", "''", "a comma list of avc, hevc, av1, vp9, dolby-vision"),
        (
            b"codecs=avc,divx",
            "codecs",
            "'avc,divx'",
            "a comma list of avc, hevc, av1, vp9, dolby-vision",
        ),
        (
            b"a" * (MAX_QUERY + 1),
            "query",
            f"'{MAX_QUERY + 1} bytes'",
            f"at most {MAX_QUERY} bytes",
        ),
        (
            b"&" * MAX_PARAMETERS,
            "query",
            f"'{MAX_PARAMETERS + 1} parameters'",
            f"at most {MAX_PARAMETERS} parameters",
        ),
    ],
)
def test_a_malformed_parameter_is_named(query: bytes, name: str, value: str, allowed: str) -> None:
    """The error has the parameter, its value in a safe form, and what is allowed."""
    with pytest.raises(ParameterError) as caught:
        parse_parameters(query)
    assert (name, value, allowed) == (caught.value.name, caught.value.value, caught.value.allowed)
    assert f"{name}={value}: allowed is {allowed}" == str(caught.value)


def test_every_parameter_is_there_by_name() -> None:
    """EXT-X-DEFINE:QUERYPARAM (A5.4) needs the last value of any of them, percent-decoded."""
    query = b"token=a%2Bb+c&x=&flag&token2=%C3%A9&x=1&speed=5&CMCD=a+b"
    expected = {"token": "a+b+c", "x": "1", "flag": "", "token2": "é", "speed": "5", "CMCD": "a+b"}
    assert expected == parse_parameters(query).by_name


@pytest.mark.parametrize(
    "query", [b"x" * MAX_QUERY, b"&" * (MAX_PARAMETERS - 1)], ids=["bytes", "parameters"]
)
def test_a_query_may_be_as_long_as_the_bound(query: bytes) -> None:
    """The largest allowed values are accepted."""
    assert NOTHING.limits == parse_parameters(query).limits
