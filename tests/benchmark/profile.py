"""Where does the gateway's time go? py-spy looks at it while the generator asks.

    python -m tests.benchmark.profile real|new|cold [--seconds 15] [--rate 500] [--top 40]

Prints three lists, in µs of a request's CPU and as shares of it: modules with what they call
outside of the project, functions by what they use themselves, and functions with everything below
them. The CPU for each request is measured just before, without py-spy, which slows the process.
``--raw PATH`` keeps the stacks in the format that flame graphs are made from. py-spy is not
installed with the rest: ``pip install py-spy``. It needs the right to look into another process
(root, or a ptrace scope of 0).
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.benchmark import contestants
from tests.benchmark.audience import MIXES, Audience
from tests.benchmark.bench import CONNECTIONS, RATES, measure, warm_up
from tests.benchmark.bench_generator import Volley, fire
from tests.benchmark.city import city_database
from tests.benchmark.contestants import Ground, Server

_LOOP = "Runner.run (asyncio/runners.py"
_PROJECT = ("gateway/", "manifests/", "geodata/", "uvicorn/")
NATIVE = "uvloop, httptools' parser and the kernel"
"""What the loop does while it runs no Python."""
MEASURED_S = 4


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of all samples: by module, by function alone, and by function with what is below."""

    samples: int
    modules: dict[str, float]
    own: dict[str, float]
    whole: dict[str, float]


def shares(lines: Iterable[str]) -> Shares:
    """From collapsed stacks: ``outermost;…;innermost COUNT``.

    Of the event loop's thread alone. py-spy leaves out a thread that waits, so a sample of the loop
    with no Python below it is one of :data:`NATIVE`. A sample belongs to the module of its
    innermost frame that is the project's or uvicorn's.
    """
    modules: Counter[str] = Counter()
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        _, found, inner = stack.partition(_LOOP)
        if not found:
            continue
        frames = inner.split(";")[1:] or [NATIVE]
        modules[_module(frames)] += int(count)
        own[frames[-1]] += int(count)
        for frame in set(frames):
            whole[frame] += int(count)
    total = own.total()
    return Shares(
        total,
        *(
            {name: count / total for name, count in each.most_common()}
            for each in (modules, own, whole)
        ),
    )


def _module(frames: Sequence[str]) -> str:
    """The file of the innermost frame of the project; of the innermost, where there is none."""
    files = [frame.partition(" (")[2].rstrip(")").partition(":")[0] or frame for frame in frames]
    ours = (file for file in reversed(files) if file.startswith(_PROJECT))
    return next(ours, files[-1])


def recorded(command: list[str], server: Server, requests: list[bytes], seconds: float) -> Volley:
    """Run py-spy's ``command`` beside the asking; how fast the server was meanwhile.

    Raises ``subprocess.CalledProcessError`` with what py-spy says when it may not look.
    """
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as spy:
        volley = uvloop.run(
            fire(server.port, requests, seconds=seconds + 1, connections=CONNECTIONS)
        )
        _, said = spy.communicate()
    if spy.returncode:
        raise subprocess.CalledProcessError(spy.returncode, command, stderr=said)
    return volley


def listed(title: str, found: dict[str, float], cpu_us: float, top: int) -> str:
    """The first ``top`` for people."""
    rows = [
        f"{share * cpu_us:6.1f} µs {share:6.1%}  {name}"
        for name, share in list(found.items())[:top]
    ]
    return "\n".join([title, *rows, ""])


def main() -> int:
    """Start a gateway, warm it up, look, print."""
    parser = argparse.ArgumentParser(description="Where does the gateway's time go?")
    parser.add_argument("mix", choices=MIXES)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--rate", type=int, default=500, help="samples a second")
    parser.add_argument("--top", type=int, default=40, help="rows of each list")
    parser.add_argument("--raw", type=Path, help="where to keep the stacks")
    options = parser.parse_args()
    spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH')}")
    if spy is None:
        print("py-spy is not here: pip install py-spy", file=sys.stderr)
        return 1
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ground = Ground(folder, city_database())
        server = stack.enter_context(contestants.gateway(ground.config_file()))
        contestants.pin_all([server])
        audience = Audience()
        uvloop.run(warm_up([server], audience, "new" if options.mix == "cold" else options.mix))
        requests = audience.of(options.mix, RATES[options.mix] * MEASURED_S)
        unwatched = uvloop.run(measure(server, requests, MEASURED_S))
        requests = audience.of(options.mix, RATES[options.mix] * (options.seconds + 1))
        raw = folder / "stacks"
        command = [spy, "record", "--pid", str(server.process.pid), "--format", "raw"]
        command += ["--function", "--rate", str(options.rate), "--output", str(raw)]
        command += ["--duration", str(options.seconds)]
        try:
            volley = recorded(command, server, requests, options.seconds)
        except subprocess.CalledProcessError as error:
            print(f"py-spy could not look: {error.stderr}", file=sys.stderr)
            return 1
        lines = raw.read_text().splitlines()
    if options.raw is not None:
        options.raw.write_text("\n".join(lines) + "\n")
    found = shares(lines)
    rate = volley.requests / volley.seconds
    print(
        f"{options.mix}: {unwatched.cpu_us:.0f} µs of CPU a request;"
        f" {found.samples} samples, {rate:.0f} requests/s while looked at\n"
    )
    for title, part in (
        ("by module, with what it calls outside of the project", found.modules),
        ("by function, by itself", found.own),
        ("by function, with what is below", found.whole),
    ):
        print(listed(title, part, unwatched.cpu_us, options.top))
    return 0


if __name__ == "__main__":
    sys.exit(main())
