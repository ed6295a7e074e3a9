"""Run the attacks.

    python -m tests.attack                          all of them: a table
    python -m tests.attack NAME…                    some of them
    python -m tests.attack --requests 1000000       ten times as many requests as usual

Exit code 0 when all are green, 1 when one is red, 2 for usage. An attack that needs a program that
is not here is skipped; where CI is set, that is exit code 1.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.attack import report
from tests.attack.attack import Effort
from tests.attack.run import run
from tests.attack.stages import Stages
from tests.attack.table import ATTACKS, attacks_named

USUAL_REQUESTS = 100_000


def main(arguments: list[str]) -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.attack", description="Attack the gateway."
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--requests", type=int, default=USUAL_REQUESTS, help="fuzzed requests")
    parser.add_argument("--minutes", type=float, help="begin no further attack after so long")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run")
    given = parser.parse_args(arguments)
    attacks = attacks_named(given.names)
    if attacks is None:
        names = "\n  ".join(each.name for each in ATTACKS)
        print(f"unknown attack; there are\n  {names}", file=sys.stderr)
        return 2
    seed = given.seed if given.seed is not None else int(time.time())
    effort = Effort(given.requests, seed)
    print(f"seed {seed}")
    print(report.HEAD)
    begun, red, sent, skipped, missing = time.monotonic(), 0, 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        stages = Stages(Path(folder))
        try:
            for attack in attacks:
                if given.minutes is not None and time.monotonic() - begun > given.minutes * 60:
                    print(f"{attack.name}: not begun, {given.minutes:g} minutes are over")
                    skipped += 1
                    continue
                shown = run(attack, stages, effort)
                print(report.row(shown), flush=True)
                for line in report.complaints(shown):
                    print(f"    {line}", flush=True)
                red += bool(shown.outcome.faults)
                missing += bool(shown.outcome.skipped)
                sent += shown.outcome.sent
        finally:
            stages.clear()
    seconds = time.monotonic() - begun
    green = len(attacks) - red - skipped - missing
    print(f"{green} of {len(attacks)} attacks are green; {sent} sent in {seconds:.0f} s")
    if missing:
        print(f"NOT TESTED: {missing} attacks, whose reasons are above")
    return 1 if red or skipped or (missing and os.environ.get("CI")) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
