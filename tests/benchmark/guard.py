"""Has it become slower? Ratios of this run against the committed ones, and against their bounds.

    python -m tests.benchmark.guard build/bench.json            fail on one 15 % worse, or too high
    python -m tests.benchmark.guard build/bench.json --accept   make them the baseline

Exit code 1 when one is worse or exceeds its bound, or when nothing could be compared.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmark.bench_ratios import TOLERANCE, Ratio, as_json, from_json

BASELINE = Path(__file__).with_name("baseline.json")


def compare(before: Mapping[str, Ratio], now: Mapping[str, Ratio]) -> tuple[list[str], bool]:
    """A line for each ratio, and whether all are good: none is worse than before by more than
    ``TOLERANCE``, and none exceeds its bound."""
    lines, good = [], bool(before.keys() & now.keys())
    for name, was in before.items():
        ratio = now.get(name)
        if ratio is None:
            lines.append(f"{name:36} {was.value:8.3f} → not measured")
            continue
        worse = ratio.worse_than(was)
        word = f"{abs(worse):.0%} {'worse' if worse > 0 else 'better'}"
        mark = _above_bound(ratio) or ("  <- too slow" if worse > TOLERANCE else "")
        good = good and not mark
        lines.append(f"{name:36} {was.value:8.3f} → {ratio.value:8.3f}  {word}{mark}")
    for name in sorted(now.keys() - before.keys()):
        good = good and not now[name].broken
        lines.append(f"{name:36} new: {now[name].value:.3f}{_above_bound(now[name])}")
    return lines, good


def _above_bound(ratio: Ratio) -> str:
    return f"  <- above its bound of {ratio.bound:g}" if ratio.broken else ""


def main() -> int:
    """Compare, or accept."""
    parser = argparse.ArgumentParser(description="Has it become slower?")
    parser.add_argument("measured", type=Path, help="what `make bench` has written")
    parser.add_argument("--accept", action="store_true", help="make it the baseline")
    options = parser.parse_args()
    now = from_json(options.measured.read_text())
    if options.accept:
        BASELINE.write_text(json.dumps({"ratios": as_json(now)}, indent=2) + "\n")
        return 0
    lines, good = compare(from_json(BASELINE.read_text()), now)
    print("\n".join(lines))
    print("as fast as the baseline" if good else "slower than it may be, or nothing to compare")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
