"""Run the drills.

    python -m tests.drills                all of them: a table, and docs/failure-drills.md
    python -m tests.drills redis-killed   one of them, with its course as it happens

Exit code 0 when all are green, 1 when one is red, 2 for usage.
"""

import sys
import tempfile
from pathlib import Path

from tests.drills import report
from tests.drills.drill import Drill
from tests.drills.run import run
from tests.drills.stages import Stages
from tests.drills.table import DRILLS, drill_named

PAGE = Path(__file__).parents[2] / "docs" / "failure-drills.md"


def main(arguments: list[str]) -> int:
    """Run what is asked for."""
    if not arguments:
        return _all()
    drill = drill_named(arguments[0])
    if drill is None or len(arguments) > 1:
        names = "\n  ".join(each.name for each in DRILLS)
        print(f"usage: make drills [DRILL=NAME], with NAME one of\n  {names}", file=sys.stderr)
        return 2
    return _one(drill)


def _all() -> int:
    rows = []
    print(report.HEAD)
    with tempfile.TemporaryDirectory(prefix="drills-") as folder:
        stages = Stages(Path(folder))
        try:
            for drill in DRILLS:
                shown = run(drill, stages)
                rows.append((drill, shown))
                print(report.row(drill, shown), flush=True)
        finally:
            stages.clear()
    for drill, shown in rows:
        for line in report.complaints(shown):
            print(f"{drill.name}: {line}")
    PAGE.write_text(report.page(rows), "utf-8")
    red = sum(not shown.green for _, shown in rows)
    print(f"{len(rows) - red} of {len(rows)} drills are green; written to docs/{PAGE.name}")
    return 1 if red else 0


def _one(drill: Drill) -> int:
    timeline = report.Timeline(drill)
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        stages = Stages(Path(folder))
        try:
            print(timeline.title(), flush=True)
            shown = run(drill, stages, timeline.happened)
        finally:
            stages.clear()
    print("\n".join(timeline.summary(shown)))
    return 0 if shown.green else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
