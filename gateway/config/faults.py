"""What do pydantic's errors mean, in terms of the configuration file?"""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.config.key_schema import KeySchema, find_key, known_keys, places_of
from gateway.config.problem import (
    HIDDEN,
    ConfigProblem,
    KeyPath,
    nearest,
    shown,
    without_secrets,
    written,
)
from gateway.config.section import FAULT


def problems_of(error: ValidationError, source_of: Callable[[KeyPath], str]) -> list[ConfigProblem]:
    """All errors that pydantic found. ``source_of`` returns what set the value at a path."""
    details = error.errors(include_url=False)
    faulty = {detail["loc"][:-1] for detail in details}
    # pydantic drops faulty items of a list, and may then report the list as too short as well.
    return [
        _problem(detail, source_of)
        for detail in details
        if detail["type"] != "too_short" or not _any_below(detail["loc"], faulty)
    ]


def _any_below(path: KeyPath, faulty: Iterable[KeyPath]) -> bool:
    return any(parent[: len(path)] == path for parent in faulty)


def _problem(detail: ErrorDetails, source_of: Callable[[KeyPath], str]) -> ConfigProblem:
    # For a fault of a key itself, such as a profile's name, pydantic adds "[key]" to the path.
    path = tuple(part for part in detail["loc"] if part != "[key]")
    about_name = len(path) < len(detail["loc"])
    source = source_of(path)
    context: Mapping[str, Any] = detail.get("ctx", {})
    found = find_key(path)
    allowed = found.allowed if found is not None else None
    match detail["type"]:
        case "extra_forbidden":
            known = known_keys(path[:-1])
            return ConfigProblem(
                written(path),
                "is not a known key",
                allowed=", ".join(known),
                suggestion=_meant(path, known),
                source=source,
            )
        case "missing":
            return ConfigProblem(written(path), "is missing", allowed=allowed, source=source)
        case kind if kind == FAULT:
            below = context["key"].split(".")
            path = (*path, *below)
            value = reduce(_value_in, below, detail["input"])
            return ConfigProblem(
                written(path),
                context["problem"],
                value=None if value is None else _printable(value, find_key(path)),
                allowed=context["allowed"],
                source=source_of(path),
            )
        case _ if about_name:
            return ConfigProblem(
                written(path),
                "is not an allowed name",
                allowed=_allowed_name(),
                source=source,
            )
        case kind:
            choices = found.choices if found is not None else ()
            words = _in_words(detail, found)
            if source.startswith("environment ") and words == "is text" and _takes_json(found):
                words = "is text, not JSON"
            return ConfigProblem(
                written(path),
                without_secrets(str(context["error"])) if kind == "value_error" else words,
                value=_printable(detail["input"], found),
                allowed=allowed,
                suggestion=nearest(detail["input"], choices),
                source=source,
            )


def _meant(path: KeyPath, known: tuple[str, ...]) -> str | None:
    """The key that somebody wanted. Above all tables, the header is missing or misspelled; in one
    of them, the name is misspelled, or the key belongs to the one table that has it."""
    misspelled = nearest(path[-1], known)
    places = places_of(str(path[-1]))
    if len(path) == 1 and places:
        return places[0]
    in_section, one = len(path) == 2, len(places) == 1  # noqa: PLR2004
    return misspelled or (places[0] if in_section and one else None)


def _takes_json(key: KeySchema | None) -> bool:
    return key is not None and (key.is_list or key.is_table)


def _value_in(table: Any, key: str) -> Any:  # noqa: ANN401
    return table.get(key) if isinstance(table, dict) else None


def _printable(value: object, key: KeySchema | None) -> str:
    hidden = key is not None and key.may_hold_secret and value not in ([], {})
    return HIDDEN if hidden else shown(value)


_OUT_OF_RANGE: Mapping[str, str] = {
    "greater_than": "is not above {gt}",
    "greater_than_equal": "is below {ge}",
    "less_than": "is not below {lt}",
    "less_than_equal": "is above {le}",
    "string_too_short": "is shorter than {min_length} characters",
    "string_too_long": "is longer than {max_length} characters",
    "too_long": "has more than {max_length} items",
    "finite_number": "is not a finite number",
    "string_pattern_mismatch": "does not have the allowed form",
}
"""What is wrong with a value of the right type."""


def _in_words(detail: ErrorDetails, key: KeySchema | None) -> str:
    kind, value = detail["type"], detail["input"]
    if value in ("", [], {}) and kind in {"too_short", "string_too_short"}:
        return "is empty"
    if kind in _OUT_OF_RANGE:
        limits = {name: _number(limit) for name, limit in detail.get("ctx", {}).items()}
        return _OUT_OF_RANGE[kind].format(**limits)
    if kind in {"literal_error", "enum"} and isinstance(value, str):
        return "is not one of the allowed values"
    if kind == "int_type" and isinstance(value, float):
        return "is not a whole number"
    return f"is {_type_of(value)}" if key is None else _in_wrong_brackets(value, key)


def _in_wrong_brackets(value: object, key: KeySchema) -> str:
    """A value of another type, which may come from the brackets of its header."""
    if isinstance(value, dict) and key.items is not None:
        return "is a single table; its header needs double brackets, as in [[edges]]"
    tables = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    if tables and key.is_table:
        return "is a list; its header needs single brackets, as in [server]"
    return f"is {_type_of(value)}"


def _number(limit: object) -> object:
    """A limit as one writes it: 100000000 instead of 1e+08."""
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


def _type_of(value: object) -> str:
    """A TOML type in words."""
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or a time"


def _allowed_name() -> str:
    # Profiles are the only table whose keys are names chosen by operators.
    found = find_key(("policy", "default_profile"))
    return found.allowed if found is not None else ""
