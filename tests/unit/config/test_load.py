"""Shipped values, overridden by the file, then the environment; and what set each key."""

import os
from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.problem import ConfigError


def write(folder: Path, toml: str) -> Path:
    """A configuration file in ``folder``."""
    path = folder / "g.toml"
    path.write_text(toml, encoding="utf-8")
    return path


def test_a_shipped_profile_keeps_what_is_not_named(tmp_path: Path) -> None:
    """Profiles merge by name and key; other profiles stay, and new ones are added."""
    toml = "[profiles.wifi]\nmax_height = 720\n[profiles.mine]\ndevice_limits = false"
    profiles = load(write(tmp_path, toml), {}).policy.profiles
    assert list(profiles) == ["mobile_2g", "mobile_3g", "mobile_4g", "wifi", "fiber", "mine"]
    assert (profiles["wifi"].max_height, profiles["wifi"].max_bitrate_kbps) == (720, 2500)
    assert profiles["mine"].keeps_everything


def test_a_cap_may_be_lowered_below_a_shipped_start(tmp_path: Path) -> None:
    """A key that is left out keeps its shipped value."""
    toml = "[profiles.mobile_4g]\nmax_bitrate_kbps = 600"
    profile = load(write(tmp_path, toml), {}).policy.profiles["mobile_4g"]
    assert (profile.max_bitrate_kbps, profile.start_bitrate_kbps) == (600, 730)


def test_given_lists_replace_the_shipped_ones_whole(tmp_path: Path) -> None:
    """Lists of rules, edges and rungs are replaced; sections that are left out stay."""
    toml = """
    rules = []
    [[edges]]
    id = "a"
    url = "https://a.example"
    fallback = true
    [[ladder.rungs]]
    name = "1"
    height = 1
    bandwidth_kbps = 1
    """
    loaded = load(write(tmp_path, toml), {})
    assert loaded.policy.rules == ()
    assert [edge.url for edge in loaded.policy.edges] == ["https://a.example/"]
    assert [rung.name for rung in loaded.settings.ladder.rungs] == ["1"]
    assert loaded.settings.ladder.path == "{name}/playlist.m3u8"
    assert loaded.settings.server.port == 8080


def test_paths_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths start at the file's folder, wherever the gateway was started."""
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "asn.mmdb").touch()
    toml = f"""
    source = {{ kind = "directory", root = "catalogue" }}
    geo = {{ asn_database = "{tmp_path}/asn.mmdb" }}
    edges = [{{ id = "a", url = "https://a.example/", fallback = true }}]
    """
    write(tmp_path, toml)
    monkeypatch.chdir(tmp_path)
    settings = load(Path("g.toml"), {}).settings
    assert tmp_path / "catalogue" == settings.source.root
    assert tmp_path / "asn.mmdb" == settings.geo.asn_database
    assert Path("embedded") == settings.geo.database


def test_paths_without_a_file_start_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a file, paths can only come from the environment."""
    (tmp_path / "catalogue").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GATEWAY_SOURCE__KIND", "directory")
    monkeypatch.setenv("GATEWAY_EDGES", '[{"id": "a", "url": "https://a.example/"}]')
    monkeypatch.setenv("GATEWAY_SOURCE__ROOT", "catalogue")
    assert tmp_path / "catalogue" == load().settings.source.root
    monkeypatch.setenv("GATEWAY_SOURCE__ROOT", "x")
    with pytest.raises(ConfigError, match=r"^environment GATEWAY_SOURCE__ROOT: source\.root: "):
        load()
    monkeypatch.delenv("GATEWAY_SOURCE__ROOT")
    with pytest.raises(ConfigError, match=r"^configuration: source\.root: is missing"):
        load()


def test_every_changed_key_says_who_set_it(tmp_path: Path) -> None:
    """The file or a variable; keys with shipped values are not listed."""
    toml = "rules = []\n[server]\nport = 1\nworkers = 2\n[profiles.x]\n[policy]\n"
    loaded = load(write(tmp_path, toml), {"GATEWAY_SERVER__PORT": "3"})
    assert loaded.origins == {
        "rules": "g.toml",
        "server.port": "environment GATEWAY_SERVER__PORT",
        "server.workers": "g.toml",
        "profiles.x": "g.toml",
        "policy": "g.toml",
    }
    assert tmp_path / "g.toml" == loaded.path


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    """A byte order mark, as editors on Windows write it, is skipped."""
    path = tmp_path / "g.toml"
    path.write_bytes(b"\xef\xbb\xbf[server]\r\nport = 1\r\n")
    assert load(path, {}).settings.server.port == 1


def test_the_stores_password_shows_nowhere(tmp_path: Path) -> None:
    """Secrets are neither in a dump nor in the repr of the settings."""
    settings = load(write(tmp_path, 'store.url = "redis://:hunter2@h"'), {}).settings
    assert settings.store.url.get_secret_value() == "redis://:hunter2@h"
    assert "hunter2" not in f"{settings!r}{settings}{settings.model_dump_json()}"
