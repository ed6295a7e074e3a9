"""Is all there that is needed? ``python scripts/missing.py requirements/runtime.txt``

The lock is installed as it is written, without being resolved. So this looks afterwards: each pin
that applies to this machine is installed at its version, and the requirements of the project and of
every pin are met, those of the extras that are asked for too.
"""

import importlib.metadata
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "streaming-gateway"


@dataclass(frozen=True)
class Found:
    """A distribution that can be had: its version, and what it requires."""

    version: str
    requires: tuple[Requirement, ...]


Finder = Callable[[str], Found | None]


def installed(name: str) -> Found | None:
    """What is installed under a name, if anything is."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    requires = tuple(Requirement(text) for text in distribution.requires or ())
    return Found(distribution.version, requires)


def pins(lock: str) -> Iterator[Requirement]:
    """The requirements of a lock, without their hashes."""
    for line in lock.splitlines():
        if line and not line.startswith((" ", "#")):
            yield Requirement(line.removesuffix("\\").strip())


def applies(requirement: Requirement, environment: Mapping[str, str], extra: str = "") -> bool:
    """Whether a requirement is one in an environment, or of an extra there."""
    marker = requirement.marker
    return marker is None or marker.evaluate({**environment, "extra": extra})


def unmet(
    roots: Iterable[Requirement], find: Finder, environment: Mapping[str, str]
) -> Iterator[str]:
    """What is not met of some requirements and of all that these lead to, in words."""
    todo = [("", root) for root in roots if applies(root, environment)]
    done: set[tuple[str, str]] = set()
    while todo:
        asker, requirement = todo.pop()
        by = f" ({asker} requires {requirement})" if asker else ""
        name = canonicalize_name(requirement.name)
        found = find(name)
        if found is None:
            yield f"{name} is missing{by}"
            continue
        if not requirement.specifier.contains(found.version, prereleases=True):
            yield f"{name} is {found.version}, not {requirement.specifier}{by}"
        for extra in {"", *map(canonicalize_name, requirement.extras)}:
            if (name, extra) not in done:
                done.add((name, extra))
                todo += ((name, one) for one in found.requires if applies(one, environment, extra))


def main(lock: str) -> int:
    """Print what is missing here; 1 when anything is."""
    roots = [Requirement(PROJECT), *pins(Path(lock).read_text(encoding="utf-8"))]
    lines = sorted(set(unmet(roots, installed, {})))
    for line in lines:
        print(f"error: {line}", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
