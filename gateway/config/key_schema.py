"""What does the schema say of one key? Its type, its known neighbours, and what is allowed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from gateway.config.fields import Allowed, NeedsRestart, Redacted
from gateway.config.problem import KeyPath
from gateway.config.schema import Settings
from gateway.config.section import Section


@dataclass(frozen=True, slots=True)
class KeySchema:
    """A type without its wrappers, and what was annotated on it."""

    core: Any
    metadata: tuple[object, ...] = ()

    @property
    def section(self) -> type[Section] | None:
        """The table that stands here; None when it is not a table of fixed keys."""
        return self.core if isinstance(self.core, type) and issubclass(self.core, Section) else None

    @property
    def items(self) -> "KeySchema | None":
        """What the members of a list, or the tables of a table of names, look like."""
        arguments = get_args(self.core)
        if get_origin(self.core) is Mapping:
            return unwrap(arguments[1])
        return unwrap(arguments[0]) if self.is_list else None

    @property
    def is_list(self) -> bool:
        """True for values that are written as ``[…]`` or ``[[…]]``."""
        return get_origin(self.core) in {tuple, frozenset}

    @property
    def is_text(self) -> bool:
        """True when the value is written in quotes."""
        if get_origin(self.core) is Literal:
            return True
        return isinstance(self.core, type) and issubclass(self.core, str | Path | SecretStr)

    @property
    def choices(self) -> tuple[str, ...]:
        """Every value that is allowed, when they can be counted."""
        if get_origin(self.core) is Literal:
            return tuple(map(str, get_args(self.core)))
        if isinstance(self.core, type) and issubclass(self.core, Enum):
            return tuple(str(member.value) for member in self.core)
        return ()

    @property
    def needs_restart(self) -> bool:
        """True for what is read only when the gateway starts."""
        return any(isinstance(mark, NeedsRestart) for mark in self.metadata)

    @property
    def is_redacted(self) -> bool:
        """True for what no message may show."""
        return any(isinstance(mark, Redacted) for mark in self.metadata)

    @property
    def allowed(self) -> str:
        """What the value may be, in words."""
        for mark in self.metadata:
            if isinstance(mark, Allowed):
                return mark.text
        if self.choices:
            return ", ".join(self.choices)
        if self.is_list and self.items is not None:
            return f"a list; each of it: {self.items.allowed}"
        return "a table"

    @property
    def keys(self) -> dict[str, "KeySchema"]:
        """Every key of this table with its schema, in the order of the schema; none for others."""
        fields = self.section.model_fields if self.section is not None else {}
        schemas = {name: unwrap(field.annotation) for name, field in fields.items()}
        return {
            name: replace(schema, metadata=(*fields[name].metadata, *schema.metadata))
            for name, schema in schemas.items()
        }

    def key(self, name: str) -> "KeySchema | None":
        """The schema of the key ``name`` of this table; None when there is no such key."""
        return self.items if self.section is None else self.keys.get(name)


def unwrap(annotation: object) -> KeySchema:
    """``Annotated[X, …] | None`` is an X with its annotations."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        found = unwrap(inner)
        return replace(found, metadata=(*metadata, *found.metadata))
    if get_origin(annotation) in {Union, UnionType}:
        return unwrap(next(arg for arg in get_args(annotation) if arg is not NoneType))
    return KeySchema(annotation)


ROOT: Final = KeySchema(Settings)


def find_key(path: KeyPath) -> KeySchema | None:
    """The schema of what stands at ``path``; None when the schema knows no such key."""
    schema: KeySchema | None = ROOT
    for part in path:
        if schema is None:
            return None
        schema = schema.items if isinstance(part, int) else schema.key(part)
    return schema


def known_keys(path: KeyPath) -> tuple[str, ...]:
    """The keys that the table at ``path`` may hold."""
    schema = find_key(path)
    return () if schema is None else tuple(schema.keys)


def restart_keys() -> Iterator[tuple[str, str]]:
    """The section and the name of every key that is read only when the gateway starts."""
    for section, table in ROOT.keys.items():
        for name, schema in table.keys.items():
            if table.needs_restart or schema.needs_restart:
                yield section, name


def restart_lists() -> Iterator[str]:
    """The name of every list of tables that is read only when the gateway starts."""
    for section, table in ROOT.keys.items():
        if table.needs_restart and table.is_list:
            yield section
