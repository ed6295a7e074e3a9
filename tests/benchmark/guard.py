"""Has it become slower? Ratios of this run against the committed ones.

    python -m tests.benchmark.guard build/bench.json            fail on a ratio 15 % worse
    python -m tests.benchmark.guard build/bench.json --accept   make them the baseline

Exit code 1 when one is worse, or when nothing could be compared.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmark.bench_ratios import TOLERANCE, Ratio, as_json, from_json

BASELINE = Path(__file__).with_name("baseline.json")


def compare(before: Mapping[str, Ratio], now: Mapping[str, Ratio]) -> tuple[list[str], bool]:
    """A line for each ratio, and whether none of them is worse by more than ``TOLERANCE``."""
    lines, good = [], bool(before.keys() & now.keys())
    for name, was in before.items():
        ratio = now.get(name)
        if ratio is None:
            lines.append(f"{name:42} {was.value:8.3f} → not measured")
            continue
        worse = ratio.worse_than(was)
        good = good and worse <= TOLERANCE
        word = f"{abs(worse):.0%} {'worse' if worse > 0 else 'better'}"
        mark = "  <- too slow" if worse > TOLERANCE else ""
        lines.append(f"{name:42} {was.value:8.3f} → {ratio.value:8.3f}  {word}{mark}")
    lines += [f"{name:42} new: {now[name].value:.3f}" for name in now.keys() - before.keys()]
    return lines, good


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
    print("as fast as the baseline" if good else f"more than {TOLERANCE:.0%} slower")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
