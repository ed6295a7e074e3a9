"""What drills stand on."""

from collections.abc import Iterator

import pytest

from tests.drills.stages import Stages


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """The parts under drill, each kind set up once."""
    found = Stages(tmp_path_factory.mktemp("drills"))
    yield found
    found.clear()
