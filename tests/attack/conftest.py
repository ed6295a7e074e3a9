"""What the attacks of one file share: the stage that is set."""

from collections.abc import Iterator

import pytest

from tests.attack.stages import Stages


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """Stages are set when an attack needs another one than the last."""
    found = Stages(tmp_path_factory.mktemp("attack"))
    yield found
    found.clear()
