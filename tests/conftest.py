"""What holds for every test."""

import logging
from collections.abc import Iterator

import pytest
import structlog


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
