"""What do the ``{$name}`` references of a playlist stand for? (EXT-X-DEFINE, rules A5.3 to A5.5)

A NAME/VALUE variable is known when the playlist is read. A QUERYPARAM variable is known only with a
player's request, so references to it are *late*: they stay until ``resolve_late`` replaces them.
"""

import re
from collections.abc import Collection, Mapping

from manifests.fault import QueryParameterError

_REFERENCE = re.compile(r"\{\$([A-Za-z0-9_-]+)\}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")

MAX_REFERENCES = 64
"""References in one value. With the next limit it bounds chains of values that multiply."""

MAX_EXPANDED = 8192
"""Characters of one value after substitution."""

MAX_QUERY_VALUE = 1024
"""Characters of one query parameter that a playlist asks for."""

MAX_QUERY_GROWTH = 1_000_000
"""Characters that all query parameters together may add to a playlist."""


DEFAULT_MAX_GROWTH = 1 << 20


class VariableError(ValueError):
    """A definition or a reference that breaks ``rule``."""

    def __init__(self, rule: str, problem: str) -> None:
        self.rule = rule
        self.problem = problem
        super().__init__(rule, problem)


class Variables:
    """The variables defined so far, in source order: a definition must precede its use (A5.5)."""

    def __init__(self, max_growth: int = DEFAULT_MAX_GROWTH) -> None:
        """All expansions together may add ``max_growth`` characters."""
        self._left = self._max_growth = max_growth
        self._values: dict[str, str] = {}
        self._late: list[str] = []

    @property
    def late(self) -> tuple[str, ...]:
        """The names of the QUERYPARAM variables, in source order."""
        return tuple(self._late)

    def define(self, name: str, value: str) -> None:
        """Define a NAME/VALUE variable. Raises VariableError on a bad or second name (A5.3)."""
        self._check(name)
        self._values[name] = value

    def define_late(self, name: str) -> None:
        """Define a QUERYPARAM variable. Raises VariableError on a bad or second name (A5.3)."""
        self._check(name)
        self._values[name] = f"{{${name}}}"
        self._late.append(name)

    def expand(self, text: str) -> str:
        """``text`` with its references replaced, once and not recursively.

        Raises VariableError when a name is undefined (A5.5) or the result would be too long.
        """
        if text.count("{$") > MAX_REFERENCES:
            raise VariableError("A5.5", f"more than {MAX_REFERENCES} variable references")
        expanded = _REFERENCE.sub(self._value_of, text)
        if len(expanded) > MAX_EXPANDED:
            raise VariableError("A5.5", f"over {MAX_EXPANDED} characters after substitution")
        self._left -= max(0, len(expanded) - len(text))
        if self._left < 0:
            problem = f"variables add over {self._max_growth} characters to the playlist"
            raise VariableError("F13", problem)
        return expanded

    def _value_of(self, reference: re.Match[str]) -> str:
        value = self._values.get(reference[1])
        if value is None:
            raise VariableError("A5.5", f"the variable {reference[1]} is not defined here")
        return value

    def _check(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise VariableError(
                "A5.3", "a variable name is empty or contains a character that is not allowed"
            )
        if name in self._values:
            raise VariableError("A5.3", f"the variable {name} is defined twice")


def is_late(text: str) -> bool:
    """True when an expanded text still refers to query parameters."""
    return "{$" in text and _REFERENCE.search(text) is not None


def resolve_late(text: str, values: Mapping[str, str]) -> str:
    """``text`` with the references to query parameters replaced by checked ``values``."""
    if "{$" not in text:
        return text
    return _REFERENCE.sub(lambda reference: values.get(reference[1], reference[0]), text)


def late_names(text: str) -> list[str]:
    """The names of the query parameters that an expanded text refers to, each as often as it
    does."""
    return _REFERENCE.findall(text)


def check_query(
    names: Collection[str], query: Mapping[str, str], uses: Mapping[str, int] | None = None
) -> dict[str, str]:
    """The values of the named query parameters, checked to be safe inside a manifest. ``uses`` says
    how often each is written there.

    ``query`` is percent-decoded. Raises QueryParameterError when one is missing or empty (A5.4),
    too long, or contains a quote, a control character (A3.3, A1.2) or a variable reference; and
    when all together make the playlist too long.
    """
    values: dict[str, str] = {}
    growth = 0
    for name in names:
        value = query.get(name, "")
        if not value:
            raise QueryParameterError(name, "it is missing or empty")
        if len(value) > MAX_QUERY_VALUE:
            raise QueryParameterError(name, f"it is longer than {MAX_QUERY_VALUE} characters")
        # A player would expand "{$x}" in the VALUE that this text becomes.
        if '"' in value or "{$" in value or not value.isprintable():
            raise QueryParameterError(name, "it contains a character that a playlist cannot hold")
        values[name] = value
        growth += (0 if uses is None else uses[name]) * len(value)
        if growth > MAX_QUERY_GROWTH:
            problem = f"it adds over {MAX_QUERY_GROWTH} characters to the playlist"
            raise QueryParameterError(name, problem)
    return values
