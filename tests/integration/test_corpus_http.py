"""Playlists of real packagers, as a running gateway serves them."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import m3u8
import pytest

from manifests.hls.multivariant import ManifestError, MultivariantPlaylist, parse
from tests.integration.running import RunningGateway, running_gateway

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "hls"

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"NOT RUN: the playlist corpus is not at {CORPUS}"
)

EDGE = "https://edge.example/vod/"
SHIPPED = f"""
[source]
kind = "directory"
root = "catalogue"
[store]
url = "memory"
[[edges]]
id = "only"
url = "{EDGE}"
fallback = true
"""
KEEP_EVERYTHING = f"""
{SHIPPED}
[profiles.everything]
device_limits = false
[[rules]]
when = {{}}
profile = "everything"
"""
VALUE = "a-token_of-this-player"

AGENTS = {
    "phone": "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Mobile Safari/537.36",
    "desktop": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36",
    "tv": "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko) "
    "85.0.4183.93/6.5 TV Safari/537.36",
}
SPEEDS = ("300", "8000", None)


def sources() -> dict[str, bytes]:
    """Every playlist of the corpus by its asset id."""
    return {path.stem: path.read_bytes() for path in sorted(CORPUS.rglob("*.m3u8"))}


def reading(data: bytes) -> MultivariantPlaylist | ManifestError:
    """The parsed playlist, or the error when it cannot be served."""
    try:
        return parse(data)
    except ManifestError as error:
        return error


def gateway_of(folder: Path, config: str) -> Iterator[RunningGateway]:
    """A gateway whose catalogue is the corpus."""
    for asset, data in sources().items():
        (folder / "catalogue" / asset).mkdir(parents=True)
        (folder / "catalogue" / asset / "master.m3u8").write_bytes(data)
    (folder / "gateway.toml").write_text(config, "utf-8")
    with running_gateway(folder / "gateway.toml") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A profile that keeps everything."""
    yield from gateway_of(tmp_path_factory.mktemp("keeping"), KEEP_EVERYTHING)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """The shipped profiles and rules."""
    yield from gateway_of(tmp_path_factory.mktemp("shipped"), SHIPPED)


def without_uris(text: str) -> str:
    """A playlist with all URIs replaced by one, and query variables by plain ones."""
    text = re.sub(r'QUERYPARAM="([^"]*)"', rf'NAME="\1",VALUE="{VALUE}"', text)
    text = re.sub(r'URI="[^"]*"', 'URI="<uri>"', text)
    return re.sub(r"(?<=[\r\n])(?!#)[^\r\n]+", "<uri>", text)


def query_of(playlist: MultivariantPlaylist) -> dict[str, str]:
    """The query parameters that a playlist requires."""
    return dict.fromkeys(playlist.query_parameters, VALUE)


def test_a_kept_playlist_differs_only_in_its_uris(keeping: RunningGateway) -> None:
    """A2.2 over HTTP: comments, CRLF, vendor tags, odd spacing and order come out as they were."""
    served = 0
    with httpx.Client(base_url=keeping.url) as client:
        for asset, data in sources().items():
            playlist = reading(data)
            if isinstance(playlist, ManifestError):
                continue
            answer = client.get(f"/v1/play/{asset}.m3u8", params=query_of(playlist))
            source = data.decode("utf-8-sig").lstrip()
            assert 200 == answer.status_code, (asset, answer.text)
            assert without_uris(source) == without_uris(answer.content.decode()), asset
            served += 1
    assert served > 200


def test_every_uri_leads_somewhere(keeping: RunningGateway) -> None:
    """A10.1: no URI is relative; those that were are below the edge's URL."""
    with httpx.Client(base_url=keeping.url) as client:
        for asset, data in sources().items():
            playlist = reading(data)
            if isinstance(playlist, ManifestError):
                continue
            answer = client.get(f"/v1/play/{asset}", params=query_of(playlist))
            for variant, rung in zip(playlist.variants, answer.json()["ladder"], strict=True):
                absolute = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", variant.uri)
                assert rung["uri"].startswith(
                    ("http:", "https:", "data:", "test:") if absolute else EDGE
                ), (asset, rung)


def test_what_cannot_be_played_is_a_problem_that_says_why(keeping: RunningGateway) -> None:
    """502 with the file, the line and the clause; never a broken playlist."""
    refused = 0
    with httpx.Client(base_url=keeping.url) as client:
        for asset, data in sources().items():
            fault = reading(data)
            if not isinstance(fault, ManifestError):
                continue
            answer = client.get(f"/v1/play/{asset}.m3u8")
            detail = answer.json()["detail"]
            assert 502 == answer.status_code, asset
            assert "urn:problem:streaming-gateway:bad-source" == answer.json()["type"]
            assert f"{asset}/master.m3u8" in detail
            assert re.search(r"\bline \d+|:\d+:", detail), detail
            assert fault.clause in detail
            refused += 1
    assert refused > 40


@pytest.mark.parametrize("agent", AGENTS)
def test_no_playlist_is_ever_empty_or_dangling(shipped: RunningGateway, agent: str) -> None:
    """A11.1 and A11.2 for every playable playlist, at every speed, under the shipped policy."""
    with httpx.Client(base_url=shipped.url, headers={"User-Agent": AGENTS[agent]}) as client:
        for asset, data in sources().items():
            source = reading(data)
            if isinstance(source, ManifestError):
                continue
            before = dangling(data.decode("utf-8-sig"))
            for speed in SPEEDS:
                query = query_of(source) | ({} if speed is None else {"speed": speed})
                answer = client.get(f"/v1/play/{asset}.m3u8", params=query)
                where = f"{asset} for a {agent} at {speed}"
                assert 200 == answer.status_code, (where, answer.text)
                found = parse(answer.content, asset)
                assert found.variants, where
                assert dangling(answer.text) <= before, where


def dangling(text: str) -> set[tuple[str, str]]:
    """The groups that variants refer to and that do not exist."""
    there, wanted = set(), set()
    for line in text.splitlines():
        names = dict(re.findall(r'([A-Z0-9-]+)="?([^",]*)', line))
        if line.startswith("#EXT-X-MEDIA:"):
            there.add((names.get("TYPE", ""), names.get("GROUP-ID", "")))
        elif line.startswith("#EXT-X-STREAM-INF:"):
            types = ("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS")
            wanted |= {(kind, names[kind]) for kind in types if names.get(kind, "NONE") != "NONE"}
    return wanted - there


def test_a_second_reader_agrees(shipped: RunningGateway) -> None:
    """The ``m3u8`` library finds the same rungs in a playlist as the decision lists."""
    compared = 0
    with httpx.Client(base_url=shipped.url, headers={"User-Agent": AGENTS["desktop"]}) as client:
        for asset, data in sources().items():
            source = reading(data)
            if isinstance(source, ManifestError) or source.faults or source.query_parameters:
                continue
            ladder = client.get(f"/v1/play/{asset}").json()["ladder"]
            try:
                other = m3u8.loads(client.get(f"/v1/play/{asset}.m3u8").text)
            except (KeyError, ValueError):  # its own limits with tags that are not ours (G2)
                continue
            assert [(rung["bandwidth"], rung["uri"]) for rung in ladder] == [
                (variant.stream_info.bandwidth, variant.uri) for variant in other.playlists
            ], asset
            compared += 1
    assert compared > 80
