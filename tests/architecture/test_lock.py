"""Each lock is closed: it is installed as it is written, so nothing may be missing from it."""

import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.missing import Found, applies, installed, pins, unmet

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
LOCKS = {"runtime": "build.in", "dev": "dev.in", "image": "image.in"}
PYTHONS = ("3.11.0", "3.11.7", "3.12.0", "3.13.0", "3.14.0")
PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "darwin": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    "win32": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
}
ENVIRONMENTS = {
    f"{platform}-{python}": {
        **facts,
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    for platform, facts in PLATFORMS.items()
    for python in PYTHONS
}


def _text(lock: str) -> str:
    return (REQUIREMENTS / f"{lock}.txt").read_text(encoding="utf-8")


def _roots(lock: str) -> list[Requirement]:
    """What a lock was made of: the project's own requirements, and the lines of an ``.in`` file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = (REQUIREMENTS / LOCKS[lock]).read_text(encoding="utf-8").splitlines()
    return [
        *map(Requirement, project["project"]["dependencies"]),
        *map(Requirement, project["build-system"]["requires"]),
        *(Requirement(line) for line in lines if line and not line.startswith("#")),
    ]


@functools.cache
def _here(name: str) -> Found | None:
    return installed(name)


def _version(pin: Requirement) -> str:
    (only,) = pin.specifier
    assert only.operator == "==", f"{pin} is not pinned"
    return only.version


def _unmet(text: str, roots: list[Requirement], environment: dict[str, str]) -> list[str]:
    """What a lock lacks in an environment, as far as what is installed here tells."""
    pinned = {
        canonicalize_name(pin.name): _version(pin)
        for pin in pins(text)
        if applies(pin, environment)
    }

    def find(name: str) -> Found | None:
        if (version := pinned.get(canonicalize_name(name))) is None:
            return None
        here = _here(name)
        return here if here and here.version == version else Found(version, ())

    return sorted(unmet(roots, find, environment))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_everything_that_it_takes(lock: str, environment: str) -> None:
    """Every requirement is pinned at a version that meets it, with extras, for every platform."""
    assert _unmet(_text(lock), _roots(lock), ENVIRONMENTS[environment]) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_installed_here_at_its_version(lock: str) -> None:
    """Otherwise the test above would not look at what a pin requires."""
    expected = {pin.name: _version(pin) for pin in pins(_text(lock)) if applies(pin, {})}
    found = {name: here.version for name in expected if (here := _here(name))}
    assert found == expected


@pytest.mark.parametrize(
    ("without", "who"),
    [
        ("coverage", "pytest-cov requires coverage[toml]"),
        ("h2", 'httpx2 requires h2<5,>=3; extra == "http2"'),
        ("aiohttp", ""),
        ("async-timeout", "redis requires async-timeout"),
    ],
)
def test_a_pin_that_is_gone_is_missed(without: str, who: str) -> None:
    """The requirement of another pin, of an extra, of the project, of an older Python alone."""
    lines = [line for line in _text("dev").splitlines() if not line.startswith(f"{without}==")]
    found = _unmet("\n".join(lines), _roots("dev"), ENVIRONMENTS["linux-3.11.0"])
    assert any(line.startswith(f"{without} is missing") and who in line for line in found), found


def test_a_pin_that_is_too_old_is_missed() -> None:
    """A version outside of what somebody requires counts as missing."""
    old = re.sub(r"(?m)^coverage==\S+", "coverage==7.0.0", _text("dev"))
    assert [line for line in _unmet(old, _roots("dev"), {}) if "coverage is 7.0.0" in line]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("lock", ["runtime", "image"])
def test_the_locks_agree(lock: str, environment: str) -> None:
    """What runs is what was tested: the development lock has each pin of the others. Markers may
    differ, as other packages require the same one, but not what they select."""
    marked = ENVIRONMENTS[environment]
    deployed, development = (
        {(pin.name, _version(pin)) for pin in pins(_text(each)) if applies(pin, marked)}
        for each in (lock, "dev")
    )
    assert deployed - development == set()


def _blocks(text: str) -> Iterator[list[str]]:
    """The lines of each pin: the pin, and its hashes."""
    for line in text.replace("\\\n", "\\").splitlines():
        if line and not line.startswith("#"):
            yield [part.strip() for part in line.split("\\")]


@pytest.mark.parametrize("lock", [*LOCKS, "oldest-pip"])
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    """A lock says what to install, not from where."""
    text = _text(lock)
    for pin, *hashes in _blocks(text):
        assert re.fullmatch(r"[a-z0-9.-]+==[\w.+!]+( ; .+)?", pin), pin
        assert hashes, pin
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), pin
    assert re.findall(r"(?i)https?:|://|@ |--(?:extra-)?index-url|--find-links", text) == []
