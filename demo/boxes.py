"""Reads codec names, time scales and the sizes of key frames from the MP4 files of the demo title.

It reads only the parts of ISO/IEC 14496-12 (boxes) and 14496-15 (``avcC``, ``hvcC``) that are
needed for correct CODECS attributes and I-frame byte ranges.
"""

import struct
from collections.abc import Iterator

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_SAMPLE_ENTRY_SKIP = 8  # stsd: version, flags, entry count
_VISUAL_ENTRY_SKIP = 78  # VisualSampleEntry: everything before its child boxes
_TRUN_DATA_OFFSET, _TRUN_FIRST_FLAGS = 0x000001, 0x000004
_TRUN_DURATION, _TRUN_SIZE = 0x000100, 0x000200
_TFHD_BASE_OFFSET, _TFHD_DESCRIPTION = 0x000001, 0x000002
_TFHD_DURATION, _TFHD_SIZE = 0x000008, 0x000010


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """All boxes between two offsets, including those in containers, as (type, body start, body
    end).

    Raises ValueError when the size of a box does not fit.
    """
    stop = len(data) if end is None else end
    while start < stop:
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1:
            size, header = struct.unpack_from(">Q", data, start + 8)[0], 16
        if size < header or start + size > stop:
            raise ValueError(f"box {kind!r} at byte {start} has size {size}, which does not fit")
        yield kind, start + header, start + size
        if kind in _CONTAINERS:
            yield from boxes(data, start + header, start + size)
        start += size


def video_codec(init: bytes) -> str:
    """The RFC 6381 name of the video codec in an initialisation segment, such as ``avc1.64001f``.

    Raises ValueError when it has neither H.264 nor HEVC.
    """
    for kind, start, end in boxes(init):
        if kind != b"stsd":
            continue
        for entry, inner, stop in boxes(init, start + _SAMPLE_ENTRY_SKIP, end):
            for config, body, _ in boxes(init, inner + _VISUAL_ENTRY_SKIP, stop):
                if config == b"avcC":
                    return f"{entry.decode()}.{init[body + 1 : body + 4].hex()}"
                if config == b"hvcC":
                    return f"{entry.decode()}.{_hevc_suffix(init[body : body + 13])}"
    raise ValueError("no H.264 or HEVC sample entry in the initialisation segment")


def timescale(init: bytes) -> int:
    """The ticks per second of the track in an initialisation segment (``mdhd``).

    Raises ValueError when it has no track.
    """
    for kind, start, _ in boxes(init):
        if kind == b"mdhd":
            at = start + (20 if init[start] else 12)  # version, flags and two times
            return int.from_bytes(init[at : at + 4])
    raise ValueError("no media header in the initialisation segment")


def cmaf_header(init: bytes) -> bytes:
    """The initialisation segment with the brand of CMAF (ISO/IEC 23000-19, 7.2) in place of
    ``mp41``, which is untrue of fragments.

    Raises ValueError when it has neither brand.
    """
    size = int.from_bytes(init[:4])
    brands = [init[at : at + 4] for at in range(8, size, 4)]
    if b"cmfc" in brands[2:]:
        return init
    if init[4:8] != b"ftyp" or b"mp41" not in brands[2:]:
        raise ValueError("the initialisation segment has neither the brand cmfc nor mp41")
    at = 8 + 4 * brands.index(b"mp41", 2)
    return init[:at] + b"cmfc" + init[at + 4 :]


def _hevc_suffix(record: bytes) -> str:
    """Profile, compatibility, tier and level as ISO/IEC 14496-15 annex E.3 writes them."""
    space = ("", "A", "B", "C")[record[1] >> 6]
    tier = "H" if record[1] & 0x20 else "L"
    compatibility = int(f"{int.from_bytes(record[2:6]):032b}"[::-1], 2)
    constraints = [f"{byte:X}" for byte in record[6:12].rstrip(b"\0")]
    parts = [f"{space}{record[1] & 0x1F}", f"{compatibility:X}", f"{tier}{record[12]}"]
    return ".".join(parts + constraints)


def first_frame_end(segment: bytes) -> int:
    """The number of bytes from the start of a media segment to the end of its first sample.

    The first sample of each segment is a key frame, so this is the length of the byte range in the
    I-frame playlist. Raises ValueError when there is no fragment.
    """
    moof, default_size = 0, None
    for kind, start, _ in boxes(segment):
        if kind == b"moof":
            moof = start - 8
        elif kind == b"tfhd":
            default_size = _default_sample_size(segment, start)
        elif kind == b"trun":
            offset, size = _first_sample(segment, start)
            size = default_size if size is None else size
            if offset is None or size is None:
                raise ValueError("the fragment does not say where its first sample is")
            return moof + offset + size
    raise ValueError("no movie fragment in the segment")


def _flags(data: bytes, start: int) -> int:
    return int.from_bytes(data[start + 1 : start + 4])


def _default_sample_size(data: bytes, start: int) -> int | None:
    flags, at = _flags(data, start), start + 8
    at += 8 * bool(flags & _TFHD_BASE_OFFSET) + 4 * bool(flags & _TFHD_DESCRIPTION)
    at += 4 * bool(flags & _TFHD_DURATION)
    return int.from_bytes(data[at : at + 4]) if flags & _TFHD_SIZE else None


def _first_sample(data: bytes, start: int) -> tuple[int | None, int | None]:
    """The data offset (from the start of ``moof``) and the size of the first sample, if present."""
    flags, at = _flags(data, start), start + 8
    offset = None
    if flags & _TRUN_DATA_OFFSET:
        offset = int.from_bytes(data[at : at + 4], signed=True)
        at += 4
    at += 4 * bool(flags & _TRUN_FIRST_FLAGS) + 4 * bool(flags & _TRUN_DURATION)
    return offset, int.from_bytes(data[at : at + 4]) if flags & _TRUN_SIZE else None
