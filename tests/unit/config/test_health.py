"""The configuration of probes."""

from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.problem import ConfigError
from gateway.config.schema import Settings

EDGE = '[[edges]]\nid = "a"\nurl = "https://a.example/v/"\nfallback = true\n'


def settings(tmp_path: Path, text: str) -> Settings:
    """The checked settings of a config."""
    path = tmp_path / "g.toml"
    path.write_text(text)
    return load(path, {}).settings


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('health_url = "healthz"', None),
        ('health_url = "/up?deep=1&x=%20"', None),
        ('health_url = "https://h.example:8443/up?x=1"', None),
        ('health_playlist = "live/1080p.m3u8"', None),
        ('health_url = "//h.example/up"', "is not a relative path"),
        ('health_url = "../up"', "is not a relative path"),
        ('health_url = "ftp://h.example/"', "is not an absolute URL"),
        ('health_url = "https://user:pw@h.example/"', "must not have a user name or password"),
        ('health_url = "up#x"', "is not a relative path"),
        ('health_url = "up?a b"', "has a character that is not allowed in a URL"),
        ('health_url = ""', "is not a relative path"),
        ('health_playlist = "/live.m3u8"', "is not a relative path"),
        ('health_playlist = "https://h.example/live.m3u8"', "is not a relative path"),
        ('health_url = "x"\nhealth_playlist = "y"', "cannot be combined with health_url"),
    ],
)
def test_what_an_edge_may_be_asked_for(tmp_path: Path, line: str, problem: str | None) -> None:
    """A URL below the edge's url or elsewhere, or a playlist below the edge's url."""
    text = f"{EDGE}{line}\n"
    if problem is None:
        edge = settings(tmp_path, text).edges[0]
        assert line.partition('"')[2].removesuffix('"') in {edge.health_url, edge.health_playlist}
    else:
        with pytest.raises(ConfigError) as caught:
            settings(tmp_path, text)
        assert [problem] == [found.problem for found in caught.value.problems]


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("interval_ms", "100", "99"),
        ("timeout_ms", "60000", "0"),
        ("fall", "1", "0"),
        ("rise", "100", "101"),
        ("slow_ms", "1", '"400"'),
        ("slow_start_s", "0", "-1"),
        ("live_stale_factor", "1.5", "0.9"),
        ("path", '"healthz"', '"../x"'),
    ],
)
def test_bounds(tmp_path: Path, key: str, good: str, bad: str) -> None:
    """Probes can be neither too frequent nor too rare."""
    settings(tmp_path, f"{EDGE}[health]\n{key} = {good}\n")
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, f"{EDGE}[health]\n{key} = {bad}\n")
    assert [f"health.{key}"] == [found.path for found in caught.value.problems]


def test_what_ships_finds_a_dead_edge_in_two_seconds(tmp_path: Path) -> None:
    """An edge that hangs right after a good probe: the longest pause, then two probes a quarter of
    a second apart, of which the later one must run out."""
    health = settings(tmp_path, EDGE).health
    assert 2 == health.fall
    assert health.interval_ms * 1.1 + 250 + health.timeout_ms < 1900
