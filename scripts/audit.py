"""Look up known vulnerabilities of what is installed at run time, with pip-audit.

    python -m scripts.audit

The pinned requirements are audited as they are, by their hashes; nothing is resolved or installed.
Exit code 0 when none is known, 1 when one is. A package that no vulnerability service could be
asked about counts as not audited, which pip-audit itself passes over: this is said, and the exit
code is 0, or 1 with ``CI=true``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).parents[1] / "requirements" / "runtime.txt"
TIMEOUT_S = 180


def ask() -> tuple[dict[str, Any], str]:
    """pip-audit's report, and what it said besides; an empty report where it made none."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip"]
    command += ["--requirement", str(REQUIREMENTS), "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(  # noqa: S603
            [*command, "--format", "json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return {}, f"no answer within {TIMEOUT_S} s"
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return {}, (done.stderr or done.stdout).strip()
    return report if isinstance(report, dict) else {}, done.stderr.strip()


def verdict(report: dict[str, Any], said: str, *, in_ci: bool) -> tuple[int, list[str]]:
    """The exit code, and the lines to print."""
    packages = report.get("dependencies", [])
    skipped = [each for each in packages if "skip_reason" in each]
    found = [
        f"{each['name']} {each['version']}: {one['id']}, mended in {', '.join(one['fix_versions'])}"
        for each in packages
        for one in each.get("vulns", ())
    ]
    if found:
        return 1, found
    if packages and not skipped:
        return 0, [f"No known vulnerabilities in {len(packages)} packages."]
    reason = (
        skipped[0]["skip_reason"] if skipped else said.splitlines()[-1] if said else "no report"
    )
    number = f"{len(skipped)} of {len(packages)} packages" if packages else "every package"
    lines = [
        f"NOT AUDITED: {number}. No vulnerability service could be asked about them.",
        f"  {reason[:300]}",
        "  Run `make audit` where one can be reached, before each release.",
    ]
    return int(in_ci), lines


def main() -> int:
    """The command."""
    code, lines = verdict(*ask(), in_ci=os.environ.get("CI") == "true")
    print("\n".join(lines), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
