"""An answer that was given a moment ago is given again, and only as long as it is right."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.app import Application
from gateway.edge.fleet import EdgeCondition
from gateway.play import known
from tests.integration.in_process import application, asking

PATH = "/v1/play/film.m3u8"
PHONE = {
    "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15",
    "X-Forwarded-For": "81.2.69.142",
}
PLAYLIST = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH={}\nu.m3u8\n"


@pytest.fixture
def app(tmp_path: Path) -> Application:
    """A gateway over a folder, with one title."""
    (tmp_path / "catalogue" / "film").mkdir(parents=True)
    (tmp_path / "catalogue" / "film" / "master.m3u8").write_text(PLAYLIST.format(100_000))
    config = tmp_path / "gateway.toml"
    config.write_text('[source]\nkind = "directory"\nroot = "catalogue"\n')
    return application(config)


async def ask(client: httpx.AsyncClient, query: str = "", **headers: str) -> httpx.Response:
    """One request."""
    return await client.get(f"{PATH}{query}", headers={**PHONE, **headers})


def is_known(answer: httpx.Response) -> bool:
    """Whether it was kept from before."""
    return answer.headers["Server-Timing"].startswith("known;")


@pytest.mark.parametrize("query", ["", "?speed=900", "?session=s", "?session=s&speed=900"])
async def test_the_very_same_again(app: Application, query: str) -> None:
    """Same bytes, same headers but for what is each answer's own."""
    async with asking(app) as client:
        answers = [await ask(client, query) for _ in range(4)]
    # It is kept when it was asked for twice, and a session's when it is known where it plays from.
    assert [False, False] == [is_known(answer) for answer in answers[:2]]
    assert is_known(answers[-1])
    one, again = answers[-2], answers[-1]
    own = {"server-timing", "x-request-id"}
    assert one.content == again.content
    assert {k: v for k, v in one.headers.items() if k not in own} == {
        k: v for k, v in again.headers.items() if k not in own
    }
    assert again.headers["Gateway-Decision"].endswith("cache=local")
    assert one.headers["x-request-id"] != again.headers["x-request-id"]


async def test_what_is_asked_once_takes_no_room(app: Application) -> None:
    """Most requests never come again."""
    async with asking(app) as client:
        for number in range(50):
            await ask(client, f"?session=s{number}")
    assert 0 == len(app.gateway.known._kept)


async def test_at_once(app: Application) -> None:
    """A connection of ours is given the same answer without waiting; what is not known is left to
    the whole way, and nothing is written."""
    written: list[tuple[int, bytes, bytes]] = []

    def write(status: int, lines: bytes, body: bytes) -> bool:
        written.append((status, lines, body))
        return True

    async with asking(app) as client:
        answer = [await ask(client) for _ in range(3)][-1]
        headers = [(name.lower(), value) for name, value in answer.request.headers.raw]
    scope = {
        "type": "http",
        "method": "GET",
        "path": PATH,
        "query_string": b"",
        "client": ("127.0.0.1", 50000),
        "headers": headers,
    }
    assert not app.at_once({**scope, "query_string": b"speed=1"}, write)
    assert [] == written
    assert app.at_once(scope, write)
    [(status, lines, body)] = written
    given = [tuple(line.split(b": ", 1)) for line in lines.split(b"\r\n")[:-1]]
    own = {b"server-timing", b"x-request-id"}
    assert (answer.status_code, [each for each in answer.headers.raw if each[0] not in own]) == (
        status,
        [each for each in given if each[0] not in own],
    )
    length = int(answer.headers["content-length"])
    assert length == len(body)


OTHER_REQUESTS = [
    ("?speed=901", {}),
    ("?speed=900&a=b", {}),
    ("?speed=900", {"User-Agent": "Roku/DVP-14.0 (14.0.0.4000)"}),
    ("?speed=900", {"X-Forwarded-For": "81.2.69.143"}),
    ("?speed=900", {"Accept-Encoding": "identity"}),
    ("?speed=900", {"If-None-Match": "*"}),
    ("?speed=900", {"Save-Data": "on"}),
    ("?speed=900", {"CMCD-Request": "mtp=100"}),
    ("?speed=900", {"Sec-CH-UA-Mobile": "?1"}),
]


@pytest.mark.parametrize(("query", "headers"), OTHER_REQUESTS)
async def test_another_request(app: Application, query: str, headers: dict[str, str]) -> None:
    """Whatever an answer may depend on tells requests apart."""
    async with asking(app) as client:
        assert is_known([await ask(client, "?speed=900") for _ in range(3)][-1])
        assert not is_known(await ask(client, query, **headers))


def _reload(app: Application) -> None:
    app._apply(app._watcher.current)


def _lose_an_edge(app: Application) -> None:
    app.keeper.judged("test", {app.gateway.fleet.edges[0].id: EdgeCondition("down", admits=0)})


def _new_geo(app: Application) -> None:
    app.gateway.geo._swap()


def _new_source(app: Application) -> None:
    source = app.gateway.runtime.source
    source._forget()  # type: ignore[attr-defined]


def _time_goes_by(app: Application) -> None:
    kept = app.gateway.known._kept._young
    for key, one in kept.items():
        kept[key] = replace(one, until=one.until - known.KEPT_S)


def _capacity(app: Application) -> None:
    edges = [replace(edge, capacity_kbps=10_000_000) for edge in app.gateway.fleet.edges]
    app.keeper.found("config", edges)


@pytest.mark.parametrize(
    "change", [_reload, _lose_an_edge, _new_geo, _new_source, _time_goes_by, _capacity]
)
@pytest.mark.parametrize("query", ["?speed=900", "?session=s&speed=900"])
async def test_what_makes_it_another_answer(
    app: Application, query: str, change: Callable[[Application], None]
) -> None:
    """Config, fleet, GeoIP, source, age, leases: after each the request goes the whole way."""
    async with asking(app) as client:
        answers = [await ask(client, query) for _ in range(3)]
        assert is_known(answers[-1])
        change(app)
        assert not is_known(await ask(client, query))


async def test_a_session_that_measures_something_else(app: Application) -> None:
    """What it is remembered by decides where the request itself says nothing."""
    async with asking(app) as client:
        await ask(client, "?session=s&speed=9000")
        answers = [await ask(client, "?session=s") for _ in range(3)]
        assert is_known(answers[-1])
        for _ in range(5):
            await ask(client, "?session=s&speed=300")
        after = await ask(client, "?session=s")
    assert not is_known(after)
    assert "speed=300;src=session" in after.headers["Gateway-Decision"]


async def test_what_a_known_request_measured_is_remembered(app: Application) -> None:
    """The session learns from answers that were kept as well."""
    async with asking(app) as client:
        answers = [await ask(client, "?session=s&speed=4321") for _ in range(8)]
        assert is_known(answers[-1])
        assert 5 == len(app.gateway.sessions.fresh("s").estimate.samples)  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["/v1/play/no%0Aasset.m3u8", "/v1/play/no.m3u8", "/v1/play/film"])
async def test_what_is_never_kept(app: Application, path: str) -> None:
    """Problems and JSON decisions."""
    async with asking(app) as client:
        for _ in range(3):
            await client.get(path)
    assert 0 == len(app.gateway.known._kept)


async def test_rules_that_ask_for_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then an answer is good for its minute."""
    config = tmp_path / "gateway.toml"
    config.write_text(
        '[[rules]]\nwhen = { time_of_day = ["00:00-12:00"] }\nprofile = "mobile_2g"\n'
    )
    now = 1_700_000_000.0
    monkeypatch.setattr("gateway.play.play.time.time", lambda: now)
    app = application(config)
    async with asking(app) as client:
        assert is_known([await ask(client) for _ in range(3)][-1])
        now += 60
        assert not is_known(await ask(client))
