"""The gateway's supervisor over a trivial application, which starts quickly and which a test may
break.

    PYTHONPATH=FOLDER python -m tests.integration.light_workers     two workers of FOLDER/light.py

The first line of the output is the URL; the log is on stderr.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.observe import logs
from gateway.serving.limits import ConnectionLimits
from gateway.serving.server_config import ServerConfig
from gateway.serving.supervisor import ProcessSupervisor
from tests.integration.viewers import until

LIGHT = """
import sys

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await starting()
        sys.stderr.write('{"event": "started"}\\n')
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        headers = [(b"content-length", b"7")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"#EXTM3U"})

async def starting(): ...

def make(): return app
"""


@dataclass
class LightWorkers:
    """The parent process, its URL, and the folder of the application."""

    url: str
    process: subprocess.Popen[str]
    folder: Path

    def install(self, fault: str = "") -> None:
        """Replace the application, as an upgrade in place does; ``fault`` is code to append."""
        install(self.folder, fault)

    def log(self) -> list[dict[str, Any]]:
        """The log lines so far; raises ValueError for a line that is not JSON."""
        whole = (self.folder / "log").read_text("utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        return [line for line in self.log() if line["event"] == event]

    def wait_for(self, event: str, count: int = 1) -> None:
        """Wait until an event was logged ``count`` times."""
        until(lambda: len(self.lines(event)) >= count, within_s=30)


def install(folder: Path, fault: str = "") -> None:
    """Put another version of the application in place."""
    new = folder / "light.new"
    new.write_text(LIGHT + fault, "utf-8")
    new.replace(folder / "light.py")


@contextlib.contextmanager
def light_workers(folder: Path, more: str = "") -> Iterator[LightWorkers]:
    """Two started workers; stopped at the end. ``more`` is code to append to the application."""
    install(folder, more)
    environ = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "tests.integration.light_workers"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    try:
        running = LightWorkers(process.stdout.readline().strip(), process, folder)
        running.wait_for("started", 2)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def main() -> None:
    """Run the workers until told to stop."""
    logs.configure()
    bound = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{bound.getsockname()[1]}", flush=True)
    config = ServerConfig("light:make", ConnectionLimits(), factory=True, workers=2, lifespan="on")
    ProcessSupervisor(config, [bound], lambda _: None).run()


if __name__ == "__main__":
    main()
