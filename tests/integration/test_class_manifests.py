"""Class manifests: live MPDs that a cache may keep, from the first answer to the last refresh."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.app import Application
from gateway.config.load import load
from gateway.edge.fleet import EdgeCondition
from gateway.play import decide
from gateway.play.dash import class_answer
from gateway.play.dash.class_answer import cache_times
from gateway.play.decide import load_source
from gateway.play.steering import drawn_name
from tests.integration.dash_titles import mpd, put
from tests.integration.in_process import MEMORY, OPERATORS, application, ask, asking
from tests.integration.test_dash import bases, heights, location

PUBLIC = "https://play.example"
EDGES = "".join(
    f'[[edges]]\nid = "{name}"\nurl = "https://{name}.example/v/"\nfallback = true\n'
    for name in ("e1", "e2", "e3", "e4")
)
KEYS = '[[keys.ring]]\nid = "k1"\nsecret = "0123456789012345678901234567890123456789"\n'
ROTATED = (
    '[[keys.ring]]\nid = "k2"\nsecret = "abcdefghijabcdefghijabcdefghijabcdefghij"\n'
    + KEYS
    + 'status = "verify-only"\n'
)
ON = f'[server]\npublic_url = "{PUBLIC}"\n[dash]\nclass_manifests = true\n'
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36"
)
TELEVISION = (
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko) "
    "85.0.4183.93/6.5 TV Safari/537.36"
)
ANDROID = "Film/1.0 (Linux; Android 14) AndroidXMedia3/1.8.0"
LIVE = "/v1/play/live.mpd"
QUERY_INFO = (
    '<EssentialProperty schemeIdUri="urn:mpeg:dash:urlparam:2014" '
    'xmlns:up="urn:mpeg:dash:schema:urlparam:2014"><up:UrlQueryInfo queryTemplate="$querypart$" '
    'useMPDUrlQuery="true"/></EssentialProperty>'
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue."""
    folder = tmp_path_factory.mktemp("classes") / "catalogue"
    live = mpd("dynamic")
    put(folder, "live/manifest.mpd", live)
    put(folder, "other/manifest.mpd", live)
    put(folder, "film/manifest.mpd", mpd())
    put(folder, "nested/manifest.mpd", live.replace("<SegmentT", "<BaseURL>d/</BaseURL><SegmentT"))
    at = live.index("      <Representation")
    put(folder, "query/manifest.mpd", live[:at] + QUERY_INFO + live[at:])
    return folder


def made(root: Path, more: str = ON + KEYS, edges: str = EDGES) -> Application:
    """A gateway over it."""
    return application(written(root, more, edges))


def written(root: Path, more: str, edges: str = EDGES) -> Path:
    """Its config."""
    config = root.parent / "gateway.toml"
    config.write_text(f'{more}[source]\nkind = "directory"\nroot = "{root}"\n{edges}')
    return config


def client_of(app: Application, agent: str = BROWSER) -> httpx.AsyncClient:
    """A player."""
    found = asking(app)
    found.headers["User-Agent"] = agent
    return found


def refreshed(answer: httpx.Response) -> str:
    """The path of the next request."""
    url = urlsplit(location(answer.text))
    assert (PUBLIC, "") == (f"{url.scheme}://{url.netloc}", url.query)
    assert re.fullmatch(r"/v1/class/[A-Za-z0-9_.-]{60,110}/[a-z]+\.mpd", url.path)
    return url.path


async def test_the_first_answer_is_the_manifest_of_the_class(root: Path) -> None:
    """The same bytes, on every gateway with the same keys and config, whoever asks, whatever the
    query, in every content coding, with the same entity tag; and they lead to themselves."""
    one, two = made(root), made(root)
    async with client_of(one) as client, client_of(two, "curl/8") as other:
        asked = f"{LIVE}?speed=6000&session=abc&CMCD=sid%3D%22x%22"
        first = await client.get(asked)
        path = refreshed(first)
        for coding in ("identity", "gzip", "br", "zstd", "gzip;q=0"):
            headers = {"Accept-Encoding": coding}
            mine = await client.get(asked, headers=headers)
            assert mine.content == first.content
            answers = [
                await client.get(f"{path}?CMCD=bl%3D100&speed=x&max_resolution=1", headers=headers),
                await other.get(path, headers={**headers, "X-Forwarded-For": "103.4.145.245"}),
            ]
            for answer in answers:
                assert (200, first.content) == (answer.status_code, answer.content)
                assert mine.headers["ETag"] == answer.headers["ETag"]
                assert mine.headers.get("Content-Encoding") == answer.headers.get(
                    "Content-Encoding"
                )
        assert "abc" not in first.text
        assert {240, 360, 720, 1080} == heights(first.text)


async def test_its_headers_are_for_every_cache(root: Path) -> None:
    """And none of them depends on the request, the time, or the gateway; 304 and HEAD have them."""
    app = made(root)
    async with client_of(app) as client:
        path = refreshed(await client.get(f"{LIVE}?speed=6000"))
        answer = await client.get(
            path, headers={"X-Request-ID": "mine", "Origin": "https://page.example"}
        )
        tag = answer.headers["Cache-Tag"]
        assert re.fullmatch(r"asset/live,class/[0-9a-f]{16}", tag)
        expected = {
            "cache-control": "public, max-age=2, s-maxage=2, stale-while-revalidate=1",
            "vary": "Accept-Encoding",
            "etag": answer.headers["ETag"],
            "surrogate-key": tag.replace(",", " "),
            "cache-tag": tag,
            "content-encoding": answer.headers["Content-Encoding"],
            "content-type": "application/dash+xml",
            "content-length": answer.headers["Content-Length"],
            "access-control-allow-origin": "*",
            "access-control-expose-headers": answer.headers["Access-Control-Expose-Headers"],
            "timing-allow-origin": "*",
        }
        assert expected == dict(answer.headers)
        known = await client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        kept = {name for name in expected if not name.startswith("content-")}
        assert (304, kept) == (known.status_code, {*known.headers})
        assert expected == dict((await client.head(path)).headers)
        first = await client.get(LIVE)
        assert "private, max-age=2" == first.headers["Cache-Control"]
        assert "X-Request-ID" in first.headers


async def test_pages_of_all_origins_share_a_class(root: Path) -> None:
    """Whatever server.cors_origins says: one copy is for all of them."""
    only = ON.replace("[dash]", 'cors_origins = ["https://page.example"]\n[dash]')
    async with client_of(made(root, only + KEYS)) as client:
        answer = await client.get(refreshed(await client.get(LIVE)))
        assert ["*"] == answer.headers.get_list("access-control-allow-origin")
        assert ["Accept-Encoding"] == answer.headers.get_list("vary")


async def test_equal_results_are_one_class(root: Path) -> None:
    """Whatever led to them: device, speed, limits of the request. Another result is another one."""
    app = made(root, edges='[[edges]]\nid = "e1"\nurl = "https://e1.example/v/"\nfallback = true\n')
    same = [
        (BROWSER, "speed=6000"),
        (BROWSER, "speed=7000&session=s"),
        (TELEVISION, "speed=9000"),
        (BROWSER, "speed=90000&max_resolution=1080p"),
        (BROWSER, "speed=90000&max_bitrate=2500"),
        (BROWSER, "speed=90000&max_bitrate=7999"),
        (BROWSER, ""),
    ]
    async with asking(app) as client:
        paths = set()
        for agent, query in same:
            answer = await client.get(f"{LIVE}?{query}", headers={"User-Agent": agent})
            assert {240, 360, 720, 1080} == heights(answer.text), (agent, query)
            paths.add(refreshed(answer))
        assert 1 == len(paths)
        others = [
            refreshed(await client.get(f"{LIVE}?{query}", headers={"User-Agent": BROWSER}))
            for query in ("max_resolution=720p", "max_resolution=360p", "speed=90000")
        ]
        assert 4 == len({*others, *paths})


async def test_the_hour_changes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class is the same in an hour, and in a year."""
    app = made(root)
    async with client_of(app) as client:
        first = await client.get(f"{LIVE}?session=s")
        path = refreshed(first)
        monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
        assert first.content == (await client.get(path)).content
        assert first.content == (await client.get(f"{LIVE}?session=s")).content


async def test_one_class_has_one_text(root: Path) -> None:
    """No other spelling of a key is taken, nor a key of another asset, purpose or gateway."""
    app, stranger = made(root), made(root, ON + KEYS.replace("0123", "9876"))
    async with client_of(app) as client, client_of(stranger) as forger:
        answer = await client.get(LIVE)
        path = refreshed(answer)
        key = path.split("/")[3]
        steering = re.search(r"state=([A-Za-z0-9_.-]+)", answer.text)
        assert steering is not None
        refused = [
            refreshed(await forger.get(LIVE)),
            f"/v1/class/{key}/other.mpd",
            f"/v1/class/{steering[1]}/live.mpd",
            f"/v1/class/{key}=/live.mpd",
            f"/v1/class/{key}A/live.mpd",
            f"/v1/class/{key[:-1]}/live.mpd",
            f"/v1/class/{'A' * 3000}/live.mpd",
            "/v1/class/x/live.mpd",
            "/v1/class//live.mpd",
        ]
        last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        refused += [f"/v1/class/{key[:-1]}{each}/live.mpd" for each in last if each != key[-1]]
        for each in refused:
            problem = await client.get(each)
            assert 404 == problem.status_code, each
            assert problem.json()["type"].endswith(":no-such-class")
            assert "no-store" == problem.headers["Cache-Control"]
        for each in (f"/v1/class/{key}/live.m3u8", f"/v1/class/{key}", "/v1/class/"):
            assert 404 == (await client.get(each)).status_code
        assert 405 == (await client.post(path)).status_code
        assert 404 == (await client.get(OPERATORS + path)).status_code


async def test_an_asset_without_a_source(root: Path) -> None:
    """A key is for an asset, which may have gone since."""
    put(root, "gone/manifest.mpd", mpd("dynamic"))
    app = made(root)
    async with client_of(app) as client:
        path = refreshed(await client.get("/v1/play/gone.mpd"))
        (root / "gone/manifest.mpd").unlink()
        await app.gateway.runtime.source.purge("gone")
        assert 404 == (await client.get(path)).status_code


async def test_a_dead_edge_is_replaced_by_the_next(root: Path) -> None:
    """For everybody of the class alike, and only as long as it is dead."""
    app = made(root)
    async with app.lifespan(app), client_of(app) as client:
        first = await client.get(LIVE)
        path = refreshed(first)
        edge, substitute = [url.split("/")[2].split(".")[0] for url in bases(first.text)[:2]]
        app.keeper.judged("test", {edge: EdgeCondition("down")})
        moved = await client.get(path)
        assert moved.content != first.content
        assert substitute in bases(moved.text)[0]
        assert edge not in "".join(bases(moved.text))
        assert (path, heights(first.text)) == (refreshed(moved), heights(moved.text))
        every = {f"e{at}": EdgeCondition("down") for at in range(1, 5)}
        app.keeper.judged("test", every)
        assert edge in bases((await client.get(path)).text)[0]
        app.keeper.judged("test", {})
        assert first.content == (await client.get(path)).content


async def test_a_key_outlives_configs_and_keys(root: Path) -> None:
    """Rules, profiles, edges and the signing key change: what was led to a class is served on, with
    the same Representations; a new key signs its next URL. So it is when classes are off again."""
    app = made(root)
    async with client_of(app) as client:
        first = await client.get(f"{LIVE}?speed=6000")
        path, [edge, substitute, *_] = refreshed(first), bases(first.text)
        name = edge.split("/")[2].split(".")[0]
        changed = (
            "[profiles.small]\nmax_height = 240\n[policy]\ndefault_profile = 'small'\n"
            "[[rules]]\nwhen = {}\nprofile = 'small'\n"
        )
        fewer = "".join(
            f"[[edges]]{each}" for each in EDGES.split("[[edges]]")[1:] if f'"{name}"' not in each
        )
        app._apply(load(written(root, ON + ROTATED + changed, fewer), MEMORY))
        after = await client.get(path)
        assert (200, heights(first.text)) == (after.status_code, heights(after.text))
        assert substitute == bases(after.text)[0]
        renewed = refreshed(after)
        assert renewed != path
        assert after.content == (await client.get(renewed)).content
        assert {240} == heights((await client.get(LIVE)).text)
        app._apply(load(written(root, ROTATED + changed, fewer), MEMORY))
        assert 200 == (await client.get(path)).status_code
        assert "/v1/play/live.mpd?" in location((await client.get(LIVE)).text)


async def test_a_reload_meanwhile_changes_nothing_of_an_answer(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is that of one config: the one in force when its source was asked for."""
    app = made(root)
    async with client_of(app) as client:
        first = await client.get(LIVE)
        path = refreshed(first)
        again = await client.get(path)
        old = load(written(root, ON + KEYS), MEMORY)
        new = load(written(root, KEYS), MEMORY)  # nothing is public, and no class begins
        for module in (decide, class_answer):

            async def loaded(*asked: Any, **more: Any) -> Any:
                source = await load_source(*asked, **more)
                app._apply(new)
                return source

            monkeypatch.setattr(module, "load_source", loaded)
        for asked, expected in ((LIVE, first), (path, again)):
            app._apply(old)
            answer = await client.get(asked)
            assert not app.gateway.runtime.settings.dash.class_manifests
            assert expected.content == answer.content
            assert expected.headers["Cache-Control"] == answer.headers["Cache-Control"]


async def test_codecs_that_are_gone_are_given_up(root: Path) -> None:
    """The request that made the class would be answered with 406; the class is served on."""
    live = mpd("dynamic")
    hevc = live.replace('id="v1080"', 'id="v1080" x="1"').replace(
        'height="1080" codecs="avc1.64001f"', 'height="1080" codecs="hvc1.1.6.L120"'
    )
    put(root, "codecs/manifest.mpd", hevc)
    app = made(root)
    async with client_of(app) as client:
        first = await client.get("/v1/play/codecs.mpd?codecs=hevc&speed=90000")
        assert {1080} == heights(first.text)
        put(root, "codecs/manifest.mpd", live)
        await app.gateway.runtime.source.purge("codecs")
        after = await client.get(refreshed(first))
        assert (200, {1080}) == (after.status_code, {1080} & heights(after.text))


async def test_a_refresh_has_the_newest_version(root: Path) -> None:
    """With the same Representations and another entity tag; and a title that ends becomes static,
    without a Location."""
    put(root, "newer/manifest.mpd", mpd("dynamic", published="10:00:00"))
    app = made(root)
    async with client_of(app) as client:
        first = await client.get("/v1/play/newer.mpd?speed=6000")
        path = refreshed(first)
        put(root, "newer/manifest.mpd", mpd("dynamic", published="10:00:04"))
        await app.gateway.runtime.source.purge("newer")
        later = await client.get(path)
        assert 'T10:00:04Z"' in later.text
        assert (path, heights(first.text)) == (refreshed(later), heights(later.text))
        assert first.headers["ETag"] != later.headers["ETag"]
        put(root, "newer/manifest.mpd", mpd())
        await app.gateway.runtime.source.purge("newer")
        last = await client.get(path)
        assert (200, heights(first.text)) == (last.status_code, heights(last.text))
        assert "<Location" not in last.text
        assert (
            "public, max-age=5, s-maxage=5, stale-while-revalidate=0"
            == (last.headers["Cache-Control"])
        )


async def test_what_stays_personal(root: Path) -> None:
    """A static MPD, which is asked for once; one whose segments get parameters of the viewer; and
    all of them where the config does not say otherwise."""
    async with client_of(made(root)) as client:
        assert "<Location" not in (await client.get("/v1/play/film.mpd")).text
        personal = await client.get("/v1/play/query.mpd?token=x")
        assert f"{PUBLIC}/v1/play/query.mpd?token=x&state=" in location(personal.text)
        refreshed(await client.get("/v1/play/query.mpd?session=s"))
    async with client_of(made(root, KEYS)) as client:
        assert "/v1/play/live.mpd?state=" in location((await client.get(LIVE)).text)


async def test_equal_edges_follow_in_few_orders(root: Path) -> None:
    """The viewers of an edge share a few classes, and do not all go on to the same edge."""
    async with client_of(made(root)) as client:
        orders: dict[str, set[tuple[str, ...]]] = {}
        paths: dict[str, set[str]] = {}
        for number in range(120):
            answer = await client.get(f"{LIVE}?session=s{number}")
            first, *others = bases(answer.text)
            orders.setdefault(first, set()).add(tuple(others))
            paths.setdefault(first, set()).add(refreshed(answer))
        assert 4 == len(orders)
        assert all(1 < len(found) <= 4 for found in orders.values())
        assert {name: len(found) for name, found in orders.items()} == {
            name: len(found) for name, found in paths.items()
        }


async def test_a_player_that_mixes_edges_has_a_class_with_one(root: Path) -> None:
    """media3 would load each Representation from another one."""
    async with client_of(made(root)) as client:
        for agent, count in ((ANDROID, 1), (BROWSER, 3)):
            answer = await client.get("/v1/play/nested.mpd", headers={"User-Agent": agent})
            again = await client.get(refreshed(answer))
            assert answer.content == again.content
            assert count == len([url for url in bases(again.text) if url.startswith("https://")]), (
                agent
            )


async def test_the_session_lives_in_the_steering_manifest(root: Path) -> None:
    """The text of ContentSteering is that of the class. The first answer there makes a session of
    it, with a name that nobody else has, and the next ones know what it has seen."""
    app = made(root)
    async with client_of(app) as client:
        answer = await client.get(f"{LIVE}?session=mine")
        edges = [url.split("/")[2].split(".")[0] for url in bases(answer.text)]
        found = re.search(r">(https://play.example/v1/steering/live\?state=[^<&]+)<", answer.text)
        assert found is not None
        names, left = set(), ""
        for _ in range(5):
            first = json.loads((await client.get(found[1])).text)
            assert edges[0] == first["PATHWAY-PRIORITY"][0]
            query = parse_qs(urlsplit(first["RELOAD-URI"]).query)
            [name] = query["session_name"]
            assert re.fullmatch(r"[0-9a-f]{40}", name)
            names.add(name)
            report = '&_DASH_pathway="{}"&_DASH_throughput=5000000'
            url = first["RELOAD-URI"] + report.format(edges[0])
            second = json.loads((await client.get(url)).text)
            assert [name] == parse_qs(urlsplit(second["RELOAD-URI"]).query)["session_name"]
            left = second["RELOAD-URI"] + report.format(edges[1])
        assert 5 == len(names)
        app.keeper.judged("test", {edges[0]: EdgeCondition("down")})
        moved = json.loads((await client.get(left)).text)
        assert edges[0] != moved["PATHWAY-PRIORITY"][0]
        named = json.loads((await client.get(f"{found[1]}&CMCD=sid%3D%22mine%22")).text)
        [own] = parse_qs(urlsplit(named["RELOAD-URI"]).query)["session_name"]
        assert own not in names
    async with client_of(made(root, KEYS)) as client:
        answer = await client.get(LIVE)
        url = re.search(r">(http://[^<]*/v1/steering/live\?state=[^<&]+)<", answer.text)
        assert url is not None
        assert "session_name" not in (await client.get(url[1])).text


async def test_a_drawn_name_takes_no_second_lease(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer took one under another name, or under none: what follows is a session
    without a name."""
    app = made(root)
    seen: list[str] = []
    monkeypatch.setattr(
        type(app.gateway.whereabouts), "seen", lambda *_, **__: seen.append("named")
    )
    monkeypatch.setattr(
        type(app.gateway.whereabouts), "seen_unnamed", lambda *_, **__: seen.append("unnamed")
    )
    monkeypatch.setattr(type(app.gateway.leases), "active", True)
    async with client_of(app) as client:
        answer = await client.get(LIVE)
        url = re.search(r">(https://[^<]*/v1/steering/live\?state=[^<&]+)<", answer.text)
        assert url is not None
        edge = bases(answer.text)[0].split("/")[2].split(".")[0]
        report = f"&_DASH_pathway={edge}&_DASH_throughput=5000000"
        for more in ("", "&session=mine"):
            first = json.loads((await client.get(url[1] + more)).text)
            await client.get(first["RELOAD-URI"] + report)
        assert ["unnamed", "named"] == seen


def test_names_are_drawn() -> None:
    """Each viewer has its own, of the length of a session's name."""
    assert 20 == len(drawn_name(2**64 - 1))
    assert drawn_name(1) != drawn_name(2)


TIMES = [
    (None, (5, 5, 0)),
    (0.0, (0, 0, 0)),
    (1.0, (0, 0, 0)),
    (1.5, (0, 1, 0)),
    (2.0, (1, 1, 0)),
    (3.0, (1, 1, 1)),
    (4.0, (2, 2, 1)),
    (6.0, (3, 3, 2)),
    (10.5, (5, 5, 5)),
    (3600.0, (5, 1800, 1799)),
]


@pytest.mark.parametrize(("update_s", "expected"), TIMES)
def test_caches_keep_it_for_less_than_a_period(
    update_s: float | None, expected: tuple[int, int, int]
) -> None:
    """All together, in whole seconds; nothing fits into a second."""
    assert expected == cache_times(update_s, 0.5, 5)
    if update_s:
        assert sum(expected[1:]) < update_s


async def test_without_a_public_url_nothing_is_kept(root: Path) -> None:
    """A key outlives the config that made it, but its answer then names the Host that was asked."""
    app = made(root)
    async with client_of(app) as client:
        path = refreshed(await client.get(LIVE))
        app._apply(load(written(root, KEYS), MEMORY))
        answer = await client.get(path)
        assert (200, "no-store") == (answer.status_code, answer.headers["Cache-Control"])
        assert "http://gateway.test/v1/class/" in location(answer.text)


async def test_the_bytes_on_the_wire_are_equal(root: Path) -> None:
    """In each coding, also where one gateway has had other requests before; and for ids with
    slashes, and encodings other than UTF-8."""
    text = mpd("dynamic").replace("UTF-8", "UTF-16").encode("utf-16")
    put(root, "a/b~1.x/manifest.mpd", text)
    one, two = made(root), made(root)
    async with client_of(one) as client:
        first = await client.get("/v1/play/a/b~1.x.mpd")
        found = re.search("/v1/class/[^<]+", first.content.decode("utf-16"))
        assert found is not None
        await client.get(LIVE)
    for coding in (b"identity", b"gzip", b"br", b"zstd"):
        headers = [(b"accept-encoding", coding)]
        answers = [await ask(app, found[0], b"x=%zz", headers) for app in (one, two)]
        assert answers[0] == answers[1]
        assert 200 == answers[0][0]
    assert first.content == (await ask(two, found[0]))[2]


async def test_an_mpd_says_where_to_start(root: Path) -> None:
    """With start.in_mpd, the start is a part of the class: a slower viewer has another one."""
    app = made(root, ON + "[start]\nin_mpd = true\n" + KEYS)
    async with client_of(app) as client:
        targets = {}
        for query in ("speed=6000", "speed=6100", "speed=5100"):
            answer = await client.get(f"{LIVE}?{query}&max_resolution=1080p")
            [target] = re.findall(r'target="([0-9]+)"', answer.text)
            targets[refreshed(answer)] = target
            assert answer.content == (await client.get(refreshed(answer))).content
        assert {"2500000"} == set(targets.values())
        slow = await client.get(f"{LIVE}?codecs=avc")
        assert refreshed(slow) not in targets


async def test_a_forged_key_loads_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before the source is asked."""
    app = made(root)
    monkeypatch.setattr(app.gateway.runtime.source, "load", None)
    status, _, _ = await ask(app, "/v1/class/k1.AAAA/live.mpd", b"%ff&speed=x")
    assert 404 == status
