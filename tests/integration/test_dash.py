"""MPDs over HTTP: what a player of DASH gets, and how it differs from HLS."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from prometheus_client import REGISTRY

from gateway.app import Application
from tests.integration.dash_titles import EDGES, LADDER, mpd, playlist, put
from tests.integration.in_process import OPERATORS, application, ask, asking
from tests.integration.test_truth_table import ADDRESSES, CAPS, OTHERS, PHONES, expected_profile

NS = {"": "urn:mpeg:dash:schema:mpd:2011"}
OSLO = {"X-Forwarded-For": "129.240.2.6", "User-Agent": OTHERS["desktop"]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with titles in one format or both."""
    folder = tmp_path_factory.mktemp("dash") / "catalogue"
    put(folder, "film/manifest.mpd", mpd())
    put(folder, "film/master.m3u8", playlist())
    put(folder, "live/manifest.mpd", mpd("dynamic"))
    put(folder, "told/manifest.mpd", mpd("dynamic").replace('minimumUpdatePeriod="PT4S" ', ""))
    put(folder, "only-dash/manifest.mpd", mpd())
    put(folder, "only-hls/master.m3u8", playlist())
    put(folder, "bad/manifest.mpd", "<MPD/>")
    put(folder, "utf16/manifest.mpd", mpd("dynamic").replace("UTF-8", "UTF-16").encode("utf-16"))
    return folder


@pytest.fixture(scope="module")
def app(root: Path) -> Application:
    """A gateway over it, with the shipped rules."""
    config = root.parent / "gateway.toml"
    config.write_text(f'[source]\nkind = "directory"\nroot = "{root}"\n{EDGES}')
    return application(config)


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A client in Oslo."""
    async with asking(app) as found:
        found.headers.update(OSLO)
        yield found


def parsed(text: str | bytes) -> ET.Element:
    """The MPD element."""
    return ET.fromstring(text)  # noqa: S314  # the gateway's own


def heights(text: str) -> set[int]:
    """The heights of the video Representations."""
    found = parsed(text).findall("Period/AdaptationSet/Representation", NS)
    return {int(each.attrib["height"]) for each in found if "height" in each.attrib}


def bases(text: str) -> list[str]:
    """The BaseURLs of the MPD."""
    return [each.text or "" for each in parsed(text).findall("BaseURL", NS)]


def location(text: str) -> str:
    """Where the player asks again."""
    [found] = parsed(text).findall("Location", NS)
    return found.text or ""


def decision(answer: httpx.Response, *names: str) -> list[str]:
    """Members of the Gateway-Decision header."""
    text = answer.headers["Gateway-Decision"]
    found = [re.search(rf'{name}="?([^",]+)', text) for name in names]
    return ["" if each is None else each[1] for each in found]


async def test_an_mpd(client: httpx.AsyncClient) -> None:
    """The ladder of the client, from its edge, with the headers of every manifest."""
    answer = await client.get("/v1/play/film.mpd?speed=6000")
    assert (200, "application/dash+xml") == (answer.status_code, answer.headers["Content-Type"])
    assert ["wifi", "4"] == decision(answer, "profile", "rungs")
    assert {240, 360, 720, 1080} == heights(answer.text)
    [edge] = decision(answer, "edge")
    assert f"https://{edge}.example/videos/film/" == bases(answer.text)[0]
    assert "private, max-age=5" == answer.headers["Cache-Control"]
    assert "<Location" not in answer.text
    for name in ("ETag", "Vary", "Accept-CH", "Server-Timing", "X-Request-ID"):
        assert name in answer.headers
    assert "*" == answer.headers["Access-Control-Allow-Origin"]
    assert "*" == answer.headers["Timing-Allow-Origin"]


@pytest.mark.parametrize("device", [*PHONES, *OTHERS])
async def test_the_truth_table(client: httpx.AsyncClient, device: str) -> None:
    """Every device and country, at the speeds around each boundary: as for HLS."""
    for country, (address, _) in ADDRESSES.items():
        headers = {"User-Agent": {**PHONES, **OTHERS}[device], "X-Forwarded-For": address}
        for speed in (300, 1000, 3000, 5000.4, 20000.4, None):
            query = {} if speed is None else {"speed": str(speed)}
            dash = await client.get("/v1/play/film.mpd", params=query, headers=headers)
            profile = expected_profile(device, country, speed)
            kbps, height = CAPS[profile]
            wanted = {tall for tall, rate in LADDER.items() if tall <= height and rate <= kbps}
            assert (profile, wanted) == (decision(dash, "profile")[0], heights(dash.text))


async def test_one_decision_for_both_formats(client: httpx.AsyncClient) -> None:
    """Profile, rungs and edge; the JSON decision names the format's manifest."""
    for speed in (300, 6000, 90_000):
        hls = await client.get(f"/v1/play/film.m3u8?speed={speed}")
        dash = await client.get(f"/v1/play/film.mpd?speed={speed}")
        names = ("profile", "device", "country", "speed", "edge", "rungs")
        assert decision(hls, *names) == decision(dash, *names)


async def test_the_json_decision_of_an_mpd(client: httpx.AsyncClient) -> None:
    """HLS first; ``format`` asks for the other. The rung to start on is the first of the ladder."""
    one = (await client.get("/v1/play/film?speed=1000")).json()
    two = (await client.get("/v1/play/film?speed=1000&format=dash")).json()
    three = (await client.get("/v1/play/only-dash?speed=1000")).json()
    assert "http://gateway.test/v1/play/film.m3u8?speed=1000" == one["manifest_url"]
    assert "http://gateway.test/v1/play/film.mpd?speed=1000" == two["manifest_url"]
    assert "http://gateway.test/v1/play/only-dash.mpd?speed=1000" == three["manifest_url"]
    for found in (two, three):
        assert one["quality_profile"] == found["quality_profile"]
        assert [each["height"] for each in one["ladder"]] == [
            each["height"] for each in found["ladder"]
        ]
        assert {"height": 360, "bandwidth": 500_000, "codecs": "avc1.64001f", "id": "v360"} == {
            name: value for name, value in found["ladder"][0].items() if name != "uri"
        }
    assert (await client.get(two["manifest_url"])).status_code == 200
    bad = await client.get("/v1/play/film?format=smooth")
    assert (400, "format") == (bad.status_code, bad.json()["parameter"])


async def test_a_batch_of_both(client: httpx.AsyncClient) -> None:
    """Each title by the format that it has; with ``format`` all by that one."""
    assets = {"assets": ["film", "only-dash", "only-hls", "nothing"]}
    found = (await client.post("/v1/decisions", json=assets)).json()["decisions"]
    assert [".m3u8", ".mpd", ".m3u8"] == [
        "." + each["manifest_url"].rpartition(".")[2] for each in found[:3]
    ]
    assert 404 == found[3]["problem"]["status"]
    found = (await client.post("/v1/decisions?format=dash", json=assets)).json()["decisions"]
    assert [True, True, False, False] == ["manifest_url" in each for each in found]


MISSING = [
    ("/v1/play/only-hls.mpd", "'only-hls' has no MPD; its HLS playlist is /v1/play/only-hls.m3u8"),
    (
        "/v1/play/only-dash.m3u8",
        "'only-dash' has no HLS playlist; its MPD is /v1/play/only-dash.mpd",
    ),
    ("/v1/play/nothing.mpd", "there is no asset 'nothing' that has an MPD"),
    ("/v1/play/nothing.m3u8", "there is no asset 'nothing'"),
    ("/v1/play/nothing", "there is no asset 'nothing'"),
]


@pytest.mark.parametrize(("path", "detail"), MISSING)
async def test_what_is_missing(client: httpx.AsyncClient, path: str, detail: str) -> None:
    """404, with what there is instead."""
    answer = await client.get(path)
    assert (404, detail) == (answer.status_code, answer.json()["detail"])


async def test_the_generated_ladder_has_no_mpd() -> None:
    """It cannot be made honestly: the answer says what is needed."""
    async with asking(application()) as client:
        answer = await client.get("/v1/play/film.mpd")
        assert 404 == answer.status_code
        assert "source.dash" in answer.json()["detail"]
        assert 200 == (await client.get("/v1/play/film.m3u8")).status_code
        assert 200 == (await client.get("/v1/play/film")).status_code
        assert 404 == (await client.get("/v1/play/film?format=dash")).status_code


async def test_an_mpd_that_cannot_be_played(client: httpx.AsyncClient) -> None:
    """502 that names the file, the element, the line and the clause."""
    answer = await client.get("/v1/play/bad.mpd")
    assert 502 == answer.status_code
    assert "bad/manifest.mpd" in answer.json()["detail"]
    assert "23009-1" in answer.json()["detail"]


async def test_codecs_that_no_representation_has(client: httpx.AsyncClient) -> None:
    """406, as for HLS."""
    assert 406 == (await client.get("/v1/play/film.mpd?codecs=av1")).status_code


async def test_validators_and_codings(client: httpx.AsyncClient) -> None:
    """304 for what the player has; HEAD has the headers of GET; every coding has its own tag."""
    tags = set()
    for coding in ("identity", "gzip", "br", "zstd"):
        headers = {"Accept-Encoding": coding}
        got = await client.get("/v1/play/film.mpd", headers=headers)
        head = await client.head("/v1/play/film.mpd", headers=headers)
        assert (got.headers["ETag"], got.headers["Content-Length"]) == (
            head.headers["ETag"],
            head.headers["Content-Length"],
        )
        assert b"" == head.content
        assert coding == got.headers.get("Content-Encoding", "identity")
        again = await client.get(
            "/v1/play/film.mpd", headers={**headers, "If-None-Match": got.headers["ETag"]}
        )
        assert (304, b"") == (again.status_code, again.content)
        tags.add(got.headers["ETag"])
    assert 4 == len(tags)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "identity"),
        ("gzip, identity;q=0", "gzip"),
        ("br, *;q=0", "br"),
        ("br, identity;q=0.1, *;q=0", "identity"),
        ("identity;q=0", "identity"),
    ],
)
async def test_a_short_manifest_is_compressed_for_those_who_take_no_other(
    root: Path, accepted: str, coding: str
) -> None:
    """A client may refuse a body without a coding (RFC 9110, 12.5.3)."""
    config = root.parent / "short.toml"
    more = "[server]\ncompress_min_bytes = 1000000\n"
    config.write_text(f'{more}[source]\nkind = "directory"\nroot = "{root}"\n{EDGES}')
    async with asking(application(config)) as client:
        for name in ("film.mpd", "film.m3u8"):
            answer = await client.get(f"/v1/play/{name}", headers={"Accept-Encoding": accepted})
            assert coding == answer.headers.get("Content-Encoding", "identity")


async def test_a_live_mpd_leads_back_to_the_gateway(client: httpx.AsyncClient) -> None:
    """Its Location keeps the limits of the request and the session, and nothing else of it. It may
    be kept for less than its update period."""
    query = "speed=6000&max_resolution=720p&session=a%26b&CMCD=mtp%3D300&token=secret"
    answer = await client.get(f"/v1/play/live.mpd?{query}")
    assert {240, 360, 720} == heights(answer.text)
    assert "private, max-age=2" == answer.headers["Cache-Control"]
    url = urlsplit(location(answer.text))
    assert ("http", "gateway.test", "/v1/play/live.mpd") == url[:3]
    found = parse_qs(url.query)
    assert {"max_resolution", "session", "state"} == set(found)
    assert ["a&b"] == found["session"]
    again = await client.get(location(answer.text))
    assert (200, heights(answer.text)) == (again.status_code, heights(again.text))
    assert answer.text == again.text


async def test_a_live_mpd_without_an_update_period_is_not_cached(client: httpx.AsyncClient) -> None:
    """Its media tell players when to ask again, which may be at once."""
    for query in ("told.mpd", "told?format=dash"):
        answer = await client.get(f"/v1/play/{query}")
        assert (200, "private, max-age=0") == (
            answer.status_code,
            answer.headers["Cache-Control"],
        )


async def test_fifty_refreshes_keep_the_filter_and_the_edge(client: httpx.AsyncClient) -> None:
    """Whatever the player measures meanwhile, and wherever it asks from."""
    first = await client.get("/v1/play/live.mpd?speed=6000")
    url, edges = location(first.text), bases(first.text)
    for number in range(50):
        headers = {"X-Forwarded-For": list(ADDRESSES.values())[number % len(ADDRESSES)][0]}
        cmcd = f"&CMCD=mtp%3D{100 + number * 1000},sid%3D%22s%22"
        again = await client.get(url + cmcd, headers=headers)
        assert (heights(first.text), edges) == (heights(again.text), bases(again.text))
        assert "wifi" == decision(again, "profile")[0]
        url = location(again.text)
        assert "CMCD" not in url
    fresh = await client.get(
        "/v1/play/live.mpd?speed=300", headers={"User-Agent": PHONES["iPhone"]}
    )
    assert {240} == heights(fresh.text)


STATES = ["", "x", "a.b", "%00", "state=", "A" * 3000, "auto-000000000000.AAAA", "%ff%fe"]


@pytest.mark.parametrize("state", STATES)
async def test_a_state_that_cannot_be_trusted_is_no_error(
    client: httpx.AsyncClient, state: str
) -> None:
    """It is decided afresh."""
    answer = await client.get(f"/v1/play/live.mpd?speed=300&state={state}")
    afresh = await client.get("/v1/play/live.mpd?speed=300")
    assert (200, afresh.text) == (answer.status_code, answer.text)


async def test_a_state_of_another_title_counts_for_nothing(client: httpx.AsyncClient) -> None:
    """Nor does one at a playlist."""
    state = parse_qs(
        urlsplit(location((await client.get("/v1/play/live.mpd?speed=300")).text)).query
    )
    wide = await client.get(
        "/v1/play/utf16.mpd", params={"speed": "6000", "state": state["state"][0]}
    )
    assert ["wifi", "4"] == decision(wide, "profile", "rungs")
    hls = await client.get(
        "/v1/play/film.m3u8", params={"speed": "6000", "state": state["state"][0]}
    )
    assert ["wifi"] == decision(hls, "profile")


async def test_utf_16(client: httpx.AsyncClient) -> None:
    """The answer has the encoding of the source, and the session in it too."""
    answer = await client.get("/v1/play/utf16.mpd?speed=6000&session=abc")
    text = answer.content.decode("utf-16")
    assert {240, 360, 720, 1080} == heights(text.partition("?>")[2])
    assert "session=abc&amp;" in text


HOSTILE = [
    ('x"><script>', "query"),
    ("</Location><BaseURL>https://evil.example/</BaseURL>", "query"),
    ("]]>", "query"),
    ("&#x0;&lt;", "query"),
    ('\'" onload="', "query"),
]


@pytest.mark.parametrize("text", [row[0] for row in HOSTILE])
async def test_no_text_of_a_player_becomes_markup(app: Application, text: str) -> None:
    """In any parameter, header or path."""
    for name in ("session", "codecs", "token", "CMCD", "state", "max_resolution", text):
        async with asking(app) as client:
            answer = await client.get("/v1/play/live.mpd", params={name: text}, headers=OSLO)
        if answer.status_code == 200:
            parsed(answer.text)
            assert "evil" not in "".join(bases(answer.text))
            assert text not in answer.text
        else:
            assert 400 == answer.status_code
    host = [(b"host", text.encode()), (b"user-agent", text.encode())]
    _, _, body = await ask(app, "/v1/play/live.mpd", headers=host)
    parsed(body)
    assert text.encode() not in body
    status, _, _ = await ask(app, f"/v1/play/{text}.mpd")
    assert 404 == status


async def test_operators_get_the_decision_alone(app: Application) -> None:
    """Manifests are for players."""
    async with asking(app) as client:
        answer = await client.get(f"{OPERATORS}/v1/play/film.mpd")
        assert 404 == answer.status_code
        found = (await client.get(f"{OPERATORS}/v1/play/film?format=dash")).json()
        assert found["reasons"]


async def test_openapi_says_so(client: httpx.AsyncClient) -> None:
    """The MPD is no longer reserved."""
    document = json.loads((await client.get("/openapi.json")).content)
    operations = document["paths"]["/v1/play/{asset}.mpd"]
    assert {"parameters", "get", "head"} == set(operations)
    assert "application/dash+xml" in operations["get"]["responses"]["200"]["content"]


async def test_a_proxy_that_ends_tls_says_so(app: Application) -> None:
    """What a player is given begins with https when a trusted proxy has told, and only then."""
    for peer, scheme in (("127.0.0.1", "https"), ("203.0.113.9", "http")):
        async with asking(app, peer) as client:
            client.headers["X-Forwarded-Proto"] = "https"
            answer = await client.get("/v1/play/live.mpd")
            assert location(answer.text).startswith(f"{scheme}://gateway.test/v1/play/live.mpd?")
            assert f">{scheme}://gateway.test/v1/steering/live?" in answer.text
            found = (await client.get("/v1/play/film")).json()
            assert found["manifest_url"] == f"{scheme}://gateway.test/v1/play/film.m3u8"


async def test_the_mpd_says_where_to_start(root: Path) -> None:
    """With ``start.in_mpd``, its target is the bit rate of the rung that the JSON decision lists
    first. A profile that keeps everything adds nothing."""
    config = root.parent / "start.toml"
    source = f'[source]\nkind = "directory"\nroot = "{root}"\n[start]\nin_mpd = true\n{EDGES}'
    config.write_text(source)
    kept = root.parent / "kept.toml"
    rule = '[[rules]]\nwhen = {}\nprofile = "whole"\n[profiles.whole]\ndevice_limits = false\n'
    kept.write_text(f"{source}\n{rule}")
    for path, is_said in [(config, True), (kept, False)]:
        async with asking(application(path)) as client:
            client.headers.update(OSLO)
            text = (await client.get("/v1/play/film.mpd")).text
            decision = (await client.get("/v1/play/film?format=dash")).json()
        found = parsed(text).findall("ServiceDescription/OperatingBandwidth", NS)
        expected = [str(-(-decision["ladder"][0]["bandwidth"] // 1000) * 1000)]
        assert (expected if is_said else []) == [each.attrib["target"] for each in found]


async def test_faults_of_an_mpd_are_counted_by_rule(app: Application, root: Path) -> None:
    """When it is read, not for each player."""

    def counted() -> float:
        labels = {"rule": "element-order"}
        return REGISTRY.get_sample_value("gateway_playlist_faults_total", labels) or 0.0

    wrong = mpd().replace('<AdaptationSet id="1"', '<Label>x</Label>\n    <AdaptationSet id="1"')
    late = wrong.replace("</Period>", "<BaseURL>x/</BaseURL></Period>")
    put(root, "faulty/manifest.mpd", late)
    before = counted()
    async with asking(app) as client:
        for _ in range(3):
            assert 200 == (await client.get("/v1/play/faulty.mpd")).status_code
    assert before + 1 == counted()


async def test_a_live_title_that_has_nothing_yet(root: Path) -> None:
    """E1: it is served as it is, decided and explained; players come back."""
    early = re.sub("<AdaptationSet.*</AdaptationSet>", "", mpd("dynamic"), flags=re.DOTALL)
    put(root, "early/manifest.mpd", early)
    config = root.parent / "early.toml"
    source = f'[source]\nkind = "directory"\nroot = "{root}"\n[cmcd]\ncmsd_name = "g"\n{EDGES}'
    config.write_text(source)
    async with asking(application(config)) as client:
        client.headers.update(OSLO)
        answer = await client.get("/v1/play/early.mpd?session=a&speed=900")
        assert 200 == answer.status_code, answer.text
        assert "rungs=0" in answer.headers["Gateway-Decision"]
        assert '"g";etp=900' == answer.headers["CMSD-Dynamic"]
        assert location(answer.text)
        again = await client.get(location(answer.text))
        assert 200 == again.status_code
        decision = (await client.get("/v1/play/early?format=dash")).json()
        assert [] == decision["ladder"]
