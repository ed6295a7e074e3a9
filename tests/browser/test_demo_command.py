"""``gateway demo`` as a process: what it answers, and how it refuses a port that is taken."""

import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import httpx
import m3u8
import pytest

GATEWAY = str(Path(sys.executable).with_name("gateway"))


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


def test_the_urls_that_it_prints_answer(demo_url: str) -> None:
    """The page, the decision with its reasons and, for operators, the metrics and the readiness are
    there when it says ready."""
    with httpx.Client(trust_env=False) as http:
        operators = http.get(f"{demo_url}/demo/settings.json").json()["operators"]
        urls = [demo_url + path for path in ("/demo", "/v1/play/demo.m3u8", "/v1/play/demo")]
        urls += [operators + path for path in ("/metrics", "/readyz", "/v1/play/demo")]
        assert dict.fromkeys(urls, 200) == {url: http.get(url).status_code for url in urls}
        assert http.get(f"{demo_url}/v1/play/demo").json()["reasons"]
        shown = http.get(f"{operators}/v1/play/demo").json()
        assert f"{demo_url}/v1/play/demo.m3u8" == shown["manifest_url"]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no 127.0.0.2")
def test_the_title_is_steered(demo_url: str) -> None:
    """The playlist names its pathway, and the steering manifest two edges that can take over."""
    with httpx.Client(trust_env=False, headers={"X-Forwarded-For": "129.240.2.6"}) as http:
        playlist = http.get(f"{demo_url}/v1/play/demo.m3u8").text
        tag = next(line for line in playlist.splitlines() if "CONTENT-STEERING" in line)
        told = http.get(urljoin(demo_url, tag.split('"')[1])).json()
    assert tag.endswith('PATHWAY-ID="demo-eu"')
    assert "demo-eu" == told["PATHWAY-PRIORITY"][0]
    clones = {(c["BASE-ID"], c["ID"]) for c in told["PATHWAY-CLONES"]}
    assert {("demo-eu", "demo-as"), ("demo-eu", "demo-na")} == clones


def test_a_busy_port_is_one_clear_line() -> None:
    """Exit code 1, and one line on stderr that names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [GATEWAY, "demo", "--port", str(port)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    line = f"error: port {port} on 127.0.0.1 is already in use; choose another one\n"
    assert (1, line) == (ended.returncode, ended.stderr)
