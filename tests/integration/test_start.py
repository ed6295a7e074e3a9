"""Where playback starts while the speed is unknown, over HTTP with the shipped configuration."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.running import running_gateway

DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
Chrome/141.0.0.0 Safari/537.36"
PHONE = "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) \
Chrome/131.0.0.0 Mobile Safari/537.36"
KENYA, YEMEN, NORWAY = "197.136.0.1", "82.114.160.1", "129.240.2.6"
SHIPPED = {"GATEWAY_STORE__URL": "memory"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A gateway with the shipped start rules."""
    with running_gateway(None, environ=SHIPPED) as running:
        yield running.url


@pytest.fixture(scope="module")
def url_without_rules() -> Iterator[str]:
    """A gateway with the start rules switched off."""
    with running_gateway(None, environ={**SHIPPED, "GATEWAY_START__ENABLED": "false"}) as running:
        yield running.url


def first_of(url: str, address: str, agent: str, query: str, **headers: str) -> tuple[str, int]:
    """The profile, and the height of the first variant."""
    answer = httpx.get(
        f"{url}/v1/play/film/one.m3u8?{query}",
        headers={"User-Agent": agent, "X-Forwarded-For": address, **headers},
    )
    assert answer.status_code == 200, answer.text
    profile = re.match(r"profile=(\w+),", answer.headers["Gateway-Decision"])
    height = re.search(r"RESOLUTION=\d+x(\d+)", answer.text)
    assert profile is not None
    assert height is not None
    return profile[1], int(height[1])


CASES = [
    # address, agent, query, further headers, profile, heights with and without start rules
    (NORWAY, DESKTOP, "", {}, "wifi", (360, 360)),
    (KENYA, DESKTOP, "", {}, "wifi", (360, 360)),
    (YEMEN, DESKTOP, "", {}, "wifi", (360, 360)),
    (NORWAY, DESKTOP, "", {"Save-Data": "on"}, "wifi", (360, 360)),
    (YEMEN, PHONE, "", {}, "mobile_4g", (360, 360)),
    (NORWAY, PHONE, "", {}, "mobile_4g", (360, 360)),
    # A browser that is at least as fast as it may tell, on a network of long round trips.
    (NORWAY, DESKTOP, "", {"Downlink": "10", "ECT": "3g"}, "wifi", (360, 360)),
    (NORWAY, DESKTOP, "", {"Downlink": "10", "ECT": "2g"}, "wifi", (240, 360)),
    (NORWAY, DESKTOP, "", {"Downlink": "10", "ECT": "4g"}, "wifi", (360, 360)),
    # What is known of the viewer's speed comes first.
    (KENYA, DESKTOP, "speed=5000", {}, "wifi", (1080, 1080)),
    (KENYA, DESKTOP, "speed=5000", {"Save-Data": "on"}, "wifi", (1080, 1080)),
    (KENYA, DESKTOP, "", {"Downlink": "4"}, "wifi", (1080, 1080)),
    (NORWAY, DESKTOP, "", {"ECT": "2g"}, "wifi", (240, 240)),
    # Whatever a rule says, caps hold.
    (KENYA, DESKTOP, "max_bitrate=300", {}, "wifi", (240, 240)),
]


@pytest.mark.parametrize(("address", "agent", "query", "headers", "profile", "heights"), CASES)
def test_the_first_variant(
    url: str,
    url_without_rules: str,
    address: str,
    agent: str,
    query: str,
    headers: dict[str, str],
    profile: str,
    heights: tuple[int, int],
) -> None:
    """The start rung depends on what is known at once; the profile does not."""
    for at, height in zip((url, url_without_rules), heights, strict=True):
        assert (profile, height) == first_of(at, address, agent, query, **headers)
