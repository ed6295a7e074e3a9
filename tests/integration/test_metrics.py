"""The metrics, and their agreement with ``docs/metrics.md``."""

import platform
import re
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.http.routes import ROUTES as ALL_ROUTES
from gateway.http.routes import TABLES, label_of
from gateway.listener import OPERATORS as FOR_OPERATORS
from gateway.listener import PLAYERS
from gateway.store.coordination.bus import TOPICS
from tests.integration.in_process import OPERATORS, application, asking
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text("utf-8")
VERSION = version("streaming-gateway")

ROUTES = [
    ("/v1/play/a.m3u8", "play_hls"),
    ("/v1/play/a/b.mpd", "play_dash"),
    ("/v1/play/a", "play_json"),
    ("/v1/play/", "play_json"),
    ("/v1/steering/a", "steering"),
    ("/v1/cmcd", "cmcd"),
    ("/v1/cmcd/x", "other"),
    ("/v1/probe", "probe"),
    ("/livez", "livez"),
    ("/livezz", "other"),
    ("/readyz", "readyz"),
    ("/metrics", "metrics"),
    ("/openapi.json", "openapi"),
    ("", "other"),
    ("/v1/play", "other"),
    ("/\x00\u20ac", "other"),
]


@pytest.mark.parametrize(("path", "expected"), ROUTES)
def test_a_route_has_one_of_a_fixed_set_of_names(path: str, expected: str) -> None:
    """Labels never come from a player."""
    found = next(filter(None, (table.find(path) for table in TABLES.values())), None)
    assert expected == label_of(found, path)


def values_on_the_page(metric_name: str, label: str) -> set[str]:
    """The values that the page lists for a label of a metric."""
    row = re.search(rf"^\| `{metric_name}` \|.*?`{label}` \(`([a-z_ ]+)`\)", PAGE, re.MULTILINE)
    assert row is not None
    return set(row[1].split())


def test_the_page_lists_every_route() -> None:
    """Of both listeners."""
    names = {
        route.label(route.path + suffix)
        for route in ALL_ROUTES
        for suffix in ("", "a.m3u8", "a.mpd")
    }
    assert names | {"other"} == values_on_the_page("gateway_requests_total", "route")


def test_the_page_lists_every_topic_and_task() -> None:
    """Topics of the bus, and every name under which work is supervised."""
    assert set(TOPICS) == values_on_the_page("gateway_bus_published_total", "topic")
    sources = [path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*.py")]
    names = {"store", *(f"certificate_{each}" for each in (PLAYERS, FOR_OPERATORS))}
    names |= {found for text in sources for found in re.findall(r'supervise\(\s*"(\w+)"', text)}
    names |= set(application()._background_tasks())
    assert names == values_on_the_page("gateway_background_task_failures_total", "task")


def families(text: str) -> dict[str, set[str]]:
    """Every metric of ours that is exposed, by its name on the page, with its labels."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith(("gateway_", "process_")):
            name = family.name + ("_total" if family.type == "counter" else "")
            found.setdefault(name, set())
            for sample in family.samples:
                found[name] |= set(sample.labels) - {"le"}
    return found


async def test_the_page_lists_every_metric_and_its_labels() -> None:
    """Names and labels of ``docs/metrics.md`` are those of ``/metrics``, no more, no less."""
    listed = {
        name: set(re.findall(r"`([a-z]+)`", re.sub(r"\(.*?\)", "", labels)))
        for name, labels in re.findall(r"^\| `(gateway_\w+)` \|(.*?)\|", PAGE, re.MULTILINE)
    }
    listed |= {name: set() for name in re.findall(r"^\| `(process_\w+)` \|", PAGE, re.MULTILINE)}
    app = application()
    async with app.lifespan(app), asking(app) as client:
        for path in ("/v1/play/film.m3u8", "/v1/play/..", "/livez"):
            await client.get(path)
        found = families((await client.get(f"{OPERATORS}/metrics")).text)
    assert set(listed) == set(found)
    for name, labels in found.items():
        assert labels <= listed[name], name


def test_requests_decisions_edges_and_problems_are_counted(
    default_gateway: RunningGateway, client: httpx.Client
) -> None:
    """One request increments each of these counters by one."""
    url = default_gateway.admin_url
    viewer = {"User-Agent": "", "X-Forwarded-For": "133.11.1.1"}
    client.get("/v1/play/counted.m3u8", headers=viewer)
    names = [
        'gateway_requests_total{route="play_hls",status="200"}',
        'gateway_request_seconds_count{route="play_hls"}',
        'gateway_decisions_total{cache="local",device="unknown",profile="wifi"}',
        'gateway_edge_selections_total{edge="ap-southeast-1"}',
    ]
    before = [metric(url, name) for name in names]
    client.get("/v1/play/counted.m3u8", headers=viewer)
    assert [value + 1 for value in before] == [metric(url, name) for name in names]
    problems = 'gateway_problems_total{problem="no-such-asset"}'
    refused = metric(url, problems)
    client.get("/v1/play/a//b", headers=viewer)
    assert refused + 1 == metric(url, problems)
    assert 1 == metric(url, "gateway_store_up")
    build = f'gateway_build_info{{python="{platform.python_version()}",version="{VERSION}"}}'
    assert 1 == metric(url, build)
    assert metric(url, "gateway_geo_database_build_seconds") > 1_700_000_000
    assert 1 == metric(url, "gateway_geo_database_embedded")


def test_the_text_format(default_gateway: RunningGateway) -> None:
    """Prometheus's own parser reads the answer, and the content type names the version."""
    answer = httpx.get(f"{default_gateway.admin_url}/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "no-store" == answer.headers["Cache-Control"]
    assert len(list(text_string_to_metric_families(answer.text))) > 10
