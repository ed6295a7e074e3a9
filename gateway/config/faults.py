"""What does the schema's refusal mean, in the operator's own terms?"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.config.key_schema import find_key, known_keys
from gateway.config.problem import ConfigProblem, KeyPath, nearest, shown, written
from gateway.config.section import FAULT


def problems_of(error: ValidationError, source_of: Callable[[KeyPath], str]) -> list[ConfigProblem]:
    """Everything that the schema found. ``source_of`` says who set the value at a path."""
    details = error.errors(include_url=False)
    faulty = {detail["loc"][:-1] for detail in details}
    # A list whose items are at fault is also called too short, as pydantic drops them first.
    return [
        _problem(detail, source_of)
        for detail in details
        if detail["type"] != "too_short" or not _any_below(detail["loc"], faulty)
    ]


def _any_below(path: KeyPath, faulty: Iterable[KeyPath]) -> bool:
    return any(parent[: len(path)] == path for parent in faulty)


def _problem(detail: ErrorDetails, source_of: Callable[[KeyPath], str]) -> ConfigProblem:
    # pydantic marks a fault of a key itself, such as a profile's name, with a last part "[key]".
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
                "is not a name that may be used",
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
    # Profiles are the one table whose keys are names that operators choose.
    found = find_key(("policy", "default_profile"))
    return found.allowed if found is not None else ""
