"""Every cache is declared, bounded, and in the table of the architecture page."""

import ast
import re
from pathlib import Path

import pytest

from gateway import cache
from gateway.cache import CACHES, TALLIES, CacheSpec
from tests.architecture.parsed import parsed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PRODUCT = ("gateway", "manifests", "geodata", "demo")
LABELS = ROOT / "gateway/observe/metrics.py"
"""It keeps the children of metrics by their labels, as prometheus-client does: they are few."""
OTHER_CACHES = re.compile(r"\b(lru_cache|LRUCache|TTLCache|LFUCache|alru_cache)\b")


def row(spec: CacheSpec) -> str:
    """A cache's row in the table."""
    if isinstance(spec.capacity, int):
        bound = f"{spec.capacity:,} {spec.unit}"
    else:
        bound = f"`{spec.capacity}` ({spec.unit})"
    return f"| {spec.name} | {bound} | {spec.key} | {spec.ends} |"


def modules() -> list[Path]:
    """Every module of the product."""
    return sorted(path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py"))


def made_from(tree: ast.AST) -> list[str]:
    """The names of the specs from which a module makes caches."""
    return [
        node.args[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Cache"
        and node.args
        and isinstance(node.args[0], ast.Name)
    ]


@pytest.mark.parametrize(("title", "specs"), [("cache", CACHES), ("tally", TALLIES)])
def test_the_page_lists_every_cache(title: str, specs: tuple[CacheSpec, ...]) -> None:
    """Name, bound, key and what ends an entry, as the code declares them; no more, no less."""
    listed = re.search(rf"^\| {title} \|.*\n\|---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert listed is not None
    assert [row(spec) for spec in specs] == listed[1].splitlines()


def test_every_declared_cache_is_made_in_one_place() -> None:
    """A spec that nobody uses, or that two caches share, is an error in the table."""
    names = {id(spec): name for name, spec in vars(cache).items() if isinstance(spec, CacheSpec)}
    made = sorted(name for path in modules() for name in made_from(parsed(path.read_text())))
    assert sorted(names[id(spec)] for spec in (*CACHES, *TALLIES)) == made


def test_there_is_no_other_kind_of_cache() -> None:
    """Lazily made constants (``functools.cache`` without arguments) are none."""
    unbounded = []
    for path in modules():
        text = path.read_text("utf-8")
        assert OTHER_CACHES.search(text) is None, path
        for node in ast.walk(parsed(text)) if path != LABELS else ():
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(one, ast.Name) and one.id == "cache" for one in node.decorator_list
            ):
                unbounded += [(str(path), node.name)] if node.args.args else []
    assert [] == unbounded, "they remember an unbounded number of values"
