"""Which entries can be read at a glance? Those that stand just as the standard has them.

One match of one pattern says that an entry's lines break no rule that a line alone can break, and
gives its values. All that is odd, or not known here, or holds a variable, is left to ``TagReader``,
which reads anything and gives the same for what can be read here.
"""

import re
from collections.abc import Mapping

from manifests.codecs import VideoRange
from manifests.hls.entries import AnyVariant, Rendition, Variant, codecs_of, comma_list
from manifests.hls.rebase import PLAIN
from manifests.hls.tags import TagReader

_QUOTED = r'"([^"{\r\n]*)"'
_QUOTED_SOME = r'"([^"{\r\n]+)"'
_NUMBER = r"([0-9]{1,15})"
_DECIMAL = r"([0-9]{1,9}(?:\.[0-9]*)?)"
_YES_NO = r"(YES|NO)"
# The second group, an empty one, has matched when the URI is plain.
_URI = rf'"({PLAIN}()|[^"{{\r\n]*)"'
_URI_LINE = rf'({PLAIN}()|[^\s#"{{][^\s"{{]*)'

_STREAM = {
    "BANDWIDTH": r"([0-9]{1,9})",  # what media3 reads, too
    "AVERAGE-BANDWIDTH": _NUMBER,
    "CODECS": _QUOTED,
    "SUPPLEMENTAL-CODECS": _QUOTED,
    "RESOLUTION": r"([1-9][0-9]{0,8}x[1-9][0-9]{0,8})",
    "FRAME-RATE": _DECIMAL,
    "VIDEO-RANGE": r"(SDR|HLG|PQ)",
    "HDCP-LEVEL": r"([A-Z0-9-]+)",
    "ALLOWED-CPC": _QUOTED,
    "SCORE": _DECIMAL,
    "AUDIO": _QUOTED,
    "VIDEO": _QUOTED,
    "SUBTITLES": _QUOTED,
    "CLOSED-CAPTIONS": r'(NONE|"[^"{\r\n]*")',
    "PATHWAY-ID": _QUOTED,
    "STABLE-VARIANT-ID": _QUOTED,
    "REQ-VIDEO-LAYOUT": _QUOTED,
    "PROGRAM-ID": _NUMBER,
    "NAME": _QUOTED,
}
_MEDIA = {
    "TYPE": r"(AUDIO|VIDEO|SUBTITLES|CLOSED-CAPTIONS)",
    "GROUP-ID": _QUOTED_SOME,
    "NAME": _QUOTED_SOME,
    "URI": _URI,
    "LANGUAGE": _QUOTED,
    "ASSOC-LANGUAGE": _QUOTED,
    "DEFAULT": _YES_NO,
    "AUTOSELECT": _YES_NO,
    "FORCED": _YES_NO,
    "INSTREAM-ID": _QUOTED,
    "CHANNELS": _QUOTED,
    "CHARACTERISTICS": _QUOTED,
    "STABLE-RENDITION-ID": _QUOTED,
    "PATHWAY-ID": _QUOTED,
}
# media3 takes the longer name for the shorter where it comes first (G3).
_BEHIND = {"SUPPLEMENTAL-CODECS": "CODECS", "ASSOC-LANGUAGE": "LANGUAGE"}


def _pattern(tag: str, attributes: Mapping[str, str], ending: str = "") -> re.Pattern[str]:
    """A tag with any of the attributes in any order, each once (A3.4), up to its line's end."""
    groups: dict[str, int] = {}
    items = []
    group = 1
    for name, value in attributes.items():
        groups[name] = group
        behind = f"(?({groups[_BEHIND[name]]})|(?!))" if name in _BEHIND else ""
        items.append(f"{name}(?({group})(?!)){behind}={value}")
        group += value.count("(") - value.count("(?")
    return re.compile(rf"#{tag}:(?:(?:{'|'.join(items)})(?:,|(?=[\r\n])))*\r?\n{ending}")


VARIANT = _pattern("EXT-X-STREAM-INF", _STREAM, rf"{_URI_LINE}\r?\n")
"""An EXT-X-STREAM-INF and the line of its URI, which is the last group but one."""

IFRAME = _pattern("EXT-X-I-FRAME-STREAM-INF", {**_STREAM, "URI": _URI})
"""An EXT-X-I-FRAME-STREAM-INF. Its groups are those of VARIANT."""

MEDIA = _pattern("EXT-X-MEDIA", _MEDIA)
"""An EXT-X-MEDIA."""

URI_OF_VARIANT = VARIANT.groups - 1
URI_OF_MEDIA = 4

_RANGES: dict[str | None, VideoRange] = {None: VideoRange.SDR, **{str(x): x for x in VideoRange}}


def variant(
    kind: type[AnyVariant], found: re.Match[str], index: int, line: int, tags: TagReader
) -> AnyVariant | None:
    """The facts of a match of VARIANT or IFRAME; None when some rule is broken."""
    (
        bandwidth,
        average,
        codecs_text,
        supplemental,
        size,
        frame_rate,
        video_range,
        hdcp_level,
        allowed_cpc,
        score,
        audio,
        video,
        subtitles,
        captions,
        pathway,
        stable_id,
        layout,
        program_id,
        _,
        uri,
        _,
    ) = found.groups()
    if bandwidth is None or not uri:
        return None
    if program_id is not None and kind is Variant:
        tags.program_id(line)
    codecs, families, has_video = codecs_of(codecs_text or "")
    width, height = tags.sizes.get(size) or tags.size_of(size)
    return kind(
        index,
        line,
        uri,
        int(bandwidth),
        None if average is None else int(average),
        codecs,
        comma_list(supplemental) if supplemental else (),
        families,
        True if size else has_video,
        width,
        height,
        None if frame_rate is None else float(frame_rate),
        _RANGES[video_range],
        hdcp_level,
        allowed_cpc,
        None if score is None else float(score),
        audio,
        video,
        subtitles,
        None if captions is None or captions == "NONE" else captions[1:-1],
        captions == "NONE",
        "." if pathway is None else pathway,
        stable_id,
        layout,
        False,
    )


def rendition(found: re.Match[str], index: int, line: int) -> Rendition | None:
    """The facts of a match of MEDIA; None when some rule is broken."""
    (
        group_type,
        group_id,
        name,
        uri,
        _,
        language,
        assoc_language,
        default,
        autoselect,
        forced,
        instream_id,
        channels,
        characteristics,
        stable_id,
        pathway,
    ) = found.groups()
    if group_type is None or group_id is None or name is None:
        return None
    if (group_type == "SUBTITLES" and not uri) or (group_type == "CLOSED-CAPTIONS" and uri):
        return None
    return Rendition(
        index,
        line,
        group_type,
        group_id,
        name,
        uri,
        language,
        assoc_language,
        default == "YES",
        autoselect == "YES",
        forced == "YES",
        instream_id,
        channels,
        comma_list(characteristics) if characteristics else (),
        stable_id,
        "." if pathway is None else pathway,
    )
