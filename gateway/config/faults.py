"""What do pydantic's errors mean, in terms of the configuration file?"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.config.key_schema import find_key, known_keys
from gateway.config.problem import ConfigProblem, KeyPath, nearest, shown, written
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
                suggestion=nearest(path[-1], known),
                source=source,
            )
        case "missing":
            return ConfigProblem(written(path), "is missing", allowed=allowed, source=source)
        case kind if kind == FAULT:
            path = (*path, context["key"])
            value = detail["input"].get(context["key"])
            return ConfigProblem(
                written(path),
                context["problem"],
                value=None if value is None else shown(value),
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
            return ConfigProblem(
                written(path),
                str(context["error"]) if kind == "value_error" else "is not allowed",
                value="(hidden)"
                if found is not None and found.is_redacted
                else shown(detail["input"]),
                allowed=allowed,
                suggestion=nearest(detail["input"], choices),
                source=source,
            )


def _allowed_name() -> str:
    # Profiles are the only table whose keys are names chosen by operators.
    found = find_key(("policy", "default_profile"))
    return found.allowed if found is not None else ""
