"""Entries that are read at a glance, and what is left to the careful reader."""

import re

import pytest

from manifests.hls import faultless
from manifests.hls.entries import IFrameVariant, Rendition, Variant
from manifests.hls.tags import TagReader

MEDIA = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="n"'
STREAM = "#EXT-X-STREAM-INF:BANDWIDTH=1"


def read(text: str) -> Variant | Rendition | None:
    """The entry that stands at the start of the text, if it can be read at a glance."""
    if found := faultless.MEDIA.match(text):
        return faultless.rendition(found, 0, 1)
    kinds: tuple[tuple[re.Pattern[str], type[Variant]], ...] = (
        (faultless.VARIANT, Variant),
        (faultless.IFRAME, IFrameVariant),
    )
    for pattern, kind in kinds:
        if found := pattern.match(text):
            return faultless.variant(kind, found, 0, 1, TagReader("x"))
    return None


@pytest.mark.parametrize(
    "text",
    [
        f"{STREAM}\nv.m3u8\n",
        f"{STREAM}\r\nhttps://h/v?a=b\r\n",
        (
            '#EXT-X-STREAM-INF:SCORE=1.5,PROGRAM-ID=1,CODECS="avc1.4d401f,mp4a.40.2",BANDWIDTH=12345,'
            'SUPPLEMENTAL-CODECS="dvh1.08.07/db4h",RESOLUTION=1920x1080,FRAME-RATE=29.970,'
            'VIDEO-RANGE=SDR,HDCP-LEVEL=TYPE-0,ALLOWED-CPC="a:b",AUDIO="a",VIDEO="v",SUBTITLES="s",'
            'CLOSED-CAPTIONS="c",PATHWAY-ID="p",STABLE-VARIANT-ID="i",REQ-VIDEO-LAYOUT="CH-STEREO",'
            'NAME="x",AVERAGE-BANDWIDTH=1\nv\n'
        ),
        '#EXT-X-I-FRAME-STREAM-INF:URI="i.m3u8",BANDWIDTH=1,CODECS="avc1.4d401f"\n',
        f"{MEDIA}\n",
        (
            '#EXT-X-MEDIA:URI="a.m3u8",CHANNELS="16/JOC",FORCED=NO,INSTREAM-ID="CC1",NAME="ñ, x=y",'
            'LANGUAGE="en",ASSOC-LANGUAGE="fr",CHARACTERISTICS="x,y",GROUP-ID="g",PATHWAY-ID="p",'
            'STABLE-RENDITION-ID="i",DEFAULT=YES,AUTOSELECT=NO,TYPE=VIDEO\n'
        ),
    ],
)
def test_what_the_standard_has_is_read_at_a_glance(text: str) -> None:
    """A6, A7, A8: every attribute, in any order; what packagers write costs one match."""
    assert read(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        ("A3.1 a space", f"{MEDIA}, FORCED=NO\n"),
        ("A3.1 an item without =", f"{MEDIA},FORCED\n"),
        ("A3.1 no comma", f"{MEDIA}FORCED=NO\n"),
        ("A3.2 unquoted", "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=g,NAME=n\n"),
        ("A3.3 a quote that never ends", f'{MEDIA},LANGUAGE="en\nx"\n'),
        ("A3.4 twice", f'{MEDIA},NAME="m"\n'),
        ("A3.4 a URI twice", f'{MEDIA},URI=":",URI="u"\n'),
        ("A3.4 captions twice", f'{STREAM},CLOSED-CAPTIONS=NONE,CLOSED-CAPTIONS="c"\nv\n'),
        ("A8.1 without a name", '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g"\n'),
        ("A8.1 an empty group", '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="",NAME="n"\n'),
        ("A8.1 subtitles", '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="g",NAME="n"\n'),
        ("A8.1 captions", '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="g",NAME="n",URI="u"\n'),
        ("G3 the longer name first", f'{MEDIA},ASSOC-LANGUAGE="fr",LANGUAGE="en"\n'),
        ("G3 the same of codecs", f'{STREAM},SUPPLEMENTAL-CODECS="a",CODECS="b"\nv\n'),
        ("A5.5 a variable", f'{MEDIA},URI="{{$v}}"\n'),
        ("A5.5 a variable in the URI line", f"{STREAM}\n{{$v}}\n"),
        ("A2.1 a requirement", f'{STREAM},REQ-FUTURE="x"\nv\n'),
        ("A2.2 a vendor's", f'{MEDIA},X-VENDOR="x"\n'),
        ("A6.1 a comment before the URI", f"{STREAM}\n# c\nv\n"),
        ("A6.1 no URI line", f"{STREAM}\n"),
        ("A1.3 white space around the URI", f"{STREAM}\nv \n"),
        ("A1.3 a lone CR", f"{STREAM}\rv\r"),
        ("A6.2 no BANDWIDTH", "#EXT-X-STREAM-INF:SCORE=1\nv\n"),
        ("A6.2 more than media3 reads", "#EXT-X-STREAM-INF:BANDWIDTH=2147483648\nv\n"),
        ("A6.9", f"{STREAM},VIDEO-RANGE=XYZ\nv\n"),
        ("A3.2 no size", f"{STREAM},RESOLUTION=0x1\nv\n"),
        ("A7.1 no URI", "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1\n"),
        ("the last line without an end", MEDIA),
    ],
    ids=lambda text: text[0],
)
def test_what_is_odd_is_read_with_care(text: tuple[str, str]) -> None:
    """Whatever may be a fault, and whatever needs expanding, is left to the careful reader."""
    assert read(text[1]) is None
