"""A live programme over two gateways with two workers each, while parts of it fail one by one."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.integration.dash_titles import mpd, put
from tests.integration.edge_processes import edge_processes
from tests.integration.processes import children
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.test_dash import bases, heights, location, parsed
from tests.integration.viewers import until
from tests.unit.store.servers import Valkey

ADDRESSES = ("193.213.112.4", "202.12.27.33")
DEVICES = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) Chrome/131.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) 85.0.4183.93/6.5 TV Safari/537.36",
)
SPEEDS = (300, 1500, 6000, 30_000)
REFRESH_S = 0.2
GONE_S = 2.0
"""Within so many seconds after it was killed, an edge is named for the last time."""

EDGE = """
[[edges]]
id = "{id}"
url = "{url}"
health_url = "healthz"
continents = ["{continent}"]
fallback = true
"""


@dataclass
class Viewer:
    """One player, and what it was given: the moment, and the MPD."""

    number: int
    answers: list[tuple[float, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def watch(self, gateways: list[RunningGateway], stop: threading.Event) -> None:
        """Ask each gateway in turn, as behind a load balancer, and where the last answer says."""
        headers = {
            "X-Forwarded-For": ADDRESSES[self.number % len(ADDRESSES)],
            "User-Agent": DEVICES[self.number % len(DEVICES)],
        }
        target = f"/v1/play/live.mpd?speed={SPEEDS[self.number % len(SPEEDS)]}"
        with httpx.Client(headers=headers, timeout=10) as client:
            while not stop.wait(REFRESH_S):
                if not (alive := list(gateways)):
                    return
                gateway = alive[len(self.answers) % len(alive)]
                answer = self._asked(client, f"{gateway.url}{target}")
                if answer is None:
                    continue
                if answer.status_code != 200:
                    self.failures.append(f"{answer.status_code} {answer.text}")
                    continue
                self.answers.append((time.monotonic(), answer.text))
                # The player's measurements vary; none of them may change its ladder.
                parts = urlsplit(location(answer.text))
                speed = SPEEDS[len(self.answers) % len(SPEEDS)]
                target = f"{parts.path}?{parts.query}&CMCD=mtp%3D{speed}"

    def _asked(self, client: httpx.Client, url: str) -> httpx.Response | None:
        """The answer; a connection that breaks is made once more, as players do."""
        for _ in range(2):
            with contextlib.suppress(httpx.TransportError):
                return client.get(url)
        self.failures.append("no connection")
        return None


@contextlib.contextmanager
def watching(gateways: list[RunningGateway], count: int) -> Iterator[list[Viewer]]:
    """Players that watch until the block ends."""
    stop = threading.Event()
    viewers = [Viewer(number) for number in range(count)]
    threads = [
        threading.Thread(target=viewer.watch, args=(gateways, stop), daemon=True)
        for viewer in viewers
    ]
    for thread in threads:
        thread.start()
    try:
        yield viewers
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def published(text: str) -> str:
    """When an MPD says that it was published."""
    return parsed(text).attrib["publishTime"]


def test_a_programme_goes_on(running: Valkey, tmp_path: Path) -> None:
    """An edge dies, a worker dies, both gateways get another config with the same limits, the
    source gets a new version, one gateway stops: every refresh is answered, with the same ladder
    for each viewer, from edges that live, and no version older than the last one."""
    root, config = tmp_path / "catalogue", tmp_path / "gateway.toml"
    put(root, "live/manifest.mpd", mpd("dynamic"))
    environ = {"GATEWAY_STORE__URL": running.url, "GATEWAY_STORE__TIMEOUT_MS": "150"}
    with edge_processes(4) as edges, contextlib.ExitStack() as stack:
        tables = [
            EDGE.format(id=f"e{at}", url=edge.url, continent=("EU", "AS")[at % 2])
            for at, edge in enumerate(edges)
        ]
        source = f'[source]\nkind = "directory"\nroot = "{root}"\n'
        health = "[health]\ninterval_ms = 500\n"
        config.write_text(source + health + "".join(tables))
        first, second = gateways = [
            stack.enter_context(running_gateway(config, "--workers", "2", environ=environ))
            for _ in range(2)
        ]
        behind = list(gateways)
        with watching(behind, 12) as viewers:
            until(lambda: all(len(viewer.answers) > 2 for viewer in viewers), 30)
            edges[0].kill()
            killed = time.monotonic()
            time.sleep(GONE_S + 0.5)
            os.kill(children(first.process.pid)[0], signal.SIGKILL)
            config.write_text(config.read_text() + "[steering]\nttl_s = 30\n")
            second.wait_for("config_reloaded", 2)
            put(root, "live/manifest.mpd", mpd("dynamic", published="10:00:04"))
            until(lambda: all("10:00:04" in viewer.answers[-1][1] for viewer in viewers), 30)
            behind.remove(second)
            second.signal(signal.SIGTERM)
            seen = [len(viewer.answers) for viewer in viewers]
            until(
                lambda: all(
                    len(viewer.answers) > count + 5
                    for viewer, count in zip(viewers, seen, strict=True)
                ),
                30,
            )
    assert [] == [failure for viewer in viewers for failure in viewer.failures]
    for viewer in viewers:
        texts = [text for _, text in viewer.answers]
        assert 1 == len({frozenset(heights(text)) for text in texts})
        assert sorted(map(published, texts)) == list(map(published, texts))
        late = [text for at, text in viewer.answers if at > killed + GONE_S]
        assert late
        assert not [text for text in late if edges[0].url in bases(text)[0]]
    assert 3 <= len({frozenset(heights(viewer.answers[0][1])) for viewer in viewers})
