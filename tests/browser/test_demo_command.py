"""``gateway demo`` as a process: what it answers, and how it refuses a port that is taken."""

import socket
import subprocess
import sys
import time
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

import httpx
import imageio_ffmpeg
import m3u8
import pytest

from tests.integration.forked import gateway_command
from tests.integration.test_demo_media import XML, files


def test_everything_that_the_playlist_names_is_served_by_one_edge(demo_url: str) -> None:
    """Each playlist, initialisation segment and first segment answers, signed by Oslo's edge."""
    failures = []
    with httpx.Client(trust_env=False, headers={"X-Forwarded-For": "129.240.2.6"}) as http:
        answer = http.get(f"{demo_url}/v1/play/demo.m3u8")
        master = m3u8.loads(answer.text, uri=str(answer.url))
        named = [*master.playlists, *master.iframe_playlists, *master.media]
        for playlist in (urljoin(str(answer.url), str(item.uri)) for item in named):
            body = http.get(playlist)
            first = m3u8.loads(body.text).segments[0]
            parts = [first.uri] + ([first.init_section.uri] if first.init_section else [])
            answers = [body, *(http.get(urljoin(playlist, str(part))) for part in parts)]
            failures += [a.url for a in answers if a.headers.get("edge") != "demo-eu"]
            failures += [a.url for a in answers if not a.is_success]
    assert len(named) >= 2 * 5 + 4
    assert not failures


def test_everything_that_the_mpd_names_is_served_by_one_edge(demo_url: str) -> None:
    """The first files of each Representation answer, signed by Oslo's edge."""
    failures = []
    with httpx.Client(trust_env=False, headers={"X-Forwarded-For": "129.240.2.6"}) as http:
        answer = http.get(f"{demo_url}/v1/play/demo.mpd")
        mpd = ET.fromstring(answer.content)  # noqa: S314 - our own
        base = urljoin(str(answer.url), mpd.findtext("BaseURL", "", XML))
        sets = mpd.findall("Period/AdaptationSet", XML)
        named = [(a, r) for a in sets for r in a.findall("Representation", XML)]
        for file in (name for both in named for name in files(*both)[:2]):
            got = http.get(urljoin(base, file))
            if not got.is_success or got.headers.get("edge") != "demo-eu":
                failures.append(str(got.url))
    assert len(named) >= 5 + 2 + 2 + 1
    assert not failures


@pytest.mark.parametrize("name", ["demo.m3u8", "demo.mpd", "demo-live.mpd"])
def test_hevc_is_for_devices_that_decode_it(demo_url: str, name: str) -> None:
    """A television gets it in either format, and Firefox in neither."""
    television = "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko)"
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    got = []
    with httpx.Client(trust_env=False) as http:
        for agent in (television, firefox):
            url = f"{demo_url}/v1/play/{name}?speed=90000"
            manifest = http.get(url, headers={"User-Agent": agent}).text
            got.append(("hvc1." in manifest, "avc1.640028" in manifest))
    assert [(True, True), (False, True)] == got


@pytest.mark.parametrize("title", ["demo", "demo-live"])
def test_ffmpeg_plays_it_over_dash(demo_url: str, title: str) -> None:
    """Three seconds of pictures and sound."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-t", "3"]
    command += ["-i", f"{demo_url}/v1/play/{title}.mpd", "-map", "0:v:0", "-map", "0:a:0"]
    command += ["-f", "framecrc", "-"]
    played = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    frames = [line.split(",")[0] for line in played.stdout.splitlines() if line[0] != "#"]
    assert (0, "") == (played.returncode, played.stderr)
    assert frames.count("0") >= 75
    assert frames.count("1") >= 3 * 48_000 // 1024


def test_the_urls_that_it_prints_answer(demo_url: str) -> None:
    """The page, the decision with its reasons and, for operators, the metrics and the readiness are
    there when it says ready."""
    with httpx.Client(trust_env=False) as http:
        operators = http.get(f"{demo_url}/demo/settings.json").json()["operators"]
        urls = [demo_url + path for path in ("/demo", "/v1/play/demo")]
        urls += [
            f"{demo_url}/v1/play/{name}" for name in ("demo.m3u8", "demo.mpd", "demo-live.mpd")
        ]
        urls += [operators + path for path in ("/metrics", "/readyz", "/v1/play/demo")]
        assert dict.fromkeys(urls, 200) == {url: http.get(url).status_code for url in urls}
        assert http.get(f"{demo_url}/v1/play/demo").json()["reasons"]
        shown = http.get(f"{operators}/v1/play/demo").json()
        assert f"{demo_url}/v1/play/demo.m3u8" == shown["manifest_url"]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no 127.0.0.2")
def test_the_title_is_steered(own_demo_url: str) -> None:
    """The playlist names its pathway, and the steering manifest two edges that can take over, once
    all are up: on a busy machine a first probe may fail."""
    network = {"X-Forwarded-For": "193.213.112.4"}  # in Norway, and no viewer of the page has it
    expected = ("demo-eu", "demo-eu", {("demo-eu", "demo-as"), ("demo-eu", "demo-na")})
    title = f"{own_demo_url}/v1/play/demo.m3u8?session=steered"
    until = time.monotonic() + 20
    with httpx.Client(trust_env=False, headers=network) as http:
        while True:
            playlist = http.get(title).text
            tag = next(line for line in playlist.splitlines() if "CONTENT-STEERING" in line)
            _, uri, _, pathway, _ = tag.split('"')
            told = http.get(urljoin(title, uri)).json()
            clones = {(c["BASE-ID"], c["ID"]) for c in told.get("PATHWAY-CLONES", ())}
            found = (pathway, told["PATHWAY-PRIORITY"][0], clones)
            if found == expected or time.monotonic() > until:
                break
            time.sleep(0.1)
    assert expected == found


def test_a_busy_port_is_one_clear_line() -> None:
    """Exit code 1, and one line on stderr that names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*gateway_command(), "demo", "--port", str(port)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    line = f"error: port {port} on 127.0.0.1 is already in use; choose another one\n"
    assert (1, line) == (ended.returncode, ended.stderr)
