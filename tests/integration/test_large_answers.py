"""What goes out is bounded as what comes in; what is large is computed beside the event loop."""

import asyncio
import json
from typing import Any

import pytest

from gateway.app import Application
from gateway.ladder.periods import fit_all as app_fit
from gateway.play.compression import compress
from gateway.play.decision_json import members
from gateway.play.hls.manifest import playlist_for
from manifests.hls.multivariant import parse
from tests.integration.in_process import application, ask
from tests.integration.threads import Threads, kind

MOST = 4_000_000
"""Twice ``limits.max_playlist_bytes``."""


def variants(count: int, uri: str = "v{}.m3u8", attributes: str = "") -> str:
    """So many variants."""
    return "".join(
        f"#EXT-X-STREAM-INF:BANDWIDTH={number}{attributes}\n{uri.replace('{}', str(number))}\n"
        for number in range(1, count + 1)
    )


def defined(count: int, length: int) -> str:
    """Variants whose URIs are a variable of that length."""
    return f'#EXT-X-DEFINE:NAME="a",VALUE="{"x" * length}"\n' + variants(count, "{$a}/{}")


FOLDER = "/".join(["folder" * 6] * 12)
"""A long asset id: each URI below an edge has it."""
CATALOGUE = {
    "small": variants(8),
    "large": variants(2_500),
    f"{FOLDER}/long": variants(12_000),
    "defines": defined(6_000, 8_191 - 10),
    "few-defines": defined(100, 1_000),
    "asks": '#EXT-X-DEFINE:QUERYPARAM="q"\n' + variants(500, "{$q}" * 40),
    "asks-little": '#EXT-X-DEFINE:QUERYPARAM="q"\n' + variants(500, "v{}.m3u8?t={$q}"),
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """A gateway with these titles. Its first profile changes nothing."""
    folder = tmp_path_factory.mktemp("large")
    for asset, text in CATALOGUE.items():
        file = folder / "catalogue" / asset / "master.m3u8"
        file.parent.mkdir(parents=True)
        file.write_text(f"#EXTM3U\n{text}", "utf-8")
    config = folder / "gateway.toml"
    config.write_text(
        '[source]\nkind = "directory"\nroot = "catalogue"\n[[edges]]\nid = "e"\nfallback = true\n'
        'url = "https://us-east-1.cdn.example.com/videos/"\n'
        '[profiles.all]\ndevice_limits = false\n[[rules]]\nwhen = {}\nprofile = "all"\n',
        "utf-8",
    )
    return application(config)


async def answer(app: Application, path: str, query: bytes = b"", **options: Any) -> Any:
    """Status and body; a problem's body is parsed."""
    status, _, body = await ask(app, path, query, **options)
    return status, body if status == 200 else json.loads(body)


PLAYLISTS = [
    ("small", b"", 200, ""),
    ("large", b"", 200, ""),
    (f"{FOLDER}/long", b"", 502, f"longer than {MOST} characters"),
    ("defines", b"", 502, "variables add over 2000000 characters"),
    ("few-defines", b"", 200, ""),
    ("asks", b"q=x", 200, ""),
    ("asks", b"q=" + b"x" * 1024, 400, 'query parameter "q": it adds over 1000000 characters'),
    ("asks-little", b"q=" + b"x" * 1024, 200, ""),
]


@pytest.mark.parametrize(("asset", "query", "status", "why"), PLAYLISTS)
async def test_playlists(app: Application, asset: str, query: bytes, status: int, why: str) -> None:
    """Each is within the bound, or refused with the reason, also as JSON."""
    found, body = await answer(app, f"/v1/play/{asset}.m3u8", query)
    assert status == found, body
    assert len(body) <= MOST
    if status == 200:
        assert CATALOGUE[asset].count("#EXT-X-STREAM-INF") == len(parse(body, "x", MOST).variants)
    else:
        assert why in body["detail"]
        assert len(body["detail"]) < 1000


async def test_a_decision_of_a_long_ladder(app: Application) -> None:
    """As JSON it may be too large; with other members it is not."""
    path = f"/v1/play/{FOLDER}/long"
    found, body = await answer(app, path)
    assert (422, "urn:problem:streaming-gateway:answer-too-large") == (found, body["type"])
    found, body = await answer(app, path, b"fields=asset,cdn_endpoint")
    assert (200, "us-east-1.cdn.example.com") == (found, json.loads(body)["cdn_endpoint"])
    found, body = await answer(app, "/v1/play/large")
    assert (200, 2_500) == (found, len(json.loads(body)["ladder"]))


async def batch(app: Application, assets: list[str], query: bytes = b"") -> tuple[int, Any]:
    """The size of the answer to a batch, and its decisions."""
    asked = json.dumps({"assets": assets}).encode()
    status, body = await answer(app, "/v1/decisions", query, method="POST", body=asked)
    assert status == 200, body
    return len(body), json.loads(body)["decisions"]


async def test_a_batch_is_bounded_as_a_whole(app: Application) -> None:
    """Its decisions are those of single requests, as many as fit; the others are problems."""
    size, found = await batch(app, ["large"] * 35)
    assert MOST * 0.8 < size <= MOST + 35 * 500
    fit = sum("problem" not in each for each in found)
    assert 5 < fit < 35
    assert [422] * (35 - fit) == [each["problem"]["status"] for each in found[fit:]]
    _, alone = await answer(app, "/v1/play/large")
    assert [json.loads(alone)] * fit == found[:fit]
    _, found = await batch(app, ["large"] * 100, b"fields=cdn_endpoint")
    assert [{"cdn_endpoint": "us-east-1.cdn.example.com"}] * 100 == found


async def test_a_batch_of_long_queries(app: Application) -> None:
    """The query is in each decision."""
    query = b"x=" + b"%22<" * 1_900
    size, found = await batch(app, ["small"] * 100, query)
    assert size < MOST
    assert {"http://gateway.test/v1/play/small.m3u8?x=" + "%22%3C" * 1_900} == {
        each["manifest_url"] for each in found
    }


@pytest.mark.parametrize("asset", ["small", "large"])
async def test_what_is_large_is_computed_in_a_thread(
    app: Application, asset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing, compressing and fitting; of a small playlist nothing is."""
    threads = Threads()
    noted = threads.noted
    monkeypatch.setattr("gateway.play.hls.answer.playlist_for", noted("write", playlist_for))
    monkeypatch.setattr("gateway.play.bodies.compress", noted("compress", compress))
    monkeypatch.setattr("gateway.play.play.members", noted("json", members))
    monkeypatch.setattr("gateway.decision.fit_all", noted("fit", app_fit))
    here = kind()
    for path in (f"/v1/play/{asset}.m3u8", f"/v1/play/{asset}"):
        query = b"max_bitrate=1&speed=77"
        await ask(app, path, query, [(b"accept-encoding", b"zstd")])
    where = here if asset == "small" else "offload"
    assert {"write": where, "compress": where, "json": where, "fit": where} == threads.by_name


async def test_zstd_in_two_threads_at_once() -> None:
    """Each thread has a compressor of its own."""
    bodies = [bytes([number]) * 300_000 + b"#EXTM3U\n" for number in range(8)]
    expected = [compress(body, "zstd") for body in bodies]
    found = await asyncio.gather(*(asyncio.to_thread(compress, body, "zstd") for body in bodies))
    assert expected == found
