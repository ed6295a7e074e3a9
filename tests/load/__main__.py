"""Run the load test against a gateway of its own.

    python -m tests.load              60 seconds; LOAD_SECONDS=10 for fewer

Exit code 0 when every objective in ``locustfile.py`` was held, 1 when one was missed, 2 for usage.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.benchmark.bench_process import ProcessTree
from tests.integration.running import running_gateway

USERS = 100
SHORTEST_S, LONGEST_S = 5, 3600
MARGIN_S = 60
"""So much longer than the test itself may its process take, to start and to end."""


def main() -> int:
    """Start the gateway, run locust, say what the gateway used."""
    given = os.environ.get("LOAD_SECONDS", "60")
    if not given.isdecimal() or not SHORTEST_S <= int(given) <= LONGEST_S:
        print(f"LOAD_SECONDS is {given!r}; allowed: {SHORTEST_S} to {LONGEST_S}", file=sys.stderr)
        return 2
    seconds = int(given)
    with running_gateway(None) as gateway:
        tree = ProcessTree(gateway.process.pid)
        before_s = tree.cpu_s()
        command = [
            *(sys.executable, "-m", "locust", "--headless", "--only-summary"),
            *("--locustfile", str(Path(__file__).with_name("locustfile.py"))),
            *("--host", gateway.url, "--users", str(USERS), "--spawn-rate", str(USERS)),
            *("--run-time", f"{seconds}s", "--stop-timeout", "10"),
        ]
        try:
            code = subprocess.run(command, timeout=seconds + MARGIN_S, check=False).returncode
        except subprocess.TimeoutExpired:
            print("MISSED the load test did not end in time", file=sys.stderr)
            return 1
        used = (tree.cpu_s() - before_s) / seconds
        print(f"the gateway and its store used {used:.0%} of one core")
    print("load test passed" if code == 0 else f"load test FAILED (exit code {code})")
    return 0 if code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
