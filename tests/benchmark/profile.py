"""Where does the gateway's time go? py-spy looks at it while the generator asks.

    python -m tests.benchmark.profile warm|new|cold [--seconds 15] [--rate 500] [--top 40]

Prints two lists with shares of the event loop's busy time: functions by what they use themselves,
and by what they use with everything below them. ``--raw PATH`` keeps the stacks in the format that
flame graphs are made from. py-spy is not installed with the rest: ``.venv/bin/pip install py-spy``.
It needs the right to look into another process (root, or a ptrace scope of 0).
"""

import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.benchmark import contestants
from tests.benchmark.audience import WARM_REQUESTS, Audience
from tests.benchmark.bench import CONNECTIONS, RATE_GUESS, WARMING
from tests.benchmark.bench_generator import Volley, fire
from tests.benchmark.city import city_database
from tests.benchmark.contestants import Ground, Server

_LOOP = "Runner.run (asyncio/runners.py"


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of all samples by function: of itself, and with what is below it."""

    samples: int
    own: dict[str, float]
    whole: dict[str, float]


def shares(lines: Iterable[str]) -> Shares:
    """From collapsed stacks: ``outermost;…;innermost COUNT``.

    Of the event loop's thread alone, and not while it runs no Python: then it waits, or is inside
    the loop itself, which py-spy does not tell apart.
    """
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        _, found, inner = stack.partition(_LOOP)
        if not found or ";" not in inner:
            continue
        frames = inner.split(";")[1:]
        own[frames[-1]] += int(count)
        for frame in set(frames):
            whole[frame] += int(count)
    total = own.total()
    return Shares(
        total,
        {name: count / total for name, count in own.most_common()},
        {name: count / total for name, count in whole.most_common()},
    )


def recorded(
    command: list[str], server: Server, requests: list[bytes], seconds: float, *, once: bool
) -> Volley:
    """Run py-spy's ``command`` beside the asking; how fast the server was meanwhile.

    Raises ``subprocess.CalledProcessError`` with what py-spy says when it may not look.
    """
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as spy:
        volley = uvloop.run(
            fire(server.port, requests, seconds=seconds + 1, connections=CONNECTIONS, once=once)
        )
        _, said = spy.communicate()
    if spy.returncode:
        raise subprocess.CalledProcessError(spy.returncode, command, stderr=said)
    return volley


def listed(title: str, found: dict[str, float], top: int) -> str:
    """The first ``top`` for people."""
    rows = [f"{share:6.1%}  {name}" for name, share in list(found.items())[:top]]
    return "\n".join([title, *rows, ""])


def main() -> int:
    """Start a gateway, warm it up, look, print."""
    parser = argparse.ArgumentParser(description="Where does the gateway's time go?")
    parser.add_argument("mix", choices=("warm", "new", "cold"))
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--rate", type=int, default=500, help="samples a second")
    parser.add_argument("--top", type=int, default=40, help="rows of each list")
    parser.add_argument("--raw", type=Path, help="where to keep the stacks")
    options = parser.parse_args()
    spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    if spy is None:
        print("py-spy is not here: .venv/bin/pip install py-spy", file=sys.stderr)
        return 1
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ground = Ground(folder, city_database())
        server = stack.enter_context(contestants.gateway(ground.config_file()))
        contestants.pin_all([server])
        audience = Audience()
        requests = audience.new(WARM_REQUESTS)
        warming = requests * WARMING
        uvloop.run(fire(server.port, warming, seconds=None, connections=CONNECTIONS))
        made = RATE_GUESS * (options.seconds + 1)
        if options.mix != "warm":
            requests = audience.new(made) if options.mix == "new" else audience.cold(made)
        raw = folder / "stacks"
        command = [spy, "record", "--pid", str(server.process.pid), "--format", "raw"]
        command += ["--function", "--rate", str(options.rate), "--output", str(raw)]
        command += ["--duration", str(options.seconds)]
        try:
            once = options.mix != "warm"
            volley = recorded(command, server, requests, options.seconds, once=once)
        except subprocess.CalledProcessError as error:
            print(f"py-spy could not look: {error.stderr}", file=sys.stderr)
            return 1
        lines = raw.read_text().splitlines()
    if options.raw is not None:
        options.raw.write_text("\n".join(lines) + "\n")
    found = shares(lines)
    rate = volley.requests / volley.seconds
    print(f"{options.mix}: {found.samples} samples, {rate:.0f} requests/s while looked at\n")
    print(listed("by itself", found.own, options.top))
    print(listed("with what is below", found.whole, options.top))
    return 0


if __name__ == "__main__":
    sys.exit(main())
