"""From a playlist to the events of its session's steering: who was told what, and who did it."""

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import Application
from gateway.client.cmcd_report import Report
from gateway.client.playback import KnownNames
from gateway.edge.fleet import EdgeCondition
from gateway.store.connection.keys import session_name
from tests.integration.in_process import application, asking
from tests.integration.test_events import events, on, pathways
from tests.integration.test_steering import EDGES
from tests.unit.store.servers import Valkey, until

NORWAY = {"X-Forwarded-For": "129.240.2.6"}
DOWN = EdgeCondition("down", 0.0)
SERVER_URI = re.compile(r'#EXT-X-CONTENT-STEERING:SERVER-URI="([^"]+)",PATHWAY-ID="([^"]+)"')


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "g.toml"
    path.write_text(EDGES.partition('[[edges]]\nid = "other"')[0])
    return path


@pytest.fixture
async def app(config: Path, server: Valkey) -> AsyncIterator[Application]:
    found = application(config, on(server))
    async with found.lifespan(found):
        yield found


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(app) as found:
        yield found


@dataclass
class Player:
    """A player that asks for its playlist, and then which pathway to use."""

    client: httpx.AsyncClient
    query: str = ""
    headers: dict[str, str] = field(default_factory=lambda: dict(NORWAY))
    url: str = ""
    told: list[str] = field(default_factory=list)

    async def start(self) -> None:
        """Get the playlist."""
        answer = await self.client.get(f"/v1/play/film.m3u8{self.query}", headers=self.headers)
        found = SERVER_URI.search(answer.text)
        assert found is not None
        self.url, pathway = found.groups()
        self.told = [pathway]

    async def ask(self, playing: str | None = None) -> list[str]:
        """Ask for the next steering manifest; what it names."""
        url = self.url if playing is None else f"{self.url}&_HLS_pathway=%22{playing}%22"
        body: dict[str, Any] = (await self.client.get(url, headers=self.headers)).json()
        self.url, self.told = body["RELOAD-URI"], body["PATHWAY-PRIORITY"]
        return self.told


def clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let so many seconds pass for the steering of sessions."""
    now = time.time() + seconds
    monkeypatch.setattr("gateway.play.steering.time.time", lambda: now)


async def moved(app: Application, player: Player) -> tuple[str, str]:
    """The edge that a new player has, and the one that it is told while the first one is down."""
    await player.start()
    (first,) = player.told
    await player.ask(first)
    app.keeper.judged("test", {first: DOWN})
    second = (await player.ask(first))[0]
    app.keeper.judged("test", {})
    return first, second


async def test_the_story_of_a_session_that_obeys(
    app: Application, client: httpx.AsyncClient, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer, the move, and that the player made it. What says nothing new is no
    event."""
    player = Player(client, "?session=abc")
    await player.start()
    (first,) = player.told
    await player.ask()
    for _ in range(3):
        await player.ask(first)
    app.keeper.judged("test", {first: DOWN})
    second = (await player.ask(first))[0]
    clock(monkeypatch, 40)
    for _ in range(3):
        await player.ask(second)
    await until(lambda: len(pathways(server)) == 3)
    begun, moved, followed = pathways(server)
    (decision,) = events(server)
    name = session_name("abc")[:8].hex()
    assert {name} == {event.session for event in (decision, begun, moved, followed)}
    assert ("film", "NO", 1.0) == (begun.asset, begun.country, begun.sample)
    assert (decision.edge, decision.edge, "fine", False, None, None) == (
        *(begun.edge, begun.before, begun.reason, begun.moved, begun.playing, begun.obeyed),
    )
    assert first in begun.priority
    assert len(begun.priority) == 3
    assert (second, first, "down", True, first, True) == (
        *(moved.edge, moved.before, moved.reason, moved.moved, moved.playing, moved.obeyed),
    )
    assert second == moved.priority[0]
    assert (second, second, "fine", False, second, True) == (
        *(followed.edge, followed.before, followed.reason, followed.moved),
        *(followed.playing, followed.obeyed),
    )


async def test_a_player_that_does_not_obey(
    app: Application, client: httpx.AsyncClient, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that it plays from elsewhere; later the gateway takes that for its choice."""
    player = Player(client, "?session=abc")
    first, second = await moved(app, player)
    await player.ask(first)
    clock(monkeypatch, 120)
    await player.ask(first)
    await until(lambda: len(pathways(server)) == 4)
    _, _, refused, left = pathways(server)
    assert (second, first, False) == (refused.before, refused.playing, refused.obeyed)
    assert (first, "failed", False) == (left.edge, left.reason, left.moved)


async def test_a_session_by_cmcd_is_the_same(client: httpx.AsyncClient, server: Valkey) -> None:
    player = Player(client, '?CMCD=sid%3D"abc"')
    await player.start()
    await player.ask()
    await until(lambda: len(pathways(server)) == 1)
    assert session_name("abc")[:8].hex() == pathways(server)[0].session


async def test_without_a_session_nothing_names_one(
    client: httpx.AsyncClient, server: Valkey
) -> None:
    """The playlist has no place for a name, and the event has null."""
    player = Player(client)
    await player.start()
    assert "session_name" not in player.url
    await player.ask()
    assert "session_name" not in player.url
    await until(lambda: len(pathways(server)) == 1)
    assert pathways(server)[0].session is None


@pytest.mark.parametrize("coding", ["identity", "gzip", "br", "zstd"])
async def test_sessions_of_a_class_differ_in_the_name_alone(
    client: httpx.AsyncClient, coding: str
) -> None:
    """Each gets its own name, an entity tag of its own bytes, and 304 for that tag alone."""
    headers = {**NORWAY, "Accept-Encoding": coding}
    url = "/v1/play/film.m3u8?session="
    decisions = {
        name: (await client.head(f"{url}{name}", headers=headers)).headers["gateway-decision"]
        for name in map(str, range(20))
    }
    same = [name for name in decisions if 'edge="e1"' in decisions[name]][:2]
    answers = [await client.get(f"{url}{name}", headers=headers) for name in (*same, same[0])]
    one, two, again = answers
    names = [session_name(name).hex() for name in same]
    assert one.text.replace(names[0], names[1]) == two.text != one.text
    assert (1, 1) == (one.text.count(names[0]), two.text.count(names[1]))
    assert (one.content, one.headers["etag"]) == (again.content, again.headers["etag"])
    assert one.headers["etag"] != two.headers["etag"]
    assert {coding} == {answer.headers.get("content-encoding", "identity") for answer in answers}
    tag = {**headers, "If-None-Match": one.headers["etag"]}
    assert 304 == (await client.get(f"{url}{same[0]}", headers=tag)).status_code
    assert 200 == (await client.get(f"{url}{same[1]}", headers=tag)).status_code


@pytest.mark.parametrize(
    "name", ["", "x", "abc", "0" * 39, "0" * 41, "g" * 40, "A" * 40, "%00" * 40, "é" * 40]
)
async def test_what_is_no_name_is_ignored(
    client: httpx.AsyncClient, server: Valkey, name: str
) -> None:
    """A player may send anything; nothing of it comes back."""
    player = Player(client)
    await player.start()
    player.url += f"&session_name={name}"
    await player.ask()
    assert "session_name" not in player.url
    await until(lambda: len(pathways(server)) == 1)
    assert pathways(server)[0].session is None


async def test_a_head_request_is_no_event(client: httpx.AsyncClient, server: Valkey) -> None:
    player = Player(client, "?session=abc")
    await player.start()
    await client.head(player.url, headers=NORWAY)
    await player.ask()
    await until(lambda: len(pathways(server)) == 1)


async def test_a_sample_has_the_pathways_of_its_sessions(config: Path, server: Valkey) -> None:
    """Decisions and pathways of a session are written together, or not at all."""
    app = application(config, on(server, sample="0.5"))
    async with app.lifespan(app), asking(app) as client:
        for number in range(60):
            player = Player(client, f"?session=s{number}")
            await player.start()
            await player.ask()
    told = {event.session for event in pathways(server)}
    assert told == {event.session for event in events(server)}
    assert 10 < len(told) < 50


CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
    "Safari/537.36"
)


async def test_a_player_that_repeats_what_it_was_told(
    app: Application, client: httpx.AsyncClient, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a page, and its first request names no pathway: it has not moved. One event says so, and
    its record stays where it is."""
    headers = {**NORWAY, "User-Agent": CHROME}
    player = Player(client, "?session=abc", headers)
    await player.start()
    (first,) = player.told
    await player.ask()
    app.keeper.judged("test", {first: DOWN})
    second = (await player.ask(first))[0]
    assert second != first
    app.keeper.judged("test", {})
    for later_s in (40, 80, 120, 160):
        clock(monkeypatch, later_s)
        assert second == (await player.ask(second))[0]
    await until(lambda: len(pathways(server)) == 3)
    told = pathways(server)[-1]
    assert (first, False, "fine") == (told.playing, told.obeyed, told.reason)
    record = app.gateway.sessions.fresh("abc")
    assert record is not None
    assert first == record.edge_of("film")


@pytest.mark.parametrize(("cdn", "playing"), [("first", "first"), ("second", "second")])
async def test_reports_tell_where_a_session_plays(
    app: Application,
    client: httpx.AsyncClient,
    server: Valkey,
    monkeypatch: pytest.MonkeyPatch,
    cdn: str,
    playing: str,
) -> None:
    """What it names as its CDN counts more than what it says to the steering server."""
    player = Player(client, "?session=abc")
    first, second = await moved(app, player)
    names = {"first": first, "second": second}
    record, _ = await app.gateway.sessions.get("abc")
    heard_s = time.time() + 39
    report = Report(state="p", cdn=names[cdn], time_ms=int(heard_s * 1000))
    known = KnownNames((first, second), frozenset(), frozenset())
    app.gateway.sessions.put("abc", record.heard((report,), heard_s, known))
    clock(monkeypatch, 40)
    monkeypatch.setattr("gateway.play.network_view.time.time", lambda: heard_s + 1)
    await player.ask(second)
    await until(lambda: len(pathways(server)) == 3)
    told = pathways(server)[-1]
    assert (names[playing], playing == "second") == (told.playing, told.obeyed)


async def test_nowhere_to_go_is_one_event(
    app: Application, client: httpx.AsyncClient, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session on an edge that drains, while all others are down, says so once."""
    player = Player(client, "?session=abc")
    await player.start()
    (first,) = player.told
    await player.ask(first)
    others = {edge.id: DOWN for edge in app.gateway.fleet.edges if edge.id != first}
    app.keeper.judged("test", {**others, first: EdgeCondition("draining", 0.0)})
    runtime = app.gateway.runtime
    app.gateway.runtime = replace(runtime, steering=replace(runtime.steering, leave_s=0))
    for later_s in (100, 200, 300, 400):
        clock(monkeypatch, later_s)
        await player.ask(first)
    app.keeper.judged("test", {first: DOWN})
    clock(monkeypatch, 500)
    assert first != (await player.ask(first))[0]
    await until(lambda: len(pathways(server)) == 3)
    assert ["fine", "nowhere", "down"] == [event.reason for event in pathways(server)]
