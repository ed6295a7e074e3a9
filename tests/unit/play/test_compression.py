"""Codings of bodies: they come back whole, whatever their length, and are as short as usual."""

import gzip
import random
from collections.abc import Callable

import brotli
import pytest
import zstandard

from gateway.play.compression import compress

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompress(data),
}
LINE = b"#EXT-X-STREAM-INF:BANDWIDTH=%d,RESOLUTION=1280x720\nhttps://edge.example/%d.m3u8\n"
LENGTHS = (0, 1, 2, 511, 512, 513, 4_096, 4_097, 32_768, 32_769, 300_000)


def playlist(length: int) -> bytes:
    """So many bytes of one."""
    lines = (LINE % (number * 7919 % 9_000_000, number) for number in range(length // 60 + 1))
    return b"".join(lines)[:length]


@pytest.mark.parametrize("coding", DECODERS)
@pytest.mark.parametrize("length", LENGTHS)
def test_a_body_comes_back_whole(coding: str, length: int) -> None:
    """Text and noise, on both sides of every size of window."""
    for body in (playlist(length), random.Random(length).randbytes(length)):
        assert body == DECODERS[coding](compress(body, coding))


@pytest.mark.parametrize("length", [length for length in LENGTHS if length > 2])
def test_a_small_window_costs_no_bytes(length: int) -> None:
    """gzip's output is within 2 % of what the usual window gives."""
    body = playlist(length)
    assert len(compress(body, "gzip")) <= 1.02 * len(gzip.compress(body, 6))
