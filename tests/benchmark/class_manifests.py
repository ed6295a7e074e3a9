"""Do caches answer the refreshes of a live title? How many classes are there, what gets through?

    python -m tests.benchmark.class_manifests [--viewers 10000] [--seconds 16] [--json PATH]

Two audiences ask for one live title (:mod:`tests.benchmark.real_players`, and that of the load
test), which has two codecs and a new version every two seconds; there are ten edges. First each
viewer is decided in this process, and the URLs that they refresh from are counted. Then so many
viewers ask a real gateway behind a real nginx, with the configuration of docs/dash.md, each every
two seconds and with CMCD in its query: what part of the refreshes reaches the gateway?
"""

import argparse
import asyncio
import contextlib
import json
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from tests.benchmark.city import city_database
from tests.benchmark.contestants import EDGES
from tests.benchmark.real_players import RealPlayers
from tests.integration.in_process import application, ask
from tests.integration.reading_metrics import metric
from tests.integration.running import running_gateway
from tests.load.population import Population
from tests.nginx import running_nginx
from tests.ports import free_port

GOAL_CLASSES, GOAL_OF = 100, 0.95
GOAL_REACHING = 0.05
UPDATE_S = 2.0
PUBLIC = "http://play.example"
LIVE = "/v1/play/live"
LADDERS = {
    "avc1.640028": {240: 200, 360: 500, 480: 900, 720: 2400, 1080: 5200},
    "hvc1.1.6.L150.90": {540: 1000, 720: 1600, 1080: 3400, 2160: 12_000},
}
"""Peaks in kbit/s by height, for each codec."""
ACCEPTED = ("gzip, deflate, br", "gzip, deflate", "identity", "")
CONNECTIONS = 128
_OK, _NOT_MODIFIED = 200, 304
_DOCS = Path(__file__).parents[2] / "docs" / "dash.md"
_LOCATION = re.compile(rb"<Location>([^<]+)</Location>")
_PUBLISHED = re.compile(rb'publishTime="([^"]+)"')
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_ENCODED = re.compile(rb"content-encoding:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Viewer:
    """One viewer: the path and query of its first request, and its headers."""

    target: str
    headers: tuple[tuple[str, str], ...]


def live_mpd(now_s: float) -> bytes:
    """The version of the title that is published at a time."""
    published = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    template = '<SegmentTemplate media="$RepresentationID$/$Number$.m4s" duration="2"/>'
    sets = [
        f'<AdaptationSet contentType="video" mimeType="video/mp4" codecs="{codecs}">{template}'
        + "".join(
            f'<Representation id="{codecs[:3]}{height}" bandwidth="{kbps * 1000}" '
            f'width="{height * 16 // 9}" height="{height}" frameRate="25"/>'
            for height, kbps in ladder.items()
        )
        + "</AdaptationSet>"
        for codecs, ladder in LADDERS.items()
    ]
    sets += [
        f'<AdaptationSet contentType="audio" mimeType="audio/mp4" lang="{language}">{template}'
        f'<Representation id="{language}" bandwidth="128000" codecs="mp4a.40.2"/></AdaptationSet>'
        for language in ("en", "de")
    ]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        'profiles="urn:mpeg:dash:profile:isoff-live:2011" type="dynamic" minBufferTime="PT2S" '
        f'availabilityStartTime="2026-01-01T00:00:00Z" minimumUpdatePeriod="PT{UPDATE_S:g}S" '
        f'publishTime="{published}"><Period id="1" start="PT0S">{"".join(sets)}</Period></MPD>\n'
    ).encode()


def write_live(root: Path, now_s: float) -> None:
    """Replace the title's MPD by that of a time."""
    path = root / "live" / "manifest.mpd"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(live_mpd(now_s))
    new.replace(path)


def config_file(folder: Path, database: str = "embedded") -> Path:
    """A config with the title and ten edges, in ``folder``."""
    root = folder / "catalogue"
    write_live(root, time.time())
    lines = [
        "[server]",
        f'public_url = "{PUBLIC}/"',
        "[geo]",
        f"database = {json.dumps(database)}",
        "[source]",
        'kind = "directory"',
        f"root = {json.dumps(str(root))}",
        "[dash]",
        "class_manifests = true",
    ]
    for name, latitude, longitude in EDGES:
        lines += ["[[edges]]", f'id = "{name}"', f'url = "https://{name}.cdn.example.org/"']
        lines += [f"latitude = {latitude}", f"longitude = {longitude}"]
        lines += ["fallback = true"] if name == EDGES[0][0] else []
    path = folder / "gateway.toml"
    path.write_text("\n".join([*lines, ""]))
    return path


def real_viewers(count: int) -> list[Viewer]:
    """Viewers of ``make bench``."""
    players = RealPlayers(titles=1, path=lambda _: LIVE)
    found = []
    for request in players.requests(count):
        first, *rest = request.decode("ascii").rstrip().split("\r\n")
        headers = [tuple(line.split(": ", 1)) for line in rest]
        target = first.split(" ")[1].replace(".m3u8", ".mpd")
        found.append(Viewer(target, tuple([(name, value) for name, value in headers])))
    return found


def load_viewers(count: int) -> list[Viewer]:
    """Viewers of ``make load``."""
    population, found = Population(), []
    for _ in range(count):
        request = population.next_request()
        target = f"{LIVE}.mpd?{request.query}"
        found.append(Viewer(target, (("Host", "127.0.0.1"), *request.headers)))
    return found


async def classes_of(config: Path, viewers: Sequence[Viewer]) -> Counter[str]:
    """How many viewers each URL of a class has."""
    app = application(config)
    found: Counter[str] = Counter()
    for viewer in viewers:
        path, _, query = viewer.target.partition("?")
        headers = [(n.lower().encode(), v.encode("latin-1")) for n, v in viewer.headers]
        headers = [(n, v) for n, v in headers if n != b"accept-encoding"]
        status, _, body = await ask(app, path, query.encode(), headers)
        location = _LOCATION.search(body)
        assert (status, location is not None) == (200, True), (status, viewer, body[:500])
        if location is not None:
            found[urlsplit(location[1].decode()).path] += 1
    return found


def most_of(classes: Counter[str], share: float = GOAL_OF) -> int:
    """How many classes the ``share`` of viewers in the largest ones has."""
    together = accumulate(viewers for _, viewers in classes.most_common())
    return 1 + sum(viewers < share * classes.total() for viewers in together)


# ── behind a cache ──────────────────────────────────────────────────────────────────────────────


def missing() -> str | None:
    """Why there is no cache here; None when there is one."""
    return None if shutil.which("nginx") else "nginx is not here: apt-get install nginx-light"


@contextlib.contextmanager
def nginx_cache(folder: Path, gateway_port: int) -> Iterator[int]:
    """nginx in front of a gateway, as docs/dash.md configures it; gives its port."""
    block = _DOCS.read_text("utf-8").split("```nginx\n")[1].split("```")[0]
    block = block.replace("/var/cache/nginx/mpd", str(folder / "cache"))
    common, location = block[: block.index("location ")], block[block.index("location ") :]
    port = free_port()
    http = f"""
upstream gateway {{ server 127.0.0.1:{gateway_port}; keepalive 64; }}
proxy_http_version 1.1;
keepalive_requests 1000000;
{common}
server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://gateway; proxy_set_header Connection ""; }}
    {location}
}}
"""
    with running_nginx(folder, http, port, connections=4096):
        yield port


@dataclass(slots=True)
class Drill:
    """What came of it. ``reached`` is how many of the ``refreshes`` came to the gateway,
    ``backwards`` how often a viewer got an older version than it had. ``seconds`` is how long
    viewers were refreshing."""

    viewers: int = 0
    refreshes: int = 0
    reached: int = 0
    classes: int = 0
    versions: int = 0
    backwards: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The part of the refreshes that reached the gateway."""
        return self.reached / max(1, self.refreshes)


def drill(folder: Path, config: Path, viewers: Sequence[Viewer], seconds: float) -> Drill:
    """Let ``viewers`` join within one update period, and refresh for ``seconds``."""
    folder.mkdir(exist_ok=True)
    with running_gateway(config) as gateway, nginx_cache(folder, _port(gateway.url)) as port:
        found = uvloop.run(_watch(port, config.parent / "catalogue", viewers, seconds))
        found.reached = sum(
            round(
                metric(gateway.admin_url, f'gateway_requests_total{{route="class",status="{at}"}}')
            )
            for at in (_OK, _NOT_MODIFIED)
        )
    return found


def _port(url: str) -> int:
    return urlsplit(url).port or 0


async def _watch(port: int, root: Path, viewers: Sequence[Viewer], seconds: float) -> Drill:
    """Publish versions, and let the viewers watch."""

    async def publish() -> None:
        while True:
            await asyncio.sleep(UPDATE_S)
            await asyncio.to_thread(write_live, root, time.time())

    audience = Audience(len(viewers))
    await audience.connect(port)
    clock, draw = asyncio.get_running_loop().time, random.Random(1)
    begin = clock()
    end = begin + UPDATE_S + seconds
    publishing = asyncio.create_task(publish())
    try:
        async with asyncio.TaskGroup() as group:
            for viewer in viewers:
                join_s, accepted = draw.random() * UPDATE_S, draw.choice(ACCEPTED)
                group.create_task(audience.watch(viewer, join_s, accepted, end))
    finally:
        publishing.cancel()
        audience.close()
    found = audience.found
    found.seconds = clock() - begin
    found.classes, found.versions = len(audience.paths), len(audience.versions)
    return found


class Audience:
    """Viewers who share some connections to the cache."""

    def __init__(self, count: int) -> None:
        self.found = Drill(count)
        self.paths: set[str] = set()
        self.versions: set[bytes] = set()
        self._pool: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        self._pool = asyncio.Queue()

    async def connect(self, port: int) -> None:
        """Open the connections."""
        for _ in range(min(CONNECTIONS, self.found.viewers)):
            self._pool.put_nowait(await asyncio.open_connection("127.0.0.1", port))

    def close(self) -> None:
        """Close those that are not in use."""
        while not self._pool.empty():
            self._pool.get_nowait()[1].close()

    async def watch(self, viewer: Viewer, join_s: float, accepted: str, end: float) -> None:
        """Join after a while, and refresh every ``UPDATE_S`` until ``end``."""
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(join_s)
        headers = [(n, v) for n, v in viewer.headers if n.lower() != "accept-encoding"]
        status, body, _ = await self._get(viewer.target, headers)
        location = _LOCATION.search(body)
        if status != _OK or location is None:
            self.found.failures.append(f"{status} for {viewer.target}")
            return
        path = urlsplit(location[1].decode()).path
        self.paths.add(path)
        headers += [("Accept-Encoding", accepted)] if accepted else []
        latest, due = b"", clock()
        while (due := due + UPDATE_S) < end:
            await asyncio.sleep(due - clock())
            cmcd = f"CMCD=bl%3D{round(due) % 90}00%2Csid%3D%22{id(viewer):x}%22"
            status, body, is_coded = await self._get(f"{path}?{cmcd}", headers)
            self.found.refreshes += 1
            version = None if is_coded else _PUBLISHED.search(body)
            if status != _OK:
                self.found.failures.append(f"{status} for a refresh")
            elif version is not None:
                self.versions.add(version[1])
                self.found.backwards += version[1] < latest
                latest = version[1]

    async def _get(
        self, target: str, headers: Sequence[tuple[str, str]]
    ) -> tuple[int, bytes, bool]:
        """Status, body, and whether that is compressed."""
        reader, writer = pair = await self._pool.get()
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        self._pool.put_nowait(pair)
        return int(head[9:12]), body, _ENCODED.search(head) is not None


def main() -> int:
    """Measure and print; the exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(description="Do caches answer the refreshes of a live title?")
    parser.add_argument("--viewers", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=16.0, help="length of the drill; 0: none")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        config = config_file(Path(name), str(city_database()))
        audiences = {"bench": real_viewers, "load": load_viewers}
        for audience, make in audiences.items():
            classes = uvloop.run(classes_of(config, make(options.viewers)))
            most = most_of(classes)
            figures[f"classes, {audience}"] = {"all": len(classes), "of 95 %": most}
            print(
                f"{audience}: {classes.total()} viewers, {len(classes)} classes, "
                f"{most} for {GOAL_OF:.0%} of them (goal ≤ {GOAL_CLASSES})",
                flush=True,
            )
        if options.seconds and (why := missing()) is not None:
            print(f"no drill: {why}", file=sys.stderr)
        elif options.seconds:
            viewers = real_viewers(options.viewers)
            found = drill(Path(name) / "nginx", config, viewers, options.seconds)
            figures["drill"] = asdict(found) | {"failures": len(found.failures)}
            print(
                f"behind nginx: {found.refreshes} refreshes of {found.viewers} viewers in "
                f"{found.seconds:.0f} s, {found.classes} classes, {found.versions} versions; "
                f"{found.reached} reached the gateway: {found.share:.1%} (goal ≤ "
                f"{GOAL_REACHING:.0%}); {len(found.failures)} failures, {found.backwards} went back"
            )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
