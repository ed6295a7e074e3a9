"""Viewers that differ in one thing, one after the other, over HTTP with two workers and a Redis: a
cache entry of one never admits another, and bytes are shared only where limits are the same.

A revocation by the command is in force on both workers within a second."""

import contextlib
import itertools
import os
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.dash_titles import mpd, playlist, put
from tests.integration.forked import gateway_command
from tests.integration.playback_tokens import PROTECT, bearer, token
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.test_tokens_served import BANGLADESH, DESKTOP, NORWAY, PHONE
from tests.unit.store.servers import Valkey, valkey

CONFIG = (
    '[source]\nkind = "directory"\nroot = "catalogue"\n'
    '[profiles.all]\ndevice_limits = false\n[policy]\ndefault_profile = "all"\n'
    + PROTECT
    + '[[edges]]\nid = "e1"\nurl = "https://e1.example/v/"\nfallback = true\n'
)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Saves reading certificates for each connection, which takes longer than the requests."""
PATHS = ("/v1/play/paid/film.m3u8", "/v1/play/paid/live.mpd")


HEIGHT = re.compile(r'RESOLUTION=\d+x(\d+)| height="(\d+)"')
VIEWERS_OWN = re.compile(r"(grant|state|session|session_name|max_resolution)=[^\"&<]*(&amp;)?")
"""What the URLs of refreshes and steering have of their viewer."""


@dataclass(frozen=True)
class Person:
    """A viewer: its token, how it asks, the status that it gets, and its tallest rung."""

    name: str
    token: str | None
    status: int = 200
    tallest: int = 2160
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, client: httpx.Client, path: str) -> httpx.Response:
        """Ask for a manifest."""
        headers = {"User-Agent": DESKTOP, "X-Forwarded-For": NORWAY, **self.headers}
        if self.token is not None:
            headers |= bearer(self.token)
        return client.get(f"{path}?{self.query}", headers=headers)


def person(name: str, status: int = 200, tallest: int = 2160, **claims: Any) -> Person:
    """One whose token differs in ``claims``."""
    return Person(name, token(sub="viewer", **claims), status, tallest)


PEOPLE = [
    person("plain"),
    Person("no token", None, 401),
    Person("garbage", "garbage", 401),
    person("expired", 401, exp=int(time.time()) - 3600),
    person("other asset", 403, asset_prefix="paid/x"),
    person("height", tallest=720, max_resolution="720p"),
    person("bit rate", tallest=360, max_bitrate=600),
    person("codecs", codecs=["avc"]),
    Person("query", token(sub="viewer"), tallest=360, query="max_resolution=360p"),
    Person("both", token(max_resolution="720p"), 200, 360, "max_resolution=360p"),
    person("country", 451, countries=["BD"]),
    Person("there", token(countries=["BD"]), headers={"X-Forwarded-For": BANGLADESH}),
    person("network", 403, networks=["192.0.2.0/24"]),
    person("device", 403, devices=["phone"]),
    Person("phone", token(devices=["phone"]), headers={"User-Agent": PHONE}),
    Person("session", token(session="s1"), 403, query="session=s2"),
    Person("its session", token(session="s1"), query="session=s1"),
    person("jti", jti="t1"),
]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """What the workers share."""
    with valkey(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, redis: Valkey
) -> Iterator[tuple[RunningGateway, Path, dict[str, str]]]:
    """Two workers, the config, and the environment."""
    folder = tmp_path_factory.mktemp("viewers")
    put(folder / "catalogue", "paid/film/master.m3u8", playlist())
    put(folder / "catalogue", "paid/live/manifest.mpd", mpd("dynamic"))
    config = folder / "gateway.toml"
    config.write_text(CONFIG)
    environ = {"GATEWAY_STORE__URL": redis.url, "GATEWAY_RULES": "[]"}
    with running_gateway(config, "--workers", "2", environ=environ) as running:
        running.wait_for("started", 2)
        yield running, config, environ


def every_pair(count: int) -> list[int]:
    """Positions in an order in which each follows each other one once."""
    left = {at: [other for other in range(count) if other != at] for at in range(count)}
    stack, order = [0], []
    while stack:
        if left[stack[-1]]:
            stack.append(left[stack[-1]].pop())
        else:
            order.append(stack.pop())
    return order[::-1]


def test_every_pair(gateway: tuple[RunningGateway, Path, dict[str, str]]) -> None:
    """In both orders, on several connections, so that both workers answer."""
    running, _, _ = gateway
    order = every_pair(len(PEOPLE))
    assert set(itertools.permutations(range(len(PEOPLE)), 2)) == set(itertools.pairwise(order))
    shared: dict[tuple[str, str], int] = {}
    with contextlib.ExitStack() as stack:
        connect = partial(httpx.Client, base_url=running.url, verify=NO_TLS)
        clients = itertools.cycle([stack.enter_context(connect()) for _ in range(5)])
        asked = [(PEOPLE[at], PATHS[0]) for at in order] + [(one, PATHS[1]) for one in PEOPLE]
        for one, path in asked:
            answer = one.ask(next(clients), path)
            assert one.status == answer.status_code, (one.name, path, answer.text)
            if answer.status_code != 200:
                continue
            assert answer.headers["cache-control"].startswith("private")
            tallest = max(int(hls or dash) for hls, dash in HEIGHT.findall(answer.text))
            assert one.tallest == tallest, (one.name, path)
            body = VIEWERS_OWN.sub("", answer.text)
            known = shared.setdefault((path, body), tallest)
            assert known == tallest, "the same bytes for different limits"
    assert len(shared) >= 2 * len({each.tallest for each in PEOPLE})


def test_a_revocation_is_in_force_within_a_second(
    gateway: tuple[RunningGateway, Path, dict[str, str]],
) -> None:
    """On both workers, by the command; and so is its end."""
    running, config, environ = gateway
    text = token(jti="stolen")

    def statuses(count: int = 8) -> set[int]:
        found = set()
        for _ in range(count):
            with httpx.Client(base_url=running.url, verify=NO_TLS) as client:
                found.add(client.get(PATHS[0], headers=bearer(text)).status_code)
        return found

    def command(*words: str) -> float:
        done = subprocess.run(
            [*gateway_command(), "revoke", *words, "--config", str(config)],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **environ},
        )
        assert done.returncode == 0, done.stderr
        assert "stolen" not in done.stdout
        return time.monotonic()

    assert {200} == statuses()
    for words, expected in (
        (("--token-id", "stolen"), 403),
        (("--token-id", "stolen", "--undo"), 200),
    ):
        done = command(*words)
        while statuses() != {expected}:
            assert time.monotonic() - done < 5, "a second, on a machine with time"
