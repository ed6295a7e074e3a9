"""A whole gateway with origins: what players, operators and ``explain`` see."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.origins import OriginProcess, origin_process
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.viewers import Viewers
from tests.unit.store.servers import Valkey, valkey

CONFIG = """
[store]
url = "{store}"
[source]
kind = "origin"
[origin]
read_timeout_ms = 800
total_timeout_ms = 1500
failure_s = 0
not_found_s = 0
stale_while_revalidate_s = 0
[[origins]]
url = "{url}vod/"
[[edges]]
id = "e1"
url = "https://e1.example/videos/"
fallback = true
[profiles.all]
device_limits = false
[[rules]]
when = {{}}
profile = "all"
"""
PLAY = "/v1/play/film.m3u8"
TOTAL_TIMEOUT_S = 1.5
"""Who waits for a dead origin waits so long."""


@pytest.fixture
def source(tmp_path: Path) -> Iterator[OriginProcess]:
    """An origin process."""
    with origin_process(tmp_path) as process:
        yield process


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Valkey]:
    """A store that outlives gateways."""
    (tmp_path / "valkey").mkdir()
    with valkey(tmp_path / "valkey") as server:
        yield server


@pytest.fixture
def config(tmp_path: Path, source: OriginProcess, redis: Valkey) -> Path:
    """A config for the origin and the store, with one edge."""
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIG.format(url=source.url, store=redis.url))
    return path


def get(gateway: RunningGateway, path: str = PLAY, **headers: str) -> httpx.Response:
    """One player's request."""
    return httpx.get(f"{gateway.url}{path}", headers=headers, timeout=10)


def ask_as_operator(gateway: RunningGateway, path: str) -> httpx.Response:
    """One operator's request."""
    return httpx.get(f"{gateway.admin_url}{path}", timeout=10)


def checks(gateway: RunningGateway) -> tuple[int, dict[str, Any]]:
    """The source's check in /readyz, with its status."""
    answer = ask_as_operator(gateway, "/readyz")
    return answer.status_code, answer.json()["checks"]["source"]


def wait_for(gateway: RunningGateway, status: int, state: str) -> None:
    """Wait until /readyz has this status."""
    deadline = time.monotonic() + 30
    while (found := checks(gateway))[0] != status or found[1]["status"] != state:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_players_get_the_origins_playlist(config: Path, source: OriginProcess) -> None:
    """URIs lead to the edge, absolute ones too. The origin gets the request id, and not the
    player's query."""
    body = (
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{0}film/a.m3u8?t=1\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=2000\nb.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=3000\nhttps://elsewhere.example/c.m3u8\n"
    )
    source.set(body=body.format(f"{source.url}vod/"))
    with running_gateway(config) as gateway:
        answer = get(gateway, f"{PLAY}?speed=4000&x=http://evil.example/", **{"X-Request-ID": "me"})
        assert 200 == answer.status_code
        uris = [line for line in answer.text.splitlines() if not line.startswith("#")]
        assert {
            "https://e1.example/videos/film/a.m3u8?t=1",
            "https://e1.example/videos/film/b.m3u8",
            "https://elsewhere.example/c.m3u8",
        } == set(uris)
        seen = [each for each in source.requests() if each["target"] != "/vod/"]
        assert [("/vod/film/master.m3u8", "me")] == [
            (each["target"], each["headers"]["x-request-id"]) for each in seen
        ]
        reasons = ask_as_operator(gateway, "/v1/play/film").json()["reasons"]
        (told,) = [reason for reason in reasons if reason.startswith("source: ")]
        assert told.startswith(f"source: from {source.url}vod/, ")
        assert "fresh for" in told
        assert 'gateway_origin_requests_total{origin="' in ask_as_operator(gateway, "/metrics").text


PROBLEMS: list[tuple[dict[str, Any], int, str]] = [
    ({"status": 404}, 404, "no-such-asset"),
    ({"status": 403}, 502, "bad-origin"),
    ({"status": 503}, 502, "bad-origin"),
    ({"html": True}, 502, "bad-origin"),
    ({"body": "#EXTM3U\n#EXTINF:1,\na.ts\n"}, 502, "bad-source"),
    ({"redirect": "http://169.254.169.254/?token=hush-3"}, 502, "bad-origin"),
    ({"delay_s": 3}, 504, "origin-timeout"),
]


def test_problems_are_named_and_secrets_are_not(config: Path, source: OriginProcess) -> None:
    """502 for an answer that is not a manifest, 504 for none (docs/http.md). No secret in logs,
    problems, metrics or readiness, whatever goes wrong."""
    environ = {"GATEWAY_ORIGIN__BEARER_TOKEN": "hush-1", "GATEWAY_ORIGIN__HMAC_KEY": "hush-2"}
    environ |= {"GATEWAY_ORIGIN__BREAKER_FAILURES": "100", "GATEWAY_LOG__LEVEL": "debug"}
    with running_gateway(config, environ=environ) as gateway:
        texts = []
        address = source.url.removeprefix("http://").rstrip("/")
        for mode, status, kind in PROBLEMS:
            source.set(**mode)
            answer = get(gateway)
            told = answer.json()
            assert (status, kind) == (answer.status_code, told["type"].rpartition(":")[2]), mode
            assert "no-store" == answer.headers["Cache-Control"]
            assert address not in answer.text
            told = ask_as_operator(gateway, "/v1/play/film").json()
            assert (address in told["detail"]) is (status != 404)
            texts.append(answer.text)
        paths = ("/v1/play/film", "/readyz", "/metrics")
        texts += [ask_as_operator(gateway, path).text for path in paths]
        config.write_text(config.read_text() + "# changed\n")
        gateway.wait_for("config_reloaded")
        texts.append(str(gateway.log))
        listed = ask_as_operator(gateway, "/readyz").json()["checks"]["manifests"]["faults"]
        assert ["film/master.m3u8"] == [fault["file"] for fault in listed]
        kinds = [line["kind"] for line in gateway.lines("source_faulty")]
        assert ["status", "status", "garbage", "playlist-kind", "redirect", "timeout"] == kinds
    assert "Bearer hush-1" == source.requests()[-1]["headers"]["authorization"]
    assert not [text for text in texts if "hush" in text]


def test_a_dead_origin_is_not_noticed(config: Path, source: OriginProcess) -> None:
    """Players of assets with a copy notice nothing, also after a restart of the gateway. Readiness
    degrades and recovers by itself."""
    source.set(cache_control="max-age=1")
    with running_gateway(config) as gateway:
        good = get(gateway)
        wait_for(gateway, 200, "ok")
        source.kill()
        time.sleep(1.2)
        answers = [get(gateway) for _ in range(20)]
        assert [(200, good.text)] * 20 == [(each.status_code, each.text) for each in answers]
        wait_for(gateway, 200, "degraded")
    with running_gateway(config) as gateway:
        wait_for(gateway, 200, "degraded")
        started = time.monotonic()
        assert (200, good.text) == ((answer := get(gateway)).status_code, answer.text)
        assert time.monotonic() - started < TOTAL_TIMEOUT_S, "it waited for the origin"
        reasons = " ".join(ask_as_operator(gateway, "/v1/play/film").json()["reasons"])
        assert "[origin-stale]" in reasons
        assert 504 == get(gateway, "/v1/play/unknown.m3u8").status_code
        source.start()
        wait_for(gateway, 200, "ok")
        assert 200 == get(gateway, "/v1/play/unknown.m3u8").status_code
        assert not gateway.lines("background_task_failed")


def test_a_gateway_without_copies_is_not_ready(config: Path, source: OriginProcess) -> None:
    """No origin and no copies: 503; ready as soon as the origin is there."""
    source.kill()
    with running_gateway(config) as gateway:
        wait_for(gateway, 503, "failed")
        assert 504 == get(gateway).status_code
        source.start()
        wait_for(gateway, 200, "ok")
        assert 200 == get(gateway).status_code


def test_a_dripping_origin_stays_down(config: Path, source: OriginProcess) -> None:
    """The origin answers 304 quickly, but sends bodies too slowly. The log has one line when it
    goes down, none for failed probes, and one when it is up."""
    source.set(cache_control="max-age=1")
    environ = {"GATEWAY_ORIGIN__BREAKER_OPEN_MS": "200", "GATEWAY_ORIGIN__BREAKER_FAILURES": "3"}
    environ |= {"GATEWAY_ORIGIN__BREAKER_MAX_OPEN_MS": "400", "GATEWAY_ORIGIN__RETRIES": "0"}
    with running_gateway(config, environ=environ) as gateway:
        assert 200 == get(gateway).status_code
        source.set(cache_control="max-age=1", drip_bytes_per_s=5)
        with ThreadPoolExecutor(4) as strangers:
            asked = [f"/v1/play/unknown/{number}.m3u8" for number in range(4)]
            refused = list(strangers.map(lambda path: get(gateway, path).status_code, asked))
        assert [504] * 4 == refused
        gateway.wait_for("origin_down")
        opened = f'gateway_origin_breaker_changes_total{{origin="{source.url}vod/",state="open"}}'
        deadline = time.monotonic() + 30
        with Viewers(gateway.url) as viewers:
            while metric(gateway.admin_url, opened) < 3:
                assert time.monotonic() < deadline, "the origin was not tried again"
                time.sleep(0.2)
        assert [] == viewers.failures
        assert (1, 0) == (len(gateway.lines("origin_down")), len(gateway.lines("origin_up")))
        source.set(cache_control="max-age=1")
        wait_for(gateway, 200, "ok")
        gateway.wait_for("origin_up")
        assert (1, 1) == (len(gateway.lines("origin_down")), len(gateway.lines("origin_up")))
