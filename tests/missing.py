"""What a test needs and a machine may not have: CI has it, or fails."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """A part that cannot be had: a failure where CI is set, elsewhere a loud skip."""
    if os.environ.get("CI"):
        pytest.fail(f"CI is set, but {what}")
    pytest.skip(f"NOT TESTED: {what}")
