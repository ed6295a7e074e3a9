"""What does it cost to read an MPD? Compared with lxml, and with expat's events alone.

    python -m tests.benchmark.dash_reading [--json PATH]

In this process, lowest and median of many repetitions, in µs of CPU time. Three sources: the MPDs
that others wrote (:data:`CORPUS`, where it is there), all of them in one pass, and an MPD of three
Periods of 40 Representations, each with a SegmentTimeline, a short one and a long one. *read* finds
the elements, *parse* also the facts and the faults, as the gateway does once for each version of a
source. *events* is expat that calls empty functions; *lxml* is ``lxml.etree.fromstring``.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.parsers import expat

from lxml import etree

from gateway.serving.garbage_collection import excluded_from_collection
from manifests.dash.document import read
from manifests.dash.reading import parse
from manifests.fault import ManifestError
from tests.benchmark.bench_ratios import Ratio, as_json, ratio_table
from tests.benchmark.editing import Cost, timed

PERIODS, REPRESENTATIONS = 3, 40
SEGMENTS = {"short": 10, "long": 100}
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "dash"
"""MPDs of other projects' tests; no part of this project."""


def mpd(segments: int) -> bytes:
    """An MPD whose timelines have so many entries."""
    timeline = "".join(
        [f'            <S t="{at * 540000}" d="180000"/>\n' for at in range(segments)]
    )
    representations = "".join(
        [
            f'      <Representation id="v{at}" bandwidth="{100_000 * (at + 1)}" width="1920" '
            f'height="1080" codecs="avc1.640028" frameRate="25">\n'
            f"        <BaseURL>v{at}/</BaseURL>\n"
            '        <SegmentTemplate timescale="90000" media="$Time$.m4s" '
            'initialization="i.mp4">\n'
            f"          <SegmentTimeline>\n{timeline}          </SegmentTimeline>\n"
            "        </SegmentTemplate>\n      </Representation>\n"
            for at in range(REPRESENTATIONS)
        ]
    )
    periods = "".join(
        [
            f'  <Period id="{at}" duration="PT600S">\n    <AdaptationSet id="1" '
            f'contentType="video" mimeType="video/mp4">\n{representations}    </AdaptationSet>\n'
            "  </Period>\n"
            for at in range(PERIODS)
        ]
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        'profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static" minBufferTime="PT2S">\n'
        f"{periods}</MPD>\n"
    ).encode()


def readable(sources: Sequence[bytes]) -> list[bytes]:
    """Those that all contestants read."""
    found = []
    for source in sources:
        with contextlib.suppress(ManifestError, etree.XMLSyntaxError):
            parse(source)
            etree.fromstring(source)
            found.append(source)
    return found


def events(source: bytes) -> None:
    """Read events and do nothing with them."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda _name, _attributes: None
    parser.EndElementHandler = lambda _name: None
    parser.CharacterDataHandler = lambda _text: None
    parser.Parse(source, True)


STEPS: Mapping[str, Callable[[bytes], object]] = {
    "lxml": etree.fromstring,
    "events": events,  # after lxml: it gives memory back, which the next one has to ask for again
    "read": read,
    "parse": parse,
}


def sources() -> dict[str, list[bytes]]:
    """What is read, by name."""
    found = {name: [mpd(segments)] for name, segments in SEGMENTS.items()}
    corpus = readable([path.read_bytes() for path in sorted(CORPUS.glob("*.mpd"))])
    return found if not corpus else {"corpus": corpus, **found}


def steps(found: Mapping[str, Sequence[bytes]]) -> dict[str, Callable[[], object]]:
    """What is timed, by source and step."""
    return {
        f"{name}: {step}": lambda each=each, run=run: [run(source) for source in each]  # type: ignore[misc]
        for name, each in found.items()
        for step, run in STEPS.items()
    }


def ratios(found: Mapping[str, object], costs: Mapping[str, Cost]) -> dict[str, Ratio]:
    """Each source's steps to lxml and to events, of the same run."""
    return {
        f"{name}: {step} to {reference}": Ratio(
            costs[f"{name}: {step}"].to(costs[f"{name}: {reference}"]),
            goal=4.0 if reference == "lxml" else None,
        )
        for name in found
        for step, reference in (
            ("read", "lxml"),
            ("parse", "lxml"),
            ("parse", "events"),
            ("events", "lxml"),
        )
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What does it cost to read an MPD?")
    parser.add_argument("--json", type=Path, help="where to write the ratios")
    options = parser.parse_args()
    with excluded_from_collection():  # as in a worker
        found = sources()
    costs = timed(steps(found))
    for name, each in found.items():
        print(f"{name}: {len(each)} MPDs, {sum(map(len, each)):,} bytes")
    print(f"{'':26} {'least µs':>10} {'median µs':>10}")
    for name, cost in costs.items():
        print(f"{name:26} {cost.least:10.0f} {cost.median:10.0f}")
    measured = ratios(found, costs)
    print(ratio_table(measured))
    if options.json is not None:
        options.json.write_text(json.dumps({"ratios": as_json(measured)}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
