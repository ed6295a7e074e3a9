"""What does an edge write when it registers itself? The same keys as a table of ``[[edges]]``.

A registration is checked when it is written and again when it is read, because anyone who can write
to the store may have written it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from gateway.config.build import edge_of
from gateway.config.delivery_settings import EdgeSettings
from gateway.config.faults import problems_of
from gateway.config.fields import EdgeId
from gateway.config.key_schema import unwrap
from gateway.config.problem import ConfigError, ConfigProblem, KeyPath, shown
from gateway.config.section import Section
from gateway.edge.edge import Edge
from gateway.edge.url_pattern import UrlPattern
from gateway.store.coordination.register import MAX_FACTS_BYTES, MAX_TTL_MS, MIN_TTL_MS
from gateway.trust.registrations import MAX_HEADER_BYTES
from gateway.untrusted import json_of

MIN_TTL_S: Final = MIN_TTL_MS / 1000
MAX_TTL_S: Final = MAX_TTL_MS / 1000

_OPERATOR_KEYS: Final = ("dns", "drain", "signing")
"""Keys that only the operator may set."""

_IDS: Final = TypeAdapter(tuple[EdgeId, ...])


class _Tables(Section):
    """A configuration with this edge alone, so that paths in errors are those of ``[[edges]]``."""

    edges: tuple[EdgeSettings, ...] = Field(max_length=1)


@dataclass(frozen=True, slots=True)
class Registration:
    """An edge that registered itself for ``ttl_s`` seconds."""

    edge: Edge
    ttl_s: float


def facts_of(table: Mapping[str, Any], ttl_s: float, owner: str) -> bytes:
    """A registration as bytes. ``owner`` distinguishes it from another one with the same id.

    Raises :class:`ConfigError` with all problems, each under the command line option of its key.
    """
    _checked(table)
    facts = {"edge": dict(table), "ttl_ms": round(ttl_s * 1000), "owner": owner}
    written = json.dumps(facts, sort_keys=True).encode()
    most = MAX_FACTS_BYTES - MAX_HEADER_BYTES
    if len(written) > most:
        problem = f"together are longer than the {most} bytes allowed"
        raise ConfigError([ConfigProblem("", problem, source="the options")])
    return written


def allowed_by(patterns: Sequence[UrlPattern], edge: Edge) -> bool:
    """Whether an edge, and the absolute URL of its probes, have URLs that a pattern allows."""
    probed = edge.health_url or ""
    urls = (edge.url, probed) if "://" in probed else (edge.url,)
    return all(any(pattern.matches(url) for pattern in patterns) for url in urls)


def registration_of(facts: bytes) -> Registration:
    """Read what ``facts_of`` wrote. Raises ValueError with the reason when it is invalid."""
    match json_of(facts, MAX_FACTS_BYTES):
        case {"edge": dict(table), "ttl_ms": int(ttl_ms), **rest} if set(rest) <= {"owner"}:
            ttl_s = ttl_ms / 1000
        case _:
            raise ValueError("is not a registration")
    if not MIN_TTL_S <= ttl_s <= MAX_TTL_S:
        raise ValueError(f"has a time to live that is not {MIN_TTL_S:.0f} to {MAX_TTL_S:.0f} s")
    return Registration(_checked(table), ttl_s)


def checked_ids(ids: Sequence[str]) -> None:
    """Check that these can be ids of edges. Raises :class:`ConfigError`."""
    try:
        _IDS.validate_python(tuple(ids))
    except ValidationError as error:
        allowed = unwrap(EdgeId).allowed
        raise ConfigError(
            [
                ConfigProblem("", "is not an id", shown(one["input"]), allowed, source="ID")
                for one in error.errors(include_url=False)
            ]
        ) from None


def _checked(table: Mapping[str, Any]) -> Edge:
    problems = [
        ConfigProblem("", "is not allowed for registered edges", source=f"--{key}")
        for key in _OPERATOR_KEYS
        if key in table
    ]
    if problems:
        raise ConfigError(problems)
    try:
        return edge_of(_Tables.model_validate({"edges": [table]}).edges[0])
    except ValidationError as error:
        raise ConfigError(
            [replace(problem, path="") for problem in problems_of(error, _option)]
        ) from None


def _option(path: KeyPath) -> str:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    return "--" + str(key).replace("_", "-")
