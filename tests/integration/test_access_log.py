"""The access log, as ``docs/logs.md`` describes it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.running import RunningGateway, running_gateway
from tests.integration.test_http import DESKTOP, NORWAY
from tests.integration.viewers import until

PAGE = (Path(__file__).parents[2] / "docs" / "logs.md").read_text("utf-8")
EXAMPLE = json.loads(re.findall(r"^\{\"event\": \"access\".*\}$", PAGE, re.MULTILINE)[0])
VARYING = {"timestamp", "pid", "ms", "cache", "bytes"}
VIEWER = {"User-Agent": DESKTOP, "X-Forwarded-For": NORWAY, "Accept-Encoding": "identity"}
ON = "[access_log]\nenabled = true\n"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its file."""
    path = tmp_path_factory.mktemp("access") / "gateway.toml"
    path.write_text(ON, "utf-8")
    return path


@pytest.fixture(scope="module")
def gateway(config: Path) -> Iterator[RunningGateway]:
    """Two workers that log every answer."""
    with running_gateway(config, "--workers", "2") as found:
        found.wait_for("started", 2)
        yield found


def use(gateway: RunningGateway, config: Path, text: str) -> None:
    """Both workers use a new config."""
    if config.read_text("utf-8") == text:
        return
    seen = len(gateway.lines("config_reloaded"))
    config.write_text(text, "utf-8")
    gateway.wait_for("config_reloaded", seen + 2)


def line_of(gateway: RunningGateway, request_id: str) -> dict[str, Any]:
    """The line of a request."""

    def lines() -> list[dict[str, Any]]:
        return [line for line in gateway.lines("access") if line.get("request_id") == request_id]

    until(lambda: bool(lines()))
    [found] = lines()
    return found


def ask(url: str, request_id: str, method: str = "GET", **headers: str) -> httpx.Response:
    """One answer."""
    sent = {**VIEWER, "X-Request-ID": request_id, **headers}
    return httpx.request(method, url, headers=sent, timeout=30)


def test_the_example_of_the_page(gateway: RunningGateway, config: Path) -> None:
    """The same request gets the same line, but for times and the process."""
    use(gateway, config, ON)
    answer = ask(f"{gateway.url}/v1/play/film/one.m3u8?speed=4000", "5d41402abc4b2a76")
    line = line_of(gateway, "5d41402abc4b2a76")
    assert EXAMPLE.keys() == line.keys()
    fixed = EXAMPLE.keys() - VARYING
    assert {key: EXAMPLE[key] for key in fixed} == {key: line[key] for key in fixed}
    assert len(answer.content) == line["bytes"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["timestamp"])


def test_every_field_is_on_the_page(gateway: RunningGateway, config: Path) -> None:
    """Answers of all kinds have no field that the page does not list."""
    use(gateway, config, f"{ON}address = true\n")
    listed = set(re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE))
    ask(f"{gateway.url}/v1/play/film/one", "kind-1")
    ask(f"{gateway.url}/v1/play/film/one.mpd", "kind-2", "HEAD")
    ask(f"{gateway.url}/nothing", "kind-3")
    ask(f"{gateway.url}/v1/steering/film/one", "kind-4")
    found = [line_of(gateway, f"kind-{number}") for number in range(1, 5)]
    for line in found:
        assert set() == line.keys() - listed
    assert ["play_json", "play_dash", "other", "steering"] == [line["route"] for line in found]
    assert 0 == found[1]["bytes"]
    assert ("no-such-path", 404) == (found[2]["problem"], found[2]["status"])
    assert {"NO"} == {line["country"] for line in found}
    assert "film/one" == found[3]["asset"]


def test_operators_are_marked(gateway: RunningGateway, config: Path) -> None:
    """Lines say which listener answered."""
    use(gateway, config, ON)
    httpx.get(f"{gateway.admin_url}/livez", headers={"X-Request-ID": "an-operator"}, timeout=30)
    assert "operators" == line_of(gateway, "an-operator")["listener"]


def test_addresses_are_asked_for_twice(gateway: RunningGateway, config: Path) -> None:
    """No address as shipped, its network on demand, all of it on a second demand."""
    url = f"{gateway.url}/v1/play/film/one.m3u8"
    for number, (more, expected) in enumerate(
        {
            "": None,
            "address = true\n": "129.240.2.0/24",
            "address = true\nwhole_address = true\n": NORWAY,
        }.items()
    ):
        use(gateway, config, ON + more)
        ask(url, f"address-{number}")
        line = line_of(gateway, f"address-{number}")
        assert expected == line.get("address")
        assert (NORWAY in json.dumps(line)) is (expected == NORWAY)


def test_what_players_send_is_not_logged(gateway: RunningGateway, config: Path) -> None:
    """Neither tokens nor queries nor header values, and no line that a player made up."""
    use(gateway, config, ON)
    secret = "c2VjcmV0LXRva2Vu"
    url = f"{gateway.url}/v1/play/film/one"
    ask(f"{url}.m3u8?token={secret}&session={secret}&CMCD={secret}", "leak-1")
    ask(f"{url}.m3u8", "leak-2", Authorization=f"Bearer {secret}", Referer=secret)
    ask(f"{url}.m3u8%3Ftoken={secret}", "leak-3")
    ask(f"{gateway.url}/{secret}/%0a%7b%22event%22:%22forged%22%7d", "leak-4")
    ask(f"{gateway.admin_url}/v1/sessions/{secret}", "leak-5")
    ask(f"{url}.m3u8", f'"{secret} invalid"', **{"User-Agent": secret})
    ask(f"{url}.m3u8", "leak-6")
    lines = [line_of(gateway, f"leak-{number}") for number in range(1, 7)]
    assert "asset" not in lines[2]
    assert "asset" not in lines[3]
    assert secret not in json.dumps(gateway.log)
    assert [] == gateway.lines("forged")


def test_the_share_changes_at_once(gateway: RunningGateway, config: Path) -> None:
    """A reload switches the log off; a small share logs some answers; errors are always logged."""
    url = f"{gateway.url}/v1/play/film/one.m3u8"
    use(gateway, config, ON + "share = 0.2\nalways_from_status = 404\n")
    with httpx.Client(headers=VIEWER, timeout=30) as client:
        for number in range(200):
            client.get(url, headers={"X-Request-ID": f"share-{number}"})
        client.get(f"{gateway.url}/nothing", headers={"X-Request-ID": "not-found"})
    line_of(gateway, "not-found")
    some = [each for each in gateway.lines("access") if each["request_id"].startswith("share-")]
    assert 10 <= len(some) <= 80
    use(gateway, config, "[access_log]\nenabled = false\n")
    ask(url, "off")
    use(gateway, config, ON)
    ask(url, "on")
    line_of(gateway, "on")
    assert "off" not in {line["request_id"] for line in gateway.lines("access")}


def test_lines_are_whole(gateway: RunningGateway) -> None:
    """What two workers wrote in all these tests is one JSON object a line."""
    assert [] == gateway.lines("not json")
    assert len({line["pid"] for line in gateway.lines("access")}) in {1, 2}
