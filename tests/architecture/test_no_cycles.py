"""Nothing imports itself by a detour: neither a module, nor one folder its neighbour."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

PRODUCT = ("gateway", "manifests", "geodata", "demo")


@pytest.fixture(scope="module")
def imports() -> Mapping[str, set[str]]:
    """The modules that each module imports, those under ``TYPE_CHECKING`` included."""
    graph = grimp.build_graph(*PRODUCT)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """One cycle of a graph, its first node repeated at the end; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def siblings(imports: Mapping[str, set[str]], package: str) -> dict[str, set[str]]:
    """Which of a package's children import which others, whatever lies below each."""
    depth = package.count(".") + 2
    graph: dict[str, set[str]] = {}
    for importer, imported in imports.items():
        if not importer.startswith(f"{package}."):
            continue
        child = ".".join(importer.split(".")[:depth])
        inside = {name for name in imported if name.startswith(f"{package}.")}
        others = {".".join(name.split(".")[:depth]) for name in inside}
        graph.setdefault(child, set()).update(others - {child})
    return graph


def test_a_cycle_is_found() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()}) == ["a", "c", "b", "a"]
    assert cycle({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_no_module_imports_itself_by_a_detour(imports: Mapping[str, set[str]]) -> None:
    assert cycle(imports) == []


def test_no_folder_imports_its_neighbour_and_is_imported_by_it(
    imports: Mapping[str, set[str]],
) -> None:
    packages = {name.rpartition(".")[0] for name in imports} - {""}
    found = {package: cycle(siblings(imports, package)) for package in sorted(packages)}
    assert {package: modules for package, modules in found.items() if modules} == {}
