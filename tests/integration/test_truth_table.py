"""The README's truth table over HTTP, cell by cell, from real User-Agents and real addresses."""

import re

import httpx
import pytest

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"
PHONES = {
    "Android phone": f"Mozilla/5.0 (Linux; Android 14; SM-S918B) {CHROME} Mobile Safari/537.36",
    "iPhone": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "iPhone, AVPlayer": "AppleCoreMedia/1.0.0.21F79 (iPhone; U; CPU OS 17_5 like Mac OS X; en_us)",
}
OTHERS = {
    "desktop": f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36",
    "tablet": "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
    "tv": "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko) "
    "85.0.4183.93/6.5 TV Safari/537.36",
    "console": "Mozilla/5.0 (PlayStation; PlayStation 5/8.00) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/15.4 Safari/605.1.15",
    "bot": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "headset": f"Mozilla/5.0 (X11; Linux x86_64; Quest 3) OculusBrowser/32.1 {CHROME} VR Safari/5",
    "unknown": "",
    "unknown, an app": "MyTube/3.2.1 (Linux;Android 7.1.2) ExoPlayerLib/2.8.4",
}

# Universities, registries and carriers whose addresses have been at home for decades.
ADDRESSES = {
    "NO": ("129.240.2.6", "eu-west-1"),
    "DE": ("141.20.1.1", "eu-west-1"),
    "ZA": ("137.158.1.1", "eu-west-1"),
    "US": ("128.174.5.6", "us-east-1"),
    "BR": ("200.160.2.3", "sa-east-1"),
    "JP": ("133.11.1.1", "ap-southeast-1"),
    "IN": ("14.139.34.1", "ap-southeast-1"),
    "BD": ("103.4.145.245", "ap-southeast-1"),
    "PK": ("111.68.96.1", "ap-southeast-1"),
    "AU": ("130.102.1.1", "ap-southeast-2"),
}
SPARSE = ("IN", "BD", "PK")
LADDER = {240: 200, 360: 500, 720: 1200, 1080: 2500, 2160: 8000}
SPEEDS = (1, 300, 999, 999.6, 1000, 2999.6, 3000, 5000, 5000.4, 20000, 20000.4, 90000, None)

CAPS = {
    "mobile_2g": (200, 240),
    "mobile_3g": (500, 360),
    "mobile_4g": (1200, 720),
    "wifi": (2500, 1080),
    "fiber": (8000, 2160),
}


def expected_profile(device: str, country: str, speed: float | None) -> str:
    """The README's table as code, row by row."""
    if device in PHONES:
        if speed is not None and speed < 1000:
            return "mobile_2g"
        return "mobile_3g" if speed is not None and speed < 3000 else "mobile_4g"
    if country in SPARSE:
        return "wifi" if speed is not None and speed > 5000 else "mobile_4g"
    return "fiber" if speed is not None and speed > 20000 else "wifi"


def heights(playlist: str) -> set[int]:
    """The heights of the variants of a playlist."""
    return {int(height) for height in re.findall(r"RESOLUTION=\d+x(\d+)", playlist)}


@pytest.mark.parametrize("country", ADDRESSES)
@pytest.mark.parametrize("device", [*PHONES, *OTHERS])
def test_every_cell(client: httpx.Client, device: str, country: str) -> None:
    """Profile, ladder and edge of every device and country at every speed of the table."""
    address, edge = ADDRESSES[country]
    headers = {"User-Agent": {**PHONES, **OTHERS}[device], "X-Forwarded-For": address}
    for speed in SPEEDS:
        query = {} if speed is None else {"speed": str(speed)}
        answer = client.get("/v1/play/film/one.m3u8", params=query, headers=headers)
        profile = expected_profile(device, country, speed)
        kbps, height = CAPS[profile]
        wanted = {tall for tall, rate in LADDER.items() if tall <= height and rate <= kbps}
        where = f"{device} in {country} at {speed}"
        assert answer.status_code == 200, where
        assert f"profile={profile}, " in answer.headers["Gateway-Decision"], where
        assert f'country="{country}"' in answer.headers["Gateway-Decision"], where
        assert f'edge="{edge}"' in answer.headers["Gateway-Decision"], where
        assert wanted == heights(answer.text), where
        hosts = set(re.findall(r"^https://([^/]+)/", answer.text, re.MULTILINE))
        assert {f"{edge}.cdn.example.com"} == hosts, where


def test_generated_paths(client: httpx.Client) -> None:
    """Rungs of the generated ladder are at ``{asset}/{name}/playlist.m3u8``."""
    headers = {"User-Agent": OTHERS["desktop"], "X-Forwarded-For": ADDRESSES["NO"][0]}
    answer = client.get("/v1/play/film/one.m3u8?speed=50000", headers=headers)
    paths = set(
        re.findall(r"^https://eu-west-1\.cdn\.example\.com/(.+)$", answer.text, re.MULTILINE)
    )
    names = ("240p", "360p", "720p", "1080p", "4k")
    assert {f"film/one/{name}/playlist.m3u8" for name in names} == paths


def test_unknown_place_gets_the_fallback(client: httpx.Client) -> None:
    """A viewer with an unknown place is served by ``global``."""
    headers = {"User-Agent": OTHERS["desktop"], "X-Forwarded-For": "10.1.2.3"}
    answer = client.get("/v1/play/film/one.m3u8", headers=headers)
    assert 'edge="global"' in answer.headers["Gateway-Decision"]
    assert "country" not in answer.headers["Gateway-Decision"]
