"""The nginx of docs/edges-must-serve.md sends what the page asks of an edge."""

import http.client
import shutil
from collections.abc import Iterator

import pytest

from tests.missing import missing
from tests.nginx import running_nginx
from tests.pages.blocks import ROOT, page
from tests.ports import free_port

PAGE = "docs/edges-must-serve.md"
FILES = {
    "index.m3u8": "application/vnd.apple.mpegurl",
    "manifest.mpd": "application/dash+xml",
    "1.m4s": "video/mp4",
    "1.ts": "video/mp2t",
    "en.vtt": "text/vtt",
}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real nginx with the blocks of the page; gives its port."""
    if shutil.which("nginx") is None:
        missing("nginx is not here: apt-get install nginx-light")
    folder, port = tmp_path_factory.mktemp("edge"), free_port()
    for title in ("film", "live/news"):
        media = folder / "media" / "videos" / title
        media.mkdir(parents=True)
        for name in FILES:
            (media / name).write_text(name, "utf-8")
    http_block, server_block = [each.text for each in page(PAGE).blocks if each.language == "nginx"]
    server = f"server {{ listen 127.0.0.1:{port};\nroot {folder}/media;\n{server_block}\n}}"
    with running_nginx(folder, f"{http_block}\n{server}", port):
        yield port


def headers(
    port: int, name: str, *, title: str = "film", method: str = "GET"
) -> tuple[int, dict[str, str]]:
    """The status and the headers of a file of the edge, names in lower case."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(
            method, f"/videos/{title}/{name}", headers={"Origin": "https://a.example"}
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}
    finally:
        connection.close()


@pytest.mark.parametrize(("title", "changes"), [("film", "3600"), ("live/news", "2")])
@pytest.mark.parametrize("name", FILES)
def test_an_edge_sends_what_players_need(edge: int, name: str, title: str, changes: str) -> None:
    """Each kind of file has its type, CORS and timing headers, and a lifetime that suits it."""
    status, sent = headers(edge, name, title=title)
    assert (status, sent["content-type"]) == (200, FILES[name])
    assert sent["access-control-allow-origin"] == sent["timing-allow-origin"] == "*"
    assert sent["access-control-expose-headers"] == (
        "Content-Length, Content-Range, Date, Server-Timing"
    )
    assert sent["accept-ranges"] == "bytes"
    lists = name.endswith((".m3u8", ".mpd"))
    assert sent["cache-control"] == f"max-age={changes if lists else '86400, immutable'}"


@pytest.mark.parametrize("name", ["index.m3u8", "1.m4s"])
def test_preflights_are_answered(edge: int, name: str) -> None:
    """Browsers ask them before requests with CMCD in headers, or with some ranges."""
    status, sent = headers(edge, name, method="OPTIONS")
    assert (status, sent["access-control-allow-origin"]) == (204, "*")
    assert sent["access-control-allow-methods"] == "GET, HEAD"
    allowed = sent["access-control-allow-headers"].split(", ")
    assert allowed == ["Range", "CMCD-Object", "CMCD-Request", "CMCD-Session", "CMCD-Status"]
    assert int(sent["access-control-max-age"]) > 0


def test_pages_may_read_errors(edge: int) -> None:
    """Otherwise a player cannot tell a segment that is missing from a network that is broken."""
    status, sent = headers(edge, "gone.m4s")
    assert (status, sent["access-control-allow-origin"]) == (404, "*")
    assert "cache-control" not in sent


def test_the_headers_of_the_page_are_those_of_its_nginx() -> None:
    """What the table names and a file server can send is in the blocks."""
    text = (ROOT / PAGE).read_text("utf-8")
    blocks = "".join(each.text for each in page(PAGE).blocks if each.language == "nginx")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    named = {row.split("`")[1].rstrip(":") for row in rows}
    assert {"Access-Control-Allow-Origin", "Timing-Allow-Origin", "Cache-Control"} <= named
    for name in named - {"Content-Type", "Accept-Ranges: bytes"}:
        assert f"add_header {name} " in blocks
