"""What holds for every test."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

_FIRST = ("tests/drills/test_drills_", "tests/browser/test_playback")
"""What takes longest begins first, or all else would wait for it in the end."""

_UNMEASURED = ("tests/property/", "tests/corpus/", "tests/unit/steering/test_simulation")
"""Run without coverage, which doubles their time; what computes is covered by unit tests."""

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")

# structlog's default writes a traceback with rich, which takes 0.7 s of CPU for each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order files; tests of one file share what they start, and keep theirs."""
    items.sort(key=lambda item: not item.nodeid.startswith(_FIRST))
    for item in items:
        if item.nodeid.startswith(_UNMEASURED):
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Commands that run within a test set up logging for its whole process; the next test gets it
    as this one did."""
    gateways = logging.getLogger("gateway")
    handlers, root_level = logging.root.handlers[:], logging.root.level
    level, configured = gateways.level, structlog.get_config()
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(root_level)
    gateways.setLevel(level)
    structlog.configure(**configured)
