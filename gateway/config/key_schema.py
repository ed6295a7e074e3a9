"""What does the schema say about one key? Its type, the other keys of its table, and what is
allowed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from gateway.config.fields import Allowed, NeedsRestart
from gateway.config.problem import KeyPath
from gateway.config.schema import Settings
from gateway.config.section import Section


@dataclass(frozen=True, slots=True)
class KeySchema:
    """The type of a key without ``Annotated`` and ``| None``, and the annotations found there."""

    core: Any
    metadata: tuple[object, ...] = ()

    @property
    def section(self) -> type[Section] | None:
        """The class of a table with fixed keys; None for anything else."""
        return self.core if isinstance(self.core, type) and issubclass(self.core, Section) else None

    @property
    def items(self) -> "KeySchema | None":
        """The schema of the items of a list, or of the tables in a table of names."""
        arguments = get_args(self.core)
        if get_origin(self.core) is Mapping:
            return unwrap(arguments[1])
        return unwrap(arguments[0]) if self.is_list else None

    @property
    def is_list(self) -> bool:
        """Whether the value is written as ``[…]`` or ``[[…]]``."""
        return get_origin(self.core) in {tuple, frozenset}

    @property
    def is_table(self) -> bool:
        """Whether the value is written as ``{…}`` or below ``[…]``."""
        return self.section is not None or get_origin(self.core) is Mapping

    @property
    def is_text(self) -> bool:
        """Whether the value is written in quotes."""
        if get_origin(self.core) is Literal:
            return True
        return isinstance(self.core, type) and issubclass(self.core, str | Path | SecretStr)

    @property
    def choices(self) -> tuple[str, ...]:
        """All allowed values, if there is a fixed set of them."""
        if get_origin(self.core) is Literal:
            return tuple(map(str, get_args(self.core)))
        if isinstance(self.core, type) and issubclass(self.core, Enum):
            return tuple(str(member.value) for member in self.core)
        return ()

    @property
    def needs_restart(self) -> bool:
        """Whether it is read only when the gateway starts."""
        return any(isinstance(mark, NeedsRestart) for mark in self.metadata)

    @property
    def may_hold_secret(self) -> bool:
        """Whether the value must not be in any message: a secret, or a table that has one."""
        if self.core is SecretStr:
            return True
        below = [*self.keys.values(), *([] if self.items is None else [self.items])]
        return any(each.may_hold_secret for each in below)

    @property
    def must_have_items(self) -> bool:
        """Whether an empty list is an error."""
        limits = [limit for mark in self.metadata for limit in getattr(mark, "metadata", [mark])]
        return any(getattr(limit, "min_length", 0) for limit in limits)

    @property
    def allowed(self) -> str:
        """A description of the allowed values."""
        for mark in self.metadata:
            if isinstance(mark, Allowed):
                return mark.text
        if self.choices:
            return ", ".join(self.choices)
        if self.is_list and self.items is not None:
            some = " with at least one item" if self.must_have_items else ""
            return f"a list{some}; each item: {self.items.allowed}"
        return "a table"

    @property
    def keys(self) -> dict[str, "KeySchema"]:
        """The schemas of this table's keys, in order; empty when it is not a table."""
        fields = self.section.model_fields if self.section is not None else {}
        schemas = {name: unwrap(field.annotation) for name, field in fields.items()}
        return {
            name: replace(schema, metadata=(*fields[name].metadata, *schema.metadata))
            for name, schema in schemas.items()
        }

    def key(self, name: str) -> "KeySchema | None":
        """The schema of a key of this table; None when there is no such key."""
        return self.items if self.section is None else self.keys.get(name)


def unwrap(annotation: object) -> KeySchema:
    """The schema for an annotation: ``Annotated[X, …] | None`` is an X with annotations."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        found = unwrap(inner)
        return replace(found, metadata=(*metadata, *found.metadata))
    if get_origin(annotation) in {Union, UnionType}:
        return unwrap(next(arg for arg in get_args(annotation) if arg is not NoneType))
    return KeySchema(annotation)


ROOT: Final = KeySchema(Settings)


def find_key(path: KeyPath) -> KeySchema | None:
    """The schema of the key at ``path``; None when there is no such key."""
    schema: KeySchema | None = ROOT
    for part in path:
        if schema is None:
            return None
        schema = schema.items if isinstance(part, int) else schema.key(part)
    return schema


def known_keys(path: KeyPath) -> tuple[str, ...]:
    """The keys that the table at ``path`` may have."""
    schema = find_key(path)
    return () if schema is None else tuple(schema.keys)


def places_of(name: str) -> list[str]:
    """Where tables of fixed keys have a key of this name, such as ``server.port``; tables come
    before those inside them."""
    tables: list[tuple[str, KeySchema]] = [("", ROOT)]
    for path, table in tables:  # grows
        tables += [(f"{path}{key}.", each) for key, each in table.keys.items()]
    return [f"{path}{name}" for path, table in tables if name in table.keys]


def restart_keys() -> Iterator[tuple[str, str]]:
    """The section and name of every key that is read only when the gateway starts."""
    for section, table in ROOT.keys.items():
        for name, schema in table.keys.items():
            if table.needs_restart or schema.needs_restart:
                yield section, name


def restart_lists() -> Iterator[str]:
    """The name of every list of tables that is read only when the gateway starts."""
    for section, table in ROOT.keys.items():
        if table.needs_restart and table.is_list:
            yield section
