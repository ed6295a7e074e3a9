"""``python -m demo.build``: does another build of the title have the same bytes?"""

from pathlib import Path

import pytest

from demo.build import FONT, RUNGS, SPEECH, encode_audio, encode_video
from tests.missing import missing


@pytest.fixture
def font() -> Path:
    """The font that is written with."""
    if not FONT.is_file():
        missing(f"no font at {FONT} (fonts-dejavu-core)")
    return FONT


def test_a_build_can_be_repeated(font: Path, tmp_path: Path) -> None:
    """The lowest rung and a language of sound, twice: the same files with the same bytes."""
    made = []
    for name in ("once", "again"):
        folder = tmp_path / name
        encode_video(RUNGS[0], font, folder / "video")
        encode_audio(SPEECH[0][2], folder / "audio")
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        made.append({str(path.relative_to(folder)): path.read_bytes() for path in files})
    once, again = made
    assert len(once) == 2 * (4 + 2)
    assert once == again
