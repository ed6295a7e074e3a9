"""Class manifests behind a real cache, and how many classes an audience has."""

from pathlib import Path

from tests.benchmark.class_manifests import (
    GOAL_CLASSES,
    LIVE,
    Viewer,
    classes_of,
    config_file,
    drill,
    load_viewers,
    missing,
    most_of,
    real_viewers,
)
from tests.missing import missing as cannot_be_had

DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36"
SECONDS = 5.0


async def test_a_worldwide_audience_has_few_classes(tmp_path: Path) -> None:
    """Those of ten edges and all devices and speeds."""
    config = config_file(tmp_path)
    for viewers in (real_viewers(400), load_viewers(400)):
        classes = await classes_of(config, viewers)
        assert 400 == classes.total()
        assert 10 < most_of(classes) <= GOAL_CLASSES * 0.7  # more viewers have a few more


def test_a_cache_answers_the_refreshes(tmp_path: Path) -> None:
    """nginx, as the documentation configures it: the query is no part of its key, nobody gets an
    older version than before, and no refresh fails."""
    why = missing()
    if why is not None:
        cannot_be_had(why)
    viewers = [
        Viewer(
            f"{LIVE}.mpd?speed={(3000, 90_000)[number % 2]}",
            (("Host", "x"), ("User-Agent", DESKTOP), ("X-Forwarded-For", "129.240.2.6")),
        )
        for number in range(300)
    ]
    found = drill(tmp_path / "nginx", config_file(tmp_path), viewers, SECONDS)
    assert [] == found.failures
    assert (2, 0) == (found.classes, found.backwards)
    assert found.versions > 1
    assert found.refreshes >= len(viewers)
    assert 0 < found.share < 0.15
