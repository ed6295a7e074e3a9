"""Which regular expressions does the product have, and what makes each of them slow?

    python -m tests.attack.patterns        prints them as JSON lines

It imports every module of the packages in a fresh process and notes what is compiled; patterns
within functions are found in the syntax trees.
"""

import ast
import importlib
import json
import pkgutil
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

codes: Any = importlib.import_module("re._constants")
parser: Any = importlib.import_module("re._parser")

PACKAGES = ("gateway", "manifests", "geodata")
ROOT = Path(__file__).parents[2]
SEARCHING = ("search", "finditer", "findall", "sub", "split")
ANCHORED = ("match", "fullmatch")


@dataclass(frozen=True)
class Found:
    """A pattern, whether it is of bytes, its flags, where it is compiled, and the methods that the
    product calls on it."""

    pattern: str
    is_bytes: bool
    flags: int
    where: str
    methods: tuple[str, ...]

    def compiled(self) -> "re.Pattern[Any]":
        """The compiled pattern."""
        text: Any = self.pattern.encode("latin-1") if self.is_bytes else self.pattern
        return re.compile(text, self.flags)


def _caller() -> str | None:
    frame: Any = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in PACKAGES:
            return f"{path.relative_to(ROOT)}:{frame.f_lineno}"
        if "importlib" in frame.f_code.co_filename or path.name == "patterns.py":
            return None
        if "site-packages" in path.parts:
            return None
        frame = frame.f_back
    return None


def compiled_at_import() -> Iterator[tuple[Any, int, str]]:
    """Import all modules; what they compile."""
    seen: list[tuple[Any, int, str]] = []
    original: Callable[..., Any] = re._compiler.compile  # type: ignore[attr-defined]

    def noted(pattern: Any, flags: int = 0) -> Any:
        where = _caller()
        if where is not None and isinstance(pattern, str | bytes):
            seen.append((pattern, int(flags), where))
        return original(pattern, flags)

    re._compiler.compile = noted  # type: ignore[attr-defined]
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    re._compiler.compile = original  # type: ignore[attr-defined]
    yield from seen


def in_functions() -> Iterator[tuple[Any, int, str]]:
    """Literal patterns in calls of ``re``'s functions."""
    for name in PACKAGES:
        for file in (ROOT / name).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                match node:
                    case ast.Call(
                        func=ast.Attribute(value=ast.Name(id="re"), attr=attr),
                        args=[ast.Constant(value=str() | bytes() as pattern), *_],
                    ) if attr in {*SEARCHING, *ANCHORED}:
                        yield pattern, 0, f"{file.relative_to(ROOT)}:{node.lineno}"


MATCHED = {"_CONSOLE_MODEL", "_HEADSET_MODEL", "_SPEAKER_MODEL", "_CAR_MODEL"}
"""Patterns that are called by another name, from a table of them, with ``match`` alone."""
_CALL = re.compile(r"\b(\w+)\.(search|finditer|findall|sub|split|match|fullmatch)\(")
_CALLS: dict[str, set[str]] = {}
for _package in PACKAGES:
    for _file in (ROOT / _package).rglob("*.py"):
        for _name, _method in _CALL.findall(_file.read_text("utf-8")):
            _CALLS.setdefault(_name, set()).add(_method)


def _methods(where: str) -> tuple[str, ...]:
    """What is called on the name that the pattern is assigned to; everything when there is none."""
    path, _, line = where.rpartition(":")
    lines = (ROOT / path).read_text("utf-8").splitlines()
    for text in reversed(lines[max(0, int(line) - 12) : int(line)]):
        assigned = re.match(r"\s*(\w+)(?::[^=]+)? = ", text)
        if assigned is None:
            continue
        if assigned[1] in MATCHED:
            return ("match",)
        return tuple(sorted(_CALLS.get(assigned[1], ()))) or (*SEARCHING[:1], *ANCHORED)
    return (*SEARCHING[:1], *ANCHORED)


def all_patterns() -> list[Found]:
    """Every pattern once. Imports the packages; for a process of its own."""
    found: dict[tuple[str, bool], Found] = {}
    for pattern, flags, where in (*compiled_at_import(), *in_functions()):
        is_bytes = isinstance(pattern, bytes)
        text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
        found.setdefault(
            (text, is_bytes), Found(text, is_bytes, flags & ~int(re.DEBUG), where, _methods(where))
        )
    return list(found.values())


# Texts that make a pattern slow


def _letter(item: Any, other: bool = False) -> str:
    """A letter that one element of a set, or a category, matches."""
    op, argument = item
    if op is codes.LITERAL:
        return chr(argument)
    if op is codes.RANGE:
        return chr(argument[1 if other else 0])
    if op is codes.CATEGORY:
        return {
            codes.CATEGORY_DIGIT: "7",
            codes.CATEGORY_SPACE: " ",
            codes.CATEGORY_WORD: "w",
        }.get(argument, "~")
    return "a"


def _of_set(argument: Any, other: bool) -> str:
    """A letter of a set, or one outside of a negated set."""
    if argument[0][0] is not codes.NEGATE:
        return _letter(argument[-1 if other else 0], other)
    excluded = {_letter(each) for each in argument[1:]}
    return next(each for each in "a1 ,;=~\t" if each not in excluded)


_SAMPLES: dict[Any, Callable[[Any, bool], str]] = {
    codes.LITERAL: lambda argument, _: chr(argument),
    codes.NOT_LITERAL: lambda argument, _: "a" if argument != ord("a") else "b",
    codes.ANY: lambda _, __: "a",
    codes.IN: _of_set,
    codes.SUBPATTERN: lambda argument, other: sample(argument[-1], other),
    codes.BRANCH: lambda argument, other: sample(argument[1][-1 if other else 0], other),
}
_SAMPLES[codes.ATOMIC_GROUP] = lambda argument, other: sample(argument, other)  # noqa: PLW0108
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
for _repeat in _REPEATS:
    _SAMPLES[_repeat] = lambda argument, other: (
        sample(argument[2], other) * max(1, min(argument[0], 4))
    )


def sample(tree: Any, other: bool = False) -> str:
    """A text that a parsed pattern is likely to match."""
    return "".join(_SAMPLES[op](argument, other) for op, argument in tree if op in _SAMPLES)


def pumps(tree: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """(what stands before, what is repeated) for each repeat of a parsed pattern."""
    for at, (op, argument) in enumerate(tree):
        here = before + sample(tree[:at])
        if op in _REPEATS:
            if argument[1] == codes.MAXREPEAT or argument[1] > 16:
                for other in (False, True):
                    yield here, sample(argument[2], other)
                    yield "", sample(argument[2], other)
            yield from pumps(argument[2], here)
        elif op is codes.SUBPATTERN:
            yield from pumps(argument[-1], here)
        elif op is codes.ATOMIC_GROUP:
            yield from pumps(argument, here)
        elif op is codes.BRANCH:
            for branch in argument[1]:
                yield from pumps(branch, here)
        elif op in (codes.ASSERT, codes.ASSERT_NOT):
            yield from pumps(argument[1], here)


TAILS = ("\x00", "", "!")


def texts_of(found: Found) -> list[Callable[[int], Any]]:
    """What to match the pattern with: each made for a size."""
    tree = parser.parse(
        found.pattern.encode("latin-1") if found.is_bytes else found.pattern, found.flags
    )
    pairs = list(dict.fromkeys((before, unit) for before, unit in pumps(list(tree)) if unit))
    units = list(dict.fromkeys(unit for _, unit in pairs))
    pairs += [("", left + right) for left, right in pairwise(units)]

    def made(before: str, unit: str, tail: str) -> Callable[[int], Any]:
        def of(size: int) -> Any:
            text = before + unit * max(1, size // len(unit)) + tail
            return text.encode("latin-1", "replace") if found.is_bytes else text

        return of

    return [made(before, unit, tail) for before, unit in pairs[:40] for tail in TAILS]


LARGEST = 20_000
SHORT_S = 0.002
ENOUGH_S = 0.03
LINEAR = 2.9
"""A time that doubles has a factor of 2, a quadratic one of 4; what is between is noise."""


def _seconds(call: Callable[[Any], object], text: Any) -> float:
    begun = time.process_time()
    call(text)
    return time.process_time() - begun


def grows(found: Found, method: str, make: Callable[[int], Any]) -> str:
    """How the time grows, when it is more than linear; "" when it is not."""
    compiled = found.compiled()
    function: Callable[..., object] = getattr(compiled, method)

    def call(text: Any) -> object:
        if method == "sub":
            return function(b"" if found.is_bytes else "", text)
        done = function(text)
        return list(done) if method == "finditer" else done  # type: ignore[call-overload]

    size, took = 24, 0.0
    while size <= LARGEST:
        took = _seconds(call, make(size))
        if took > ENOUGH_S:
            break
        size = round(size * 1.6) if took > SHORT_S or size < 64 else size * 4
    if took <= SHORT_S:
        return ""
    size = max(24, size // 2 if took > ENOUGH_S else size // 4)
    small = large = 0.0
    for _ in range(4):  # a machine that is busy with other things may be wrong, but not each time
        small = min(_seconds(call, make(size)) for _ in range(3))
        large = min(_seconds(call, make(2 * size)) for _ in range(3))
        if large < LINEAR * small or large < SHORT_S:
            return ""
    times = f"{small * 1000:.1f} ms, of twice as many {large * 1000:.1f} ms"
    return f"{method} of {size} characters takes {times}"


def slow(found: Found) -> list[str]:
    """What makes this pattern slow, in words."""
    faults = []
    for method in found.methods:
        for make in texts_of(found):
            if fault := grows(found, method, make):
                faults.append(f"{found.where}: {found.pattern[:100]!r} {fault}: {make(40)!r}")
                break
    return faults


def main(arguments: Sequence[str]) -> int:
    """Print all patterns, one a line."""
    del arguments
    for found in all_patterns():
        print(json.dumps(asdict(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
