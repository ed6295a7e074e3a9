"""What holds for every property."""

import pytest


@pytest.fixture(autouse=True)
def unmeasured(no_cover: None) -> None:
    """Coverage looks away: the tables reach every line that a law reaches, and a law goes there a
    hundred times, which takes three times as long when each line is counted."""
