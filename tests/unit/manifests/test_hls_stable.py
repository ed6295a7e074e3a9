"""Ids that stay while URIs change."""

import pytest

from manifests.hls.multivariant import keep_everything, parse, write
from manifests.hls.stable import has_stable_uris, rendition_id, variant_id
from manifests.rebase import rebaser
from manifests.steering import SteeringTags, UriClone, render_steering_manifest

TAGS = SteeringTags("/s", "e", stable_ids=True)
HEAD = "#EXTM3U\n"


def variant(uri: str, more: str = "", bandwidth: int = 1) -> str:
    return f"#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}{more}\n{uri}\n"


def test_ids_are_added_where_there_are_none() -> None:
    """At the end, before the pathway; a rendition without a URI needs none."""
    source = (
        f'{HEAD}#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="en.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="de",STABLE-RENDITION-ID="r",URI="de.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="muxed"\n'
        + variant("low.m3u8", ',AUDIO="a"')
        + variant("high.m3u8", ',AUDIO="a",STABLE-VARIANT-ID="v"', 2)
        + '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i.m3u8"\n'
    )
    playlist = parse(source.encode())
    low, iframe = variant_id(playlist.variants[0]), variant_id(playlist.iframes[0])
    audio = rendition_id(playlist.renditions[0])
    output = write(playlist, keep_everything(playlist), rebaser("m", "/e/"), steering=TAGS)
    assert output.decode() == (
        f'{HEAD}#EXT-X-CONTENT-STEERING:SERVER-URI="/s",PATHWAY-ID="e"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="/e/en.m3u8",'
        f'STABLE-RENDITION-ID="{audio}"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="de",STABLE-RENDITION-ID="r",'
        'URI="/e/de.m3u8"\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="muxed"\n'
        + variant("/e/low.m3u8", f',AUDIO="a",STABLE-VARIANT-ID="{low}",PATHWAY-ID="e"')
        + variant("/e/high.m3u8", ',AUDIO="a",STABLE-VARIANT-ID="v",PATHWAY-ID="e"', 2)
        + '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="/e/i.m3u8",'
        f'STABLE-VARIANT-ID="{iframe}",PATHWAY-ID="e"\n'
    )
    assert len({low, iframe, audio}) == 3
    assert "" == rendition_id(playlist.renditions[2])


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param(variant("a") + variant("b"), True, id="no ids"),
        pytest.param(variant("a") + variant("a", ',AUDIO="x"'), True, id="one URI twice"),
        pytest.param(
            variant("a", ',STABLE-VARIANT-ID="1"') + variant("b", ',STABLE-VARIANT-ID="1"'),
            False,
            id="one id, two URIs",
        ),
        pytest.param(variant("a", ',STABLE-VARIANT-ID="ä"'), False, id="an illegal id"),
        pytest.param(
            '#EXT-X-DEFINE:QUERYPARAM="t"\n' + variant("a?{$t}"), False, id="a query parameter"
        ),
    ],
)
def test_which_playlists_have_one_uri_for_each_id(entries: str, expected: bool) -> None:
    assert expected == has_stable_uris(parse(f"{HEAD}{entries}".encode()))


def test_a_clone_with_uris() -> None:
    """What stands in a source is escaped."""
    clones = [UriClone("a", "a.1", {"v": "https://e/\\é"}, {})]
    assert render_steering_manifest(1, "/s", ["a.1"], (), clones) == (
        b'{"VERSION":1,"TTL":1,"RELOAD-URI":"/s","PATHWAY-PRIORITY":["a.1"],"PATHWAY-CLONES":['
        b'{"BASE-ID":"a","ID":"a.1","URI-REPLACEMENT":'
        b'{"PER-VARIANT-URIS":{"v":"https://e/\\\\\\u00e9"}}}]}'
    )
