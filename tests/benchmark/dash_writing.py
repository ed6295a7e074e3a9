"""What does it cost to write the MPD of a decision, compared with the playlist of the same ladder?

    python -m tests.benchmark.dash_writing [--json PATH]

In this process, lowest and median of many repetitions, in µs of CPU time. The MPD has three Periods
of 40 Representations: 30 of video in three codecs, eight languages, two subtitles; the playlist has
these once. Both are parsed beforehand, as the gateway keeps them; both are fitted to the same
client. Three edges: the MPD declares each, and has a Location and a steering server.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.ladder.fit import fit
from gateway.play.dash.edit import gone_of
from gateway.play.dash.ladder import ladder_of as dash_ladder_of
from gateway.play.hls.edit import edit_of
from gateway.play.hls.ladder import ladder_of
from manifests.dash.filtering import filter_splices
from manifests.dash.links import links_of
from manifests.dash.reading import parse as parse_mpd
from manifests.dash.uris import Destination, Mirror, uri_splices
from manifests.dash.writing import write as write_mpd
from manifests.hls.multivariant import parse, write
from manifests.rebase import rebaser
from tests.benchmark.bench_ratios import Ratio, as_json, ratio_table
from tests.benchmark.editing import EDGE, PATH, Cost, Editor, playlist, timed

PERIODS, LANGUAGES, SUBTITLES = 3, 8, 2
CODECS = {"avc": "avc1.640028", "hevc": "hvc1.2.4.L123.B0", "av1": "av01.0.08M.08"}
HEIGHTS = (240, 360, 480, 540, 720, 900, 1080, 1440, 2160, 2160)
REPRESENTATIONS = len(CODECS) * len(HEIGHTS) + LANGUAGES + SUBTITLES

GATEWAY = "https://play.example.com/v1"
ONE = Destination(PATH, (Mirror(EDGE, "e1"),), ("https://origin.example/vod/",))
THREE = Destination(
    PATH,
    tuple([Mirror(f"https://e{number}.cdn.example.com/", f"e{number}") for number in (1, 2, 3)]),
    ("https://origin.example/vod/",),
    f"{GATEWAY}/play/film.mpd?state=2026-11.{'x' * 80}",
    f"{GATEWAY}/steering/film?state=2026-11.{'x' * 200}",
)


def mpd() -> bytes:
    """The MPD."""
    periods = "".join(_period(number) for number in range(PERIODS))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        'profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static" minBufferTime="PT2S" '
        f'mediaPresentationDuration="PT{600 * PERIODS}S">\n{periods}</MPD>\n'
    ).encode()


def _period(number: int) -> str:
    sets = [_video(name, codec) for name, codec in CODECS.items()]
    sets += [_audio(at) for at in range(LANGUAGES)]
    sets += [_text(at) for at in range(SUBTITLES)]
    return f'  <Period id="{number}" duration="PT600S">\n{"".join(sets)}  </Period>\n'


def _audio(at: int) -> str:
    return (
        f'    <AdaptationSet id="1{at}" contentType="audio" lang="l{at}" mimeType="audio/mp4">\n'
        f'      <SegmentTemplate timescale="48000" duration="96000" media="a{at}/$Number$.m4s" '
        f'initialization="a{at}/i.mp4"/>\n      <Representation id="a{at}" bandwidth="128000" '
        'codecs="mp4a.40.2" audioSamplingRate="48000"/>\n    </AdaptationSet>\n'
    )


def _text(at: int) -> str:
    return (
        f'    <AdaptationSet id="2{at}" contentType="text" lang="l{at}" mimeType="text/vtt">'
        f'<Representation id="t{at}" bandwidth="256"><BaseURL>t{at}.vtt</BaseURL>'
        "</Representation></AdaptationSet>\n"
    )


def _video(name: str, codec: str) -> str:
    representations = "".join(
        f'      <Representation id="{name}-{at}" bandwidth="{200_000 + at * 170_000}" '
        f'width="{height * 16 // 9}" height="{height}" codecs="{codec}"/>\n'
        for at, height in enumerate(HEIGHTS)
    )
    return (
        f'    <AdaptationSet id="{list(CODECS).index(name)}" contentType="video" '
        'mimeType="video/mp4" maxWidth="3840" maxHeight="2160">\n'
        '      <SegmentTemplate timescale="90000" media="$RepresentationID$/$Time$.m4s" '
        'initialization="$RepresentationID$/i.mp4"><SegmentTimeline><S t="0" d="180000" r="299"/>'
        f"</SegmentTimeline></SegmentTemplate>\n{representations}    </AdaptationSet>\n"
    )


def steps() -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    editor, data = Editor(), mpd()
    found = parse_mpd(data)
    links = links_of(found.document)
    ladder = dash_ladder_of(found)
    limits = editor.limits(ladder)
    kept = fit(ladder.rungs, limits, None).kept
    gone = gone_of(found, kept, limits)
    listed = parse(playlist(len(CODECS) * len(HEIGHTS), LANGUAGES + SUBTITLES), PATH)
    hls_ladder = ladder_of(listed, "v")
    hls_limits = editor.limits(hls_ladder)
    hls_kept = fit(hls_ladder.rungs, hls_limits, None).kept

    def hls() -> bytes:
        edit = edit_of(listed, hls_kept, hls_limits)
        return write(listed, edit, rebaser(PATH, EDGE, ("https://origin.example/vod/",)), {})

    def dash() -> bytes:
        edits = filter_splices(found, gone_of(found, kept, limits))
        return write_mpd(links, edits, THREE)

    return {
        "MPD: what goes": lambda: gone_of(found, kept, limits),
        "MPD: filter": lambda: filter_splices(found, gone),
        "MPD: URIs": lambda: uri_splices(links, ONE),
        "MPD: URIs, three edges": lambda: uri_splices(links, THREE),
        "MPD: everything kept": lambda: write_mpd(links, [], THREE),
        "MPD": dash,
        "playlist": hls,
        "MPD: links, once a source": lambda: links_of(found.document),
    }


RATIOS: Mapping[str, tuple[str, str, float]] = {
    "MPD to playlist": ("MPD", "playlist", 1.5),
    "MPD, everything kept, to playlist": ("MPD: everything kept", "playlist", 1.5),
}
"""By name: a step, its reference, and the goal."""


def ratios(costs: dict[str, Cost]) -> dict[str, Ratio]:
    """Each to its reference, of the same run."""
    return {
        name: Ratio(costs[step].to(costs[reference]), goal=goal)
        for name, (step, reference, goal) in RATIOS.items()
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What does it cost to write an MPD?")
    parser.add_argument("--json", type=Path, help="where to write the ratios")
    options = parser.parse_args()
    costs = timed(steps())
    print(f"{PERIODS} Periods of {REPRESENTATIONS} Representations, {len(mpd()):,} bytes")
    print(f"{'':26} {'least µs':>10} {'median µs':>10}")
    for name, cost in costs.items():
        print(f"{name:26} {cost.least:10.2f} {cost.median:10.2f}")
    found = ratios(costs)
    print(ratio_table(found))
    if options.json is not None:
        options.json.write_text(json.dumps({"ratios": as_json(found)}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
