"""Content decoding with a bound on the output size, as a protection against decompression bombs."""

import io
import zlib

import brotli
import zstandard

ACCEPTED = "zstd, br, gzip"
_MAX_WINDOW_BYTES = 8 * 2**20
"""RFC 9659: the largest window that a zstd content coding may require."""
_MAX_MEMBERS = 64
"""The most gzip members of one body. Each costs time, even an empty one of 20 bytes."""


class CodingError(ValueError):
    """The body does not match its content coding, or is larger than allowed."""


class TooLargeError(CodingError):
    """The body is larger than allowed when it is decoded."""


def decoded(raw: bytes, coding: str, max_bytes: int) -> bytes:
    """Decode ``raw`` from ``gzip``, ``br``, ``zstd`` or ``identity``.

    Raises :class:`TooLargeError` as soon as the output exceeds ``max_bytes``, and
    :class:`CodingError` when the body is truncated, and for a coding that the request did not
    offer.
    """
    match coding.strip().lower():
        case "" | "identity":
            data = raw
        case "gzip" | "x-gzip":
            data = _gunzip(raw, max_bytes)
        case "br":
            data = _unbrotli(raw, max_bytes)
        case "zstd":
            data = _unzstd(raw, max_bytes)
        case _:
            raise CodingError(f"content coding {coding[:40]!r} was not offered")
    if len(data) > max_bytes:
        raise TooLargeError(f"larger than the {max_bytes} bytes allowed")
    return data


def _gunzip(raw: bytes, max_bytes: int) -> bytes:
    data = b""
    for _ in range(_MAX_MEMBERS):  # a gzip body may have several members
        if not raw:
            return data
        member = zlib.decompressobj(wbits=31)
        try:
            data += member.decompress(raw, max_bytes + 1 - len(data))
        except zlib.error as error:
            raise CodingError(f"not gzip: {error}") from error
        if len(data) > max_bytes:
            return data
        if not member.eof:
            raise CodingError("gzip that ends early")
        raw = member.unused_data
    if raw:
        raise CodingError(f"gzip of more than {_MAX_MEMBERS} members")
    return data


def _unbrotli(raw: bytes, max_bytes: int) -> bytes:
    decoder = brotli.Decompressor()
    try:
        data: bytes = decoder.process(raw, output_buffer_limit=max_bytes + 1)
    except brotli.error as error:
        raise CodingError(f"not brotli: {error}") from error
    if len(data) <= max_bytes and not decoder.is_finished():
        raise CodingError("brotli that ends early")
    return data


def _unzstd(raw: bytes, max_bytes: int) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
    data = bytearray()
    try:
        with decoder.stream_reader(io.BytesIO(raw)) as reader:
            while len(data) <= max_bytes and (piece := reader.read(65_536)):
                data += piece
        if len(data) <= max_bytes and not _is_whole_frame(decoder, raw):
            raise CodingError("zstd that ends early")
    except zstandard.ZstdError as error:
        raise CodingError(f"not zstd: {error}") from error
    return bytes(data)


def _is_whole_frame(decoder: zstandard.ZstdDecompressor, raw: bytes) -> bool:
    """Whether the frame ends with the last byte of ``raw``; its output is known to be within
    bounds."""
    whole = decoder.decompressobj()
    whole.decompress(raw)
    return whole.eof
