"""MPDs of a gateway process: ffmpeg plays one, and a live one is followed over its refreshes."""

import functools
import subprocess
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import imageio_ffmpeg
import pytest

from tests.integration.dash_titles import EDGES, mpd, playlist
from tests.integration.origins import OriginProcess, origin_process
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway

CATALOGUE = Path("demo/catalogue").resolve()
NS = {"": "urn:mpeg:dash:schema:mpd:2011"}


class Edge:
    """An edge with the demo's title, which notes what is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        edge = self

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                edge.asked.append(self.path)

        handler = functools.partial(Handler, directory=str(CATALOGUE))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"


@pytest.fixture
def edge() -> Iterator[Edge]:
    """A running edge."""
    found = Edge()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join(10)


def test_ffmpeg_plays_it(tmp_path: Path, edge: Edge) -> None:
    """All pictures and sound of the title, from the edge, and no rung above the cap."""
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'[source]\nkind = "directory"\nroot = "{CATALOGUE}"\n'
        f'[[edges]]\nid = "e"\nurl = "{edge.url}"\nfallback = true\n'
    )
    with running_gateway(config) as gateway:
        url = f"{gateway.url}/v1/play/demo.mpd?max_resolution=360p"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", url, "-progress", "-"]
        command += ["-map", "0:v:0", "-map", "0:a:0", "-f", "null", "-"]
        played = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        name = 'gateway_requests_total{route="play_dash",status="200"}'
        assert metric(gateway.admin_url, name) >= 1
    assert "frame=200" in played.stdout
    rungs = {path.split("/")[3] for path in edge.asked if path.startswith("/demo/video/")}
    assert rungs <= {"240p", "360p"}
    assert rungs
    assert any(path.startswith("/demo/audio/") for path in edge.asked)


LIVE = "/vod/live/manifest.mpd"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OriginProcess]:
    """An origin with a live MPD."""
    with origin_process(tmp_path_factory.mktemp("origin")) as process:
        publish(process, 0)
        yield process


def publish(source: OriginProcess, second: int, **more: Any) -> None:
    """The origin has an MPD that was published then."""
    time_of_day = f"10:{second // 60:02}:{second % 60:02}"
    body = mpd("dynamic", published=time_of_day).replace("PT4S", "PT0.2S")
    answer = {"body": body, "content_type": "application/dash+xml", "cache_control": None}
    title = {"body": playlist(), "cache_control": "max-age=60"}
    source.set(paths={LIVE: {**answer, **more}, "/vod/live/master.m3u8": title})


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, source: OriginProcess
) -> Iterator[RunningGateway]:
    """A gateway with that origin."""
    config = tmp_path_factory.mktemp("gateway") / "gateway.toml"
    config.write_text(
        f'[source]\nkind = "origin"\nurl = "{source.url}vod/"\n{EDGES}\n'
        "[origin]\nmin_fresh_s = 0\nmax_stale_live_s = 1\nread_timeout_ms = 500\n"
        'total_timeout_ms = 800\nfailure_s = 0\n[store]\nurl = "memory"\n'
    )
    with running_gateway(config) as found:
        yield found


def ask(gateway: RunningGateway, url: str = "/v1/play/live.mpd?speed=6000") -> httpx.Response:
    """One request of a desktop in Oslo."""
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36"
    headers = {"User-Agent": agent, "X-Forwarded-For": "129.240.2.6"}
    return httpx.get(httpx.URL(gateway.url).join(url), headers=headers, timeout=10)


def parsed(text: str) -> ET.Element:
    """The MPD element."""
    return ET.fromstring(text)  # noqa: S314  # the gateway's own


def test_a_live_programme(gateway: RunningGateway, source: OriginProcess) -> None:
    """Each refresh has the newest that the origin has said, and what the first answer had: its
    Representations and edge, while the player measures one speed after the other."""
    answer = ask(gateway)
    first = parsed(answer.text)
    videos = [each.attrib for each in first.iter("{urn:mpeg:dash:schema:mpd:2011}Representation")]
    assert 5 == len(videos)
    seen = [first.attrib["publishTime"]]
    for number in range(1, 9):
        lags = number % 4 == 3
        publish(source, number - 2 if lags else number)
        time.sleep(0.25)
        url = parsed(answer.text).findtext("Location", namespaces=NS) or ""
        answer = ask(gateway, f"{url}&CMCD=mtp%3D{number * 3000 + 100}")
        found = parsed(answer.text)
        assert videos == [
            each.attrib for each in found.iter("{urn:mpeg:dash:schema:mpd:2011}Representation")
        ]
        assert first.findtext("BaseURL", namespaces=NS) == found.findtext("BaseURL", namespaces=NS)
        seen.append(found.attrib["publishTime"])
        assert "private, max-age=0" == answer.headers["Cache-Control"]
    deadline = time.monotonic() + 10
    while seen[-1] != "2026-11-29T10:00:08Z":  # a copy was served while the last one was fetched
        assert time.monotonic() < deadline
        time.sleep(0.05)
        seen.append(parsed(ask(gateway).text).attrib["publishTime"])
    assert seen == sorted(seen)
    assert metric(gateway.admin_url, "gateway_origin_lagging_total") >= 1


def test_both_formats_share_the_health_of_their_origin(
    gateway: RunningGateway, source: OriginProcess
) -> None:
    """Its death opens one breaker. The live MPD is served for as long as the config says, and the
    playlist for longer; back again, both are fresh."""
    assert 200 == ask(gateway).status_code
    assert 200 == ask(gateway, "/v1/play/live.m3u8").status_code
    source.kill()
    assert 200 == ask(gateway).status_code
    deadline = time.monotonic() + 30
    while ask(gateway).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert ask(gateway).status_code in {502, 504}
    assert 200 == ask(gateway, "/v1/play/live.m3u8").status_code
    assert 1 == metric(gateway.admin_url, "gateway_origin_breaker_open")
    source.start()
    while ask(gateway).status_code != 200:
        assert time.monotonic() < deadline + 30
        time.sleep(0.1)
