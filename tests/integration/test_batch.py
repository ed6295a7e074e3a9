"""``POST /v1/decisions``: each asset gets the same decision as in a request of its own."""

import json
import time
from pathlib import Path

import httpx
import pytest

from gateway.config.load import load
from gateway.store.connection.redis import GET_ALL
from tests.integration.in_process import application, asking
from tests.integration.running import running_gateway
from tests.unit.store.servers import Valkey, valkey

VIEWER = {
    "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15",
    "X-Forwarded-For": "103.4.145.1",
}


def ask(client: httpx.Client, assets: list[str], query: str = "") -> httpx.Response:
    """One batch."""
    body = json.dumps({"assets": assets})  # ASCII: a lone surrogate is \\ud800
    return client.post(f"/v1/decisions{query}", content=body, headers=VIEWER)


def test_each_is_what_it_is_alone(client: httpx.Client) -> None:
    """Equal members and values, in the order of the request; an asset may be named twice."""
    assets = ["film/2", "a", "film/2", "live/ch~1"]
    query = "?speed=2000&max_resolution=720p&session=batch-1"
    alone = [client.get(f"/v1/play/{name}{query}", headers=VIEWER).json() for name in assets]
    together = ask(client, assets, query)
    assert (200, "application/json") == (together.status_code, together.headers["content-type"])
    assert alone == together.json()["decisions"]


def test_fields_select_members_of_each(client: httpx.Client) -> None:
    """``fields`` selects members, as for a single asset."""
    found = ask(client, ["a", "b"], "?fields=asset,cdn_endpoint").json()["decisions"]
    assert [{"asset", "cdn_endpoint"}] * 2 == [set(decision) for decision in found]
    refused = ask(client, ["a"], "?fields=nothing")
    assert (400, "fields") == (refused.status_code, refused.json()["parameter"])


def test_one_bad_asset_spoils_nothing(client: httpx.Client) -> None:
    """An asset without a decision has a problem in its place; the others are unaffected."""
    found = ask(client, ["a", "../etc", "\ud800", "b"]).json()["decisions"]
    assert ["a", "../etc", "\ud800", "b"] == [each["asset"] for each in found]
    assert [None, 404, 404, None] == [each.get("problem", {}).get("status") for each in found]
    codecs = ask(client, ["a"], "?codecs=vp9").json()["decisions"]
    assert 406 == codecs[0]["problem"]["status"]


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 400, "bad-body"),
        (b"[]", 400, "bad-body"),
        (b"[" * 100_000, 400, "bad-body"),
        (b'{"assets": "a"}', 400, "bad-body"),
        (b'{"assets": [1]}', 400, "bad-body"),
        (b'{"assets": []}', 400, "bad-body"),
        (b'{"assets": [' + b'"a",' * 100 + b'"a"]}', 400, "bad-body"),
        (b'{"assets": ["' + b"a" * 140_000 + b'"]}', 413, "body-too-large"),
        (b"\xff", 400, "bad-body"),
    ],
)
def test_what_is_no_batch(client: httpx.Client, body: bytes, status: int, kind: str) -> None:
    """A malformed body is a problem that says what is allowed."""
    answer = client.post("/v1/decisions", content=body)
    assert (status, kind) == (answer.status_code, answer.json()["type"].rpartition(":")[2])


def test_a_hundred_are_asked_for_in_one_round_trip(tmp_path: Path) -> None:
    """Redis sees one script, and nothing else is read, however many assets there are."""
    with valkey(tmp_path) as server, running_gateway(None, environ=_on(server)) as gateway:
        assets = [f"film/{number}" for number in range(100)]
        with httpx.Client(base_url=gateway.url, timeout=10) as client:
            server.command("SCRIPT", "LOAD", GET_ALL.text)
            with server.client() as watcher, watcher.monitor() as monitor:
                first = ask(client, assets).json()["decisions"]
                again = ask(client, assets).json()["decisions"]
                server.command("PUBLISH", "end", "now")
                seen = list(iter(lambda: monitor.next_command()["command"], "PUBLISH end now"))
            assert first == again
            reads = [words for words in seen if GET_ALL.sha.decode() in words]
            assert 1 == len(reads), "all of them are known to this process after the first"
            # A hundred ladders and one ranking of the edges, which the script reads one by one.
            assert 101 == sum(words.startswith("GETRANGE gw1:d:") for words in seen)
            assert not any(words.startswith(("GET ", "MGET ")) for words in seen)


def test_without_redis_every_asset_has_its_decision(tmp_path: Path) -> None:
    """Decisions are computed, and the request waits no longer than the store's deadline."""
    with valkey(tmp_path) as server, running_gateway(None, environ=_on(server)) as gateway:
        server.freeze()
        with httpx.Client(base_url=gateway.url, timeout=10) as client:
            started = time.monotonic()
            found = ask(client, [f"a{number}" for number in range(100)]).json()["decisions"]
            took_s = time.monotonic() - started
        server.thaw()
    assert 100 == len([each for each in found if each["ladder"]])
    assert took_s < 3


async def test_a_batch_in_process_has_sources_of_its_own(tmp_path: Path) -> None:
    """A directory source with a good, a missing and an unplayable asset."""
    catalogue = tmp_path / "catalogue"
    for name, text in (
        ("good", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nu.m3u8\n"),
        ("bad", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"),
    ):
        (catalogue / name).mkdir(parents=True)
        (catalogue / name / "master.m3u8").write_text(text)
    config = tmp_path / "gateway.toml"
    config.write_text(
        '[source]\nkind = "directory"\nroot = "catalogue"\n'
        '[[edges]]\nid = "e"\nurl = "https://e.example/"\nfallback = true\n'
    )
    assert load(config, {}).settings.source.kind == "directory"
    app = application(config)
    async with asking(app) as client:
        answer = await client.post("/v1/decisions", json={"assets": ["good", "none", "bad"]})
    found = answer.json()["decisions"]
    assert [None, 404, 502] == [each.get("problem", {}).get("status") for each in found]
    assert found[0]["ladder"][0]["uri"].endswith("/good/u.m3u8")


def _on(server: Valkey) -> dict[str, str]:
    return {"GATEWAY_STORE__URL": server.url, "GATEWAY_STORE__TIMEOUT_MS": "500"}
