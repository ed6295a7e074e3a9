"""Does a film outlive its signed URLs in a real browser, and the edge that it began on?

Two nginx with keys of their own check every URL of the edges by ``secure_link``. hls.js plays a
film that is several times as long as a signature lives; meanwhile its edge dies.

A longer run: ``SIGNED_FILM_S=1800 SIGNED_LIFETIME_S=120 pytest tests/browser/test_signed_film.py``.
"""

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Request
from playwright.async_api import Response as Answer
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.edges import listen, serve
from gateway.app import build
from gateway.config.load import load
from tests.browser.test_playback import IN_SMALL_WINDOW
from tests.missing import missing
from tests.nginx import running_nginx
from tests.ports import free_port

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LIFETIME_S = int(os.environ.get("SIGNED_LIFETIME_S", "20"))
FILM_S = int(os.environ.get("SIGNED_FILM_S", "0"))
"""How long to play, in seconds; 0 is until there were six renewals."""
RENEWALS = 6
MOST_STILL_MS = 5000
"""Between two updates of the position."""
MOST_S = 120
TTL_S = max(1, LIFETIME_S // 3)
SECRETS = {"first": "1" * 40, "second": "2" * 40}

MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",LANGUAGE="en",DEFAULT=YES,URI="../sound/0.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=160x90,CODECS="avc1.42c00b,mp4a.40.2",AUDIO="a"
0.m3u8
"""
CONFIG = """
[server]
public_url = "{url}/"
[store]
url = "memory"
[source]
kind = "directory"
root = "{root}"
hls = "{{asset}}/main.m3u8"
[steering]
ttl_s = {ttl_s}
ttl_jitter = 0
dwell_s = 2
[health]
interval_ms = 500
"""
EDGE = """
[[edges]]
id = "{id}"
url = "http://127.0.0.1:{port}/media/"
fallback = true
health_url = "/healthz"
[edges.signing]
scheme = "nginx"
keys = [{{ id = "k", secret = "{secret}" }}]
lifetime_s = {lifetime_s}
step_s = 1
"""
NGINX = """types {{ application/vnd.apple.mpegurl m3u8; video/mp4 mp4 m4s; }}
server {{
    listen 127.0.0.1:{port};
    access_log {folder}/access.log;
    add_header Access-Control-Allow-Origin * always;
    location = /healthz {{ return 200; }}
    location ~ "^(?<folder>/(?:.*?/)?)~(?<expires>[0-9]+)~(?<mac>[^/]+)/(?<rest>.*)$" {{
        secure_link $mac,$expires;
        secure_link_md5 "$expires$folder {secret}";
        if ($secure_link = "") {{ return 403; }}
        if ($secure_link = "0") {{ return 410; }}
        rewrite ^ $folder$rest break;
        root {root};
    }}
    location / {{ return 403; }}
}}
"""
PAGE = """<!doctype html><title>film</title><video id="video" muted></video>
<script src="/hls.js"></script>"""
PLAY = """url => {
  const hls = window.hls = new Hls({ maxBufferLength: 6, maxMaxBufferLength: 6 });
  window.fatal = []; window.stalls = [];
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (data.fatal) fatal.push(`${data.details} ${data.response?.code} ${data.error} ${data.url}`);
  });
  window.stillMs = 0;
  let since = null, updated = null;
  video.addEventListener('waiting', () => {
    if (video.currentTime > 0) since ??= performance.now();
  });
  video.addEventListener('timeupdate', () => {
    const now = performance.now();
    if (since !== null) { stalls.push(Math.round(now - since)); since = null; }
    if (updated !== null) stillMs = Math.max(stillMs, now - updated);
    updated = now;
  });
  hls.loadSource(url); hls.attachMedia(video);
  hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
}"""
SIGNED = re.compile(r"~([0-9]+)~")


def film(folder: Path, seconds: int) -> None:
    """Video and audio of this length, in segments of two seconds; the audio lies in a folder beside
    that of the playlist."""
    if shutil.which("ffmpeg") is None:
        missing("no ffmpeg on the PATH")
    (folder / "film").mkdir(parents=True)
    (folder / "sound").mkdir()
    (folder / "film" / "main.m3u8").write_text(MASTER)
    hls = [*("-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod")]
    hls += ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4"]
    video = [*("-map", "0:v", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency")]
    video += ["-profile:v", "baseline", "-g", "20", "-b:v", "60k", "-pix_fmt", "yuv420p"]
    audio = [*("-map", "1:a", "-c:a", "aac", "-b:a", "32k")]
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc=s=160x90:r=10:d={seconds}"),
            *("-f", "lavfi", "-i", f"sine=440:r=48000:d={seconds}"),
            *(*video, *hls, "-hls_segment_filename", str(folder / "film" / "v%d.m4s")),
            str(folder / "film" / "0.m3u8"),
            *(*audio, *hls, "-hls_segment_filename", str(folder / "sound" / "a%d.m4s")),
            str(folder / "sound" / "0.m3u8"),
        ],
        check=True,
        timeout=300,
    )


@contextlib.contextmanager
def nginx_edge(
    folder: Path, media: Path, port: int, secret: str
) -> Iterator[subprocess.Popen[bytes]]:
    """An nginx that serves what is signed with a secret."""
    if shutil.which("nginx") is None:
        missing("nginx is not here: apt-get install nginx-light")
    folder.mkdir()
    http = NGINX.format(folder=folder, port=port, secret=secret, root=media.parent)
    with running_nginx(folder, http, port) as process:
        yield process


@dataclass
class Loaded:
    """What the player loaded of the edges: the signatures of video segments with their edges,
    refusals, and requests that got no answer. ``first`` is the first segment of each edge."""

    ports: dict[int, str]
    signatures: list[tuple[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    first: dict[str, str] = field(default_factory=dict)

    def note(self, response: Answer) -> None:
        """Note one answer."""
        found = SIGNED.search(response.url)
        if found is None:
            return
        if response.status >= 400:
            self.refused.append(f"{response.status} {response.url}")
        if "/film/" in response.url and response.url.endswith(".m4s"):
            edge = self.ports[int(response.url.split("/")[2].partition(":")[2])]
            self.first.setdefault(edge, response.url)
            if (edge, found[1]) not in self.signatures:
                self.signatures.append((edge, found[1]))

    def note_failure(self, request: Request) -> None:
        """Note a request without an answer: those to the edge that is dead, for example."""
        self.failed.append(f"{request.failure} {request.url}")

    @property
    def renewals(self) -> int:
        """How often the URLs of segments had another signature."""
        return len({expires for _, expires in self.signatures}) - 1


def with_page(gateway: ASGIApp, hls_js: Path) -> ASGIApp:
    """A gateway and a page with the player: one that Playwright makes up may not reach loopback."""
    files = {"/page": Response(PAGE, media_type="text/html"), "/hls.js": FileResponse(hls_js)}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await files.get(scope.get("path", ""), gateway)(scope, receive, send)

    return app


@contextlib.asynccontextmanager
async def playing(browser: Browser, url: str, loaded: Loaded) -> AsyncIterator[Page]:
    """A page that plays the film."""

    context = await browser.new_context(base_url=url, viewport=IN_SMALL_WINDOW.viewport)
    try:
        page = await context.new_page()
        page.on("response", loaded.note)
        page.on("requestfailed", loaded.note_failure)
        await page.goto("/page")
        await page.evaluate(PLAY, f"{url}/v1/play/film.m3u8?session=s1")
        yield page
    finally:
        await context.close()


async def state_of(page: Page) -> Any:
    """Position, stalls in milliseconds, the longest time without an update of the position in
    milliseconds, and fatal errors."""
    return await page.evaluate("[video.currentTime, window.stalls, window.stillMs, window.fatal]")


async def test_a_film_outlives_its_signatures_and_its_edge(
    browser: Browser, hls_js: Path, tmp_path: Path
) -> None:
    """Six renewals and the death of an edge, without a stall of a second and without a refusal.
    What was signed at first is refused by then."""
    media = tmp_path / "media"
    await asyncio.to_thread(film, media, FILM_S + 110)
    ports = {edge: free_port() for edge in SECRETS}
    loaded = Loaded({port: edge for edge, port in ports.items()})
    async with contextlib.AsyncExitStack() as stack:
        nginx = {
            edge: stack.enter_context(nginx_edge(tmp_path / edge, media, ports[edge], secret))
            for edge, secret in SECRETS.items()
        }
        bound = stack.enter_context(listen("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        text = CONFIG.format(url=url, root=media, ttl_s=TTL_S) + "".join(
            EDGE.format(id=edge, port=ports[edge], secret=secret, lifetime_s=LIFETIME_S)
            for edge, secret in SECRETS.items()
        )
        (tmp_path / "gateway.toml").write_text(text)
        gateway = build(load(tmp_path / "gateway.toml"))
        await stack.enter_async_context(serve(with_page(gateway, hls_js), bound, lifespan=True))
        page = await stack.enter_async_context(playing(browser, url, loaded))
        started, killed = time.monotonic(), ""
        while True:
            await asyncio.sleep(0.2)
            at_s, stalls, still_ms, fatal = await state_of(page)
            passed_s = time.monotonic() - started
            assert not fatal, (fatal, loaded)
            assert not loaded.refused, loaded
            if loaded.renewals >= RENEWALS // 2 and not killed:
                killed = loaded.signatures[-1][0]
                nginx[killed].terminate()
            if FILM_S and passed_s >= FILM_S:
                break
            if not FILM_S and loaded.renewals >= RENEWALS:
                break
            assert passed_s < (FILM_S or MOST_S) + 1, loaded
        survivor = loaded.signatures[-1][0]
        old = await page.request.get(loaded.first[survivor])
    print(f"{passed_s:.0f} s: {loaded.signatures}, stalls {stalls} ms, at {at_s:.1f} s")
    print(f"{loaded.renewals} renewals; the position stood still for {still_ms:.0f} ms at most")
    assert killed != survivor
    assert max(stalls, default=0) < 1000, stalls
    # Where the processor is busy, pictures come late: the clock of the film is slow then.
    assert still_ms < MOST_STILL_MS
    assert at_s > 0.8 * passed_s - 10
    assert old.status == 410
