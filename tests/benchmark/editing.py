"""What does it cost to edit a playlist? Each step from its bytes to the player's.

    python -m tests.benchmark.editing [--json PATH]

In this process, lowest and median of many repetitions, in µs of CPU time. Two sources: a
multivariant playlist of 30 variants and 60 renditions, and the playlists that others wrote
(:data:`CORPUS`, where it is there), all of them in one pass. They are parsed, fitted to a client
and written for an edge (``whole``). Beside it, as what a ratio is taken to: cutting the same bytes
into lines and joining them, and ``m3u8.loads``, which only reads.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import m3u8
from m3u8.parser import ParseError

from gateway.client.facts import Device, DeviceKind, Facts, Throughput
from gateway.config.load import load
from gateway.decision import Memo, choice_of, inquire
from gateway.edge.fleet import Fleet
from gateway.ladder.fit import NothingToPlayError, fit
from gateway.ladder.rung import Constraints, Ladder
from gateway.play.hls.edit import edit_of
from gateway.play.hls.ladder import ladder_of
from geodata.place import UNKNOWN
from manifests.hls.multivariant import ManifestError, parse, write
from manifests.rebase import rebaser
from tests.benchmark.bench_ratios import Ratio, as_json, ratio_table

ROUNDS = 40
ROUND_S = 0.01
VARIANTS, RENDITIONS = 30, 60
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "hls"
"""Playlists of other projects' tests; no part of this project."""
PATH, EDGE = "film/master.m3u8", "https://eu-west-1.cdn.example.com/"


@dataclass(frozen=True, slots=True)
class Cost:
    """One step in µs, of each round; rounds of equal position ran a moment apart."""

    rounds: Sequence[float]

    @property
    def least(self) -> float:
        """Of the quickest round."""
        return min(self.rounds)

    @property
    def median(self) -> float:
        """Of the middle one."""
        return statistics.median(self.rounds)

    def to(self, reference: "Cost") -> float:
        """The median over rounds of this to ``reference``."""
        pairs = zip(self.rounds, reference.rounds, strict=True)
        return statistics.median(own / other for own, other in pairs)


def playlist(variants: int = VARIANTS, renditions: int = RENDITIONS) -> bytes:
    """A large multivariant playlist: three codecs, six heights, six audio groups, subtitles."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for at in range(renditions):
        audio = at < renditions * 2 // 3
        kind, group = ("AUDIO", f"aac{at % 6}") if audio else ("SUBTITLES", "subs")
        default = "YES" if audio and at < 6 else "NO"
        lines.append(
            f'#EXT-X-MEDIA:TYPE={kind},GROUP-ID="{group}",NAME="Language {at}",LANGUAGE="l{at}",'
            f'DEFAULT={default},AUTOSELECT=YES,CHANNELS="2",'
            f'URI="{kind.lower()}/{group}/{at}/prog_index.m3u8"'
        )
    codecs = ("avc1.640028", "hvc1.2.4.L123.B0", "avc1.64001f")
    for at in range(variants):
        height = (240, 360, 480, 720, 1080, 2160)[at % 6]
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={200_000 + at * 170_000},"
            f"AVERAGE-BANDWIDTH={150_000 + at * 150_000},"
            f'CODECS="{codecs[at * 3 // variants]},mp4a.40.2",'
            f"RESOLUTION={height * 16 // 9}x{height},FRAME-RATE=30.000,VIDEO-RANGE=SDR,"
            f'AUDIO="aac{at % 6}",SUBTITLES="subs",CLOSED-CAPTIONS=NONE'
        )
        lines.append(f"video/{at}/prog_index.m3u8")
    return ("\n".join(lines) + "\n").encode()


class Editor:
    """What a request does with a source, for one client and one edge."""

    def __init__(self) -> None:
        """The shipped policy, and a desktop browser at 6 Mbit/s."""
        device = Device(DeviceKind.DESKTOP, os="Windows")
        self._policy = load(None, {}).policy
        self._fleet = Fleet.of(self._policy.edges)
        self._facts = Facts("film", device, UNKNOWN, Throughput(6000, "query"))
        self.move = rebaser(PATH, EDGE, ())

    def limits(self, ladder: Ladder) -> Constraints:
        """What the client may play of ``ladder``."""
        return choice_of(inquire(self._policy, self._fleet, self._facts, ladder, Memo())).limits

    def whole(self, data: bytes) -> bytes:
        """All steps together, from bytes to bytes.

        Raises ``ManifestError`` and ``NothingToPlayError``."""
        found = parse(data, PATH)
        offered = ladder_of(found, "v")
        limits = self.limits(offered)
        edited = edit_of(found, fit(offered.rungs, limits, None).kept, limits)
        return write(found, edited, self.move, {})


def steps() -> dict[str, Callable[[], object]]:
    """What is timed, by name: first the large playlist, then the corpus."""
    data = playlist()
    editor = Editor()
    parsed = parse(data, PATH)
    ladder = ladder_of(parsed, "v")
    limits = editor.limits(ladder)
    kept = fit(ladder.rungs, limits, None).kept
    edit = edit_of(parsed, kept, limits)
    found: dict[str, Callable[[], object]] = {
        "parse": lambda: parse(data, PATH),
        "ladder": lambda: ladder_of(parsed, "v"),
        "limits": lambda: editor.limits(ladder),
        "fit": lambda: fit(ladder.rungs, limits, None),
        "edit": lambda: edit_of(parsed, kept, limits),
        "write": lambda: write(parsed, edit, editor.move, {}),
        "whole": lambda: editor.whole(data),
        "split and join": lambda: b"\n".join(data.split(b"\n")),
        "m3u8.loads": lambda: m3u8.loads(data.decode()),
    }
    if sources := corpus(editor):
        texts = [source.decode() for source in sources]
        found |= {
            "corpus: parse": lambda: [parse(source, PATH) for source in sources],
            "corpus: whole": lambda: [editor.whole(source) for source in sources],
            "corpus: m3u8.loads": lambda: [m3u8.loads(text) for text in texts],
        }
    else:
        print(f"NOT MEASURED: the corpus of playlists is not at {CORPUS}", file=sys.stderr)
    return found


def corpus(editor: Editor) -> list[bytes]:
    """The corpus's multivariant playlists that both the gateway serves and ``m3u8`` reads."""
    found = []
    for file in sorted(CORPUS.rglob("*.m3u8")):
        data = file.read_bytes()
        try:
            editor.whole(data)
            m3u8.loads(data.decode())
        except (ManifestError, NothingToPlayError, ValueError, LookupError, ParseError):
            continue
        found.append(data)
    return found


def timed(work: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, Cost]:
    """What each step takes. They take turns, so that all bear the same noise."""
    often = {}
    for name, step in work.items():
        start = time.process_time()
        step()
        often[name] = max(1, int(ROUND_S / max(1e-7, time.process_time() - start)))
    found: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, step in work.items():
            repeats = often[name]
            start = time.process_time()
            for _ in range(repeats):
                step()
            found[name].append(1e6 * (time.process_time() - start) / repeats)
    return {name: Cost(each) for name, each in found.items()}


RATIOS: Mapping[str, tuple[str, str, float | None]] = {
    "editing: parse to m3u8.loads": ("parse", "m3u8.loads", None),
    "editing: whole to m3u8.loads": ("whole", "m3u8.loads", None),
    "corpus: parse to m3u8.loads": ("corpus: parse", "corpus: m3u8.loads", 1.0),
    "corpus: whole to m3u8.loads": ("corpus: whole", "corpus: m3u8.loads", None),
}
"""By name: a step, its reference, and the bound. Reading what others wrote must not be slower than
``m3u8`` reads it, though the gateway checks it and keeps its bytes."""


def ratios(costs: dict[str, Cost] | None = None) -> dict[str, Ratio]:
    """What the guard watches: to the references of the same run. Without those of the corpus where
    it is not there."""
    found = timed(steps()) if costs is None else costs
    return {
        name: Ratio(found[step].to(found[reference]), bound=bound)
        for name, (step, reference, bound) in RATIOS.items()
        if step in found
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What does it cost to edit a playlist?")
    parser.add_argument("--json", type=Path, help="where to write the ratios")
    options = parser.parse_args()
    costs = timed(steps())
    print(f"{VARIANTS} variants, {RENDITIONS} renditions, {len(playlist()):,} bytes")
    if sources := corpus(Editor()):
        print(f"corpus: {len(sources)} playlists, {sum(map(len, sources)):,} bytes")
    print(f"{'':18} {'least µs':>10} {'median µs':>10}")
    for name, cost in costs.items():
        print(f"{name:18} {cost.least:10.2f} {cost.median:10.2f}")
    found = ratios(costs)
    print(ratio_table(found))
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"ratios": as_json(found)}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
