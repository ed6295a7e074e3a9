"""Does hls.js find in a steered playlist what it finds in the same playlist without steering?"""

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser

from gateway.play.hls.steering import refusal
from manifests.hls.multivariant import (
    ManifestError,
    MultivariantPlaylist,
    PathwayCopy,
    keep_everything,
    parse,
    write,
)
from manifests.rebase import rebaser
from manifests.steering import SteeringTags, write_steering_manifest

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EDGE = "https://e1.example/v/"
HOST = "https://play.example/"
TAGS = SteeringTags(f"{HOST}steering", "e1")
SYNTHETIC = Path(__file__).parents[1] / "conformance" / "hls"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "hls"
ONE = '#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS="avc1.64001f"{}\n{}.m3u8\n'
TWO = '#EXT-X-STREAM-INF:BANDWIDTH=1900000,RESOLUTION=1280x720,CODECS="avc1.64001f"{}\n{}.m3u8\n'
# What the end of a list, or another attribute of a copy, makes of two variants.
AWKWARD = {
    f"{kind} {more!r}": "#EXTM3U\n" + first.format("", "a") + second.format(more, "b")
    for kind, first, second in (("end", ONE, TWO), ("copy", ONE, ONE))
    for more in (
        "",
        " ",
        ",",
        ",FLAG",
        ',NAME="x" ',
        ',NAME="x, y"',
        ",SCORE=2",
        ",AVERAGE-BANDWIDTH=800000",
        ',STABLE-VARIANT-ID="2"',
        ",HDCP-LEVEL=TYPE-0",
        ",FRAME-RATE=50",
    )
}
FOUND = """async ([bodies, steering]) => {
  class Loader {  // asking for each over HTTP would take ten times as long
    constructor() {
      const times = () => ({start: 0, first: 0, end: 0});
      this.stats = {loading: times(), parsing: times(), buffering: times()};
    }
    load(context, config, callbacks) {
      const json = context.responseType === "json";
      const answer = {url: context.url, data: json ? steering : bodies[context.url]};
      setTimeout(() => callbacks.onSuccess(answer, this.stats, context, null));
    }
    abort() {}
    destroy() {}
  }
  const read = url => new Promise(resolve => {
    const hls = new Hls({autoStartLoad: false, loader: Loader});
    const done = found => { hls.destroy(); resolve(found); };
    hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) done(data.details); });
    hls.on(Hls.Events.MANIFEST_PARSED, (_, data) => done({
      firstLevel: data.firstLevel,
      pathways: hls.pathways.length,
      levels: data.levels.map(level => [level.bitrate, level.width, level.height, level.codecSet,
        level.frameRate, level.videoRange, level.audioGroups, level.subtitleGroups, level.uri]),
      tracks: [...data.audioTracks, ...data.subtitleTracks].map(
        track => [track.groupId, track.name, track.url]),
    }));
    hls.loadSource(url);
  });
  const found = {};
  for (const url in bodies) found[url] = await read(url);
  return found;
}"""


def sources() -> dict[str, MultivariantPlaylist]:
    """Playlists by name: awkward ones, the conformance set, and the corpus when it is here."""
    texts = {name: text.encode() for name, text in AWKWARD.items()}
    paths = [*SYNTHETIC.rglob("source.m3u8"), *(CORPUS.rglob("*.m3u8") if CORPUS.exists() else ())]
    texts |= {f"{path.parent.name}/{path.name}": path.read_bytes() for path in paths}
    found = {}
    for name, data in texts.items():
        try:
            found[name] = parse(data, name)
        except ManifestError:
            continue
    return found


def written(playlist: MultivariantPlaylist) -> tuple[bytes, ...] | None:
    """The playlist without steering, with it, and with a copy of its ladder on another port; None
    when it is not steered."""
    edit, rewrite = keep_everything(playlist), rebaser("film/m.m3u8", EDGE)
    if refusal(playlist, edit, EDGE, rewrite) is not None:
        return None
    query = dict.fromkeys(playlist.query_uses, "1")
    copy = PathwayCopy("e2", rebaser("film/m.m3u8", EDGE.replace("/v/", ":8443/v/")))
    return (
        write(playlist, edit, rewrite, query),
        write(playlist, edit, rewrite, query, None, TAGS),
        write(playlist, edit, rewrite, query, None, TAGS, [copy]),
    )


async def test_steering_hides_nothing(browser: Browser, hls_js: Path) -> None:
    """The same levels, tracks, start and backups, for every playlist that is steered. hls.js makes
    a pathway of the backups, if the source has none."""
    pairs = {name: pair for name, source in sources().items() if (pair := written(source))}
    assert len(pairs) > 40
    bodies = {
        f"{HOST}{number}-{word}.m3u8": body
        for number, pair in enumerate(pairs.values())
        for word, body in zip(("plain", "steered", "copied"), pair, strict=True)
    }

    steering = json.loads(write_steering_manifest(300, "/steering", ["e1"]))
    page = await browser.new_page()
    try:
        await page.add_script_tag(path=hls_js)
        found = await page.evaluate(
            FOUND, [{url: body.decode("utf-8-sig") for url, body in bodies.items()}, steering]
        )
    finally:
        await page.close()
    different = {
        name: json.dumps(steered)
        for number, name in enumerate(pairs)
        if (steered := found[f"{HOST}{number}-steered.m3u8"]) != found[f"{HOST}{number}-plain.m3u8"]
    }
    assert {} == different
    refused = {each for each in found.values() if isinstance(each, str)}
    assert {"manifestIncompatibleCodecsError"} == refused, "of Chromium"
    for number, name in enumerate(pairs):
        plain = found[f"{HOST}{number}-plain.m3u8"]
        copied = found[f"{HOST}{number}-copied.m3u8"]
        if isinstance(plain, str):  # hls.js refuses it
            assert plain == copied, name
            continue
        assert 2 == copied["pathways"], name
        assert [plain[key] for key in ("firstLevel", "levels")] == [
            copied[key] for key in ("firstLevel", "levels")
        ], name
        of_first = [one for one in copied["tracks"] if not one[0].endswith("-e2")]
        assert plain["tracks"] == of_first, name
        assert len(plain["tracks"]) <= len(copied["tracks"]) <= 2 * len(plain["tracks"])
