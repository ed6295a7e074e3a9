"""What operators see of a configuration, and of what a reload has changed."""

from pathlib import Path

from gateway.config.load import load
from gateway.config.schema import Settings
from gateway.config.shown import changed_keys, shown_settings


def settings(tmp_path: Path, text: str) -> Settings:
    """The settings of a config file with this text."""
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    return load(path, {}).settings


def test_what_is_computed_from_keys_is_no_key(tmp_path: Path) -> None:
    """The first answer to a player has the settings compute whether players get cookies."""
    before = settings(tmp_path, "[server]\nshow_reasons = true")
    assert not before.sets_cookies
    after = settings(tmp_path, "")
    assert {"server.show_reasons": {"before": True, "after": False}} == changed_keys(before, after)
    assert set(Settings.model_fields) == set(shown_settings(before))
