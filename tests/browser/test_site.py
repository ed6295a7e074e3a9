"""What ``/demo`` serves, without a browser: the page, its fence, and the players as pinned."""

import io
import re
import tarfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from demo import player
from demo.edges import EDGES, HOST, RunningEdge, listen, serve
from demo.site import SCRIPTS, site
from demo.viewers import PLACES

ORIGIN = "http://127.0.0.1:9010/"
RUNNING = [RunningEdge(edge, f"http://127.0.0.1:{9000 + n}/") for n, edge in enumerate(EDGES)]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the page, served over a real socket."""
    with listen(HOST, 0) as bound:
        url = f"http://{HOST}:{bound.getsockname()[1]}"
        async with (
            serve(site(RUNNING, "http://127.0.0.1:8090", ORIGIN), bound, lifespan=False),
            httpx.AsyncClient(base_url=url, trust_env=False) as client,
        ):
            yield client


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/demo", "text/html; charset=utf-8"),
        ("/demo/page.css", "text/css; charset=utf-8"),
        *((f"/demo/{name}", "text/javascript; charset=utf-8") for name in SCRIPTS),
        ("/demo/settings.json", "application/json"),
    ],
)
async def test_the_parts_of_the_page(http: httpx.AsyncClient, path: str, media_type: str) -> None:
    """Every part has its media type and the fence around scripts."""
    answer = await http.get(path)
    assert (200, media_type) == (answer.status_code, answer.headers["content-type"])
    assert "script-src 'self';" in answer.headers["content-security-policy"]


async def test_the_page_needs_no_other_host(http: httpx.AsyncClient) -> None:
    """Everything that the page names lies below /demo or is the gateway's own."""
    html = (await http.get("/demo")).text
    named = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert named
    assert all(name.startswith(("/", "#", "data:,")) for name in named)


async def test_the_fence_lets_media_in_from_the_edges_only(http: httpx.AsyncClient) -> None:
    """connect-src names this host, the three edges and the origin, nobody else."""
    policy = (await http.get("/demo")).headers["content-security-policy"]
    connect = next(part for part in policy.split("; ") if part.startswith("connect-src "))
    expected = ["'self'", "blob:", *(edge.url for edge in RUNNING), ORIGIN]
    assert expected == connect.split()[1:]


async def test_the_page_knows_edges_and_places(http: httpx.AsyncClient) -> None:
    """settings.json holds what the page cannot know by itself."""
    settings = (await http.get("/demo/settings.json")).json()
    expected = [(e.edge.id, e.edge.city, e.url) for e in RUNNING]
    assert expected == [(e["id"], e["city"], e["url"]) for e in settings["edges"]]
    assert list(PLACES) == [(p["name"], p["address"]) for p in settings["places"]]


@pytest.mark.parametrize("name", player.PLAYERS)
async def test_a_player_is_named_when_it_is_there(http: httpx.AsyncClient, name: str) -> None:
    """The page is told of a player, and gets it, exactly when it was fetched."""
    named = (await http.get("/demo/settings.json")).json()["players"]
    answer = await http.get(f"/demo/{name}")
    there = name in player.scripts()
    assert (there, 200 if there else 404) == (name in named, answer.status_code)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/demo/edges/demo-eu/kill", {"Origin": "https://elsewhere.example"}, 403),
        ("/demo/edges/demo-eu/kill", {}, 404),  # this site was given none to kill
        ("/demo/edges/nobody/kill", {}, 404),
    ],
)
async def test_edges_are_broken_by_the_page_alone(
    http: httpx.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    """Not by pages of other origins, and only those that there are."""
    assert status == (await http.post(path, headers=headers)).status_code


@pytest.mark.parametrize("path", ["/demo/index.html", "/demo/%2e%2e/site.py", "/site.py"])
async def test_nothing_else_is_served(http: httpx.AsyncClient, path: str) -> None:
    """The folder of the page, and what is beside it, are not open to the world."""
    expected = 404
    assert expected == (await http.get(path)).status_code


def archive(folder: Path, member: str, content: bytes) -> Path:
    """A npm archive with one file."""
    path = folder / "hls.js.tgz"
    with tarfile.open(path, "w:gz") as opened:
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        opened.addfile(entry, io.BytesIO(content))
    return path


async def test_an_archive_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    """Whatever npm brings must have the pinned hash, or its code is not used."""
    other = archive(tmp_path, "package/dist/hls.min.js", b"alert(1)")
    with pytest.raises(player.PlayerError, match="does not match the pinned hash"):
        player.unpack(other)


async def test_a_pinned_archive_without_the_script_is_told(tmp_path: Path) -> None:
    """An archive that lacks the script is one clear error."""
    other = archive(tmp_path, "package/readme", b"")
    with pytest.raises(player.PlayerError, match=r"does not contain package/dist/hls\.min\.js"):
        player.unpack(other, replace(player.HLS_JS, integrity=player.integrity(other)))


async def test_a_player_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    """The second start asks nobody."""
    target = tmp_path / "hls.js"
    target.write_text("// here")
    assert target == player.fetch(target=target)
    expected = "// here"
    assert expected == target.read_text()


async def test_without_npm_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No npm: one clear reason, and nothing is left behind."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(player.PlayerError, match="npm was not found"):
        player.fetch(target=tmp_path / "hls.js")
    assert not (tmp_path / "hls.js").exists()
