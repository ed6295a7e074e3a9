"""How long until the gateway answers? From its start as a process to the first playlist.

    python -m tests.benchmark.startup [--runs 7]

Beside it, started the same way: the benchmark's bare uvicorn application, which imports uvicorn,
Starlette and nothing of the gateway but its socket; and an interpreter that does nothing. They take
turns; medians. The gateway runs with no config (embedded store, embedded database). All modules are
compiled, as they are once installed: a first start, which may have to, does not count.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.ports import free_port

GOAL_S = 1.0
PATIENCE_S = 30.0
_ASK = b"GET /v1/play/film/001.m3u8 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
WHAT_SERVE_IMPORTS = "import gateway.cli, gateway.serving.server, gateway.app"
_SURROUNDINGS = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
BARE = """
import uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"#EXTM3U"})
uvicorn.run(app, port=PORT, loop="uvloop", http="httptools", lifespan="off", log_config=None)
"""


def first_answer_s(command: list[str], port: int, environ: Mapping[str, str]) -> float:
    """Seconds from the start of ``command`` to the first 200 on ``port``."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, env={**_SURROUNDINGS, **environ}, stderr=subprocess.DEVNULL
    ) as it:
        try:
            while not _answered(port):
                took = time.perf_counter() - started
                if it.poll() is not None or took > PATIENCE_S:
                    raise AssertionError(f"{command} did not answer")
                time.sleep(0.002)
            return time.perf_counter() - started
        finally:
            it.terminate()


def _answered(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(PATIENCE_S)
        try:
            client.connect(("127.0.0.1", port))
        except ConnectionRefusedError:
            return False
        client.sendall(_ASK)
        return client.recv(64).startswith(b"HTTP/1.1 200")


def gateway_s() -> float:
    """``gateway serve``."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("gateway")), "serve"]
    return first_answer_s(
        command, port, {"GATEWAY_SERVER__PORT": str(port), "GATEWAY_ADMIN__PORT": "0"}
    )


def bare_s() -> float:
    """A uvicorn application."""
    port = free_port()
    return first_answer_s([sys.executable, "-c", BARE.replace("PORT", str(port))], port, {})


def nothing_s() -> float:
    """An interpreter that starts and ends."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - started


def slowest_imports(top: int) -> list[tuple[float, str]]:
    """Modules by the time that importing each takes by itself, in ms."""
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-X", "importtime", "-c", WHAT_SERVE_IMPORTS]
        subprocess.run(command, env=_SURROUNDINGS, check=True, stderr=log)
        log.seek(0)
        rows = [line.removeprefix("import time:").split("|") for line in log if "|" in line]
    found = [(int(own) / 1000, name.strip()) for own, _, name in rows if own.strip().isdigit()]
    return sorted(found, reverse=True)[:top]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How long until the gateway answers?")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--imports", type=int, default=0, help="show so many slow imports")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    kinds = {"gateway serve": gateway_s, "bare uvicorn": bare_s, "python -c pass": nothing_s}
    found: dict[str, list[float]] = {name: [] for name in kinds}
    gateway_s()
    for _ in range(options.runs):
        for name, once in kinds.items():
            found[name].append(once())
    for name, seconds in found.items():
        middle = statistics.median(seconds)
        print(f"{name:16} {middle:6.2f} s  ({min(seconds):.2f} to {max(seconds):.2f})")
    pairs = zip(found["gateway serve"], found["bare uvicorn"], strict=True)
    ratio = statistics.median(own / bare for own, bare in pairs)
    print(f"gateway to bare: {ratio:.2f}; goal: the gateway within {GOAL_S} s")
    for own_ms, name in slowest_imports(options.imports) if options.imports else ():
        print(f"{own_ms:8.1f} ms  {name}")
    if options.json is not None:
        options.json.write_text(json.dumps({"seconds": found, "ratio": ratio}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
