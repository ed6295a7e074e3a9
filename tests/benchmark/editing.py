"""What does it cost to edit a large playlist? Each step from its bytes to the player's.

    python -m tests.benchmark.editing [--json PATH]

In this process, lowest and median of many repetitions, in µs of CPU time: a multivariant playlist
of 30 variants and 60 renditions is parsed, fitted to a client, and written for an edge; then its
finished bytes are taken from the cache. Beside it, as what a ratio is taken to: cutting the same
bytes into lines and joining them, and ``m3u8.loads``.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import m3u8

from gateway.client.facts import Device, DeviceKind, Facts, Throughput
from gateway.config.load import load
from gateway.decision import choice_of, inquire
from gateway.edge.fleet import Fleet
from gateway.ladder.fit import fit
from gateway.play.hls.edit import edit_of
from gateway.play.hls.ladder import ladder_of
from geodata.place import UNKNOWN
from manifests.hls.multivariant import parse, write
from manifests.hls.rebase import rebaser
from tests.benchmark.bench_ratios import Ratio, as_json, ratio_table

ROUNDS = 40
ROUND_S = 0.01
VARIANTS, RENDITIONS = 30, 60
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


def steps() -> dict[str, Callable[[], object]]:
    """What is timed, by name. ``whole`` is parse, fit and write together."""
    data = playlist()
    policy = load(None, {}).policy
    device = Device(DeviceKind.DESKTOP, os="Windows")
    facts = Facts("film", device, UNKNOWN, Throughput(6000, "query"))
    parsed = parse(data, PATH)
    fleet = Fleet.of(policy.edges)
    ladder = ladder_of(parsed, "v")
    limits = choice_of(inquire(policy, fleet, facts, ladder)).limits
    kept = fit(ladder.rungs, limits, None).kept
    edit = edit_of(parsed, kept, limits)
    move = rebaser(PATH, EDGE, ())

    def whole() -> bytes:
        found = parse(data, PATH)
        offered = ladder_of(found, "v")
        chosen = choice_of(inquire(policy, fleet, facts, offered)).limits
        edited = edit_of(found, fit(offered.rungs, chosen, None).kept, chosen)
        return write(found, edited, rebaser(PATH, EDGE, ()), {})

    return {
        "parse": lambda: parse(data, PATH),
        "ladder": lambda: ladder_of(parsed, "v"),
        "limits": lambda: choice_of(inquire(policy, fleet, facts, ladder)),
        "fit": lambda: fit(ladder.rungs, limits, None),
        "edit": lambda: edit_of(parsed, kept, limits),
        "write": lambda: write(parsed, edit, move, {}),
        "whole": whole,
        "split and join": lambda: b"\n".join(data.split(b"\n")),
        "m3u8.loads": lambda: m3u8.loads(data.decode()),
    }


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


RATIOS = {
    "editing: whole to m3u8.loads": ("whole", "m3u8.loads"),
}


def ratios(costs: dict[str, Cost] | None = None) -> dict[str, Ratio]:
    """What the guard watches: to the references of the same run."""
    found = timed(steps()) if costs is None else costs
    return {
        name: Ratio(found[step].to(found[reference]), "lower")
        for name, (step, reference) in RATIOS.items()
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What does it cost to edit a large playlist?")
    parser.add_argument("--json", type=Path, help="where to write the ratios")
    options = parser.parse_args()
    costs = timed(steps())
    print(f"{VARIANTS} variants, {RENDITIONS} renditions, {len(playlist()):,} bytes")
    print(f"{'':16} {'least µs':>10} {'median µs':>10}")
    for name, cost in costs.items():
        print(f"{name:16} {cost.least:10.2f} {cost.median:10.2f}")
    found = ratios(costs)
    print(ratio_table(found))
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"ratios": as_json(found)}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
