"""Which files of a corpus can be served?"""

from collections.abc import Callable
from pathlib import Path

from manifests.fault import ManifestError


def served(corpus: Path, pattern: str, parse: Callable[[bytes], object]) -> list[str]:
    """The paths, below ``corpus``, of the files that ``parse`` does not refuse."""
    found = []
    for path in sorted(corpus.rglob(pattern)):
        try:
            parse(path.read_bytes())
        except ManifestError:
            continue
        found.append(str(path.relative_to(corpus)))
    return found
