"""What may be shown of a configuration? Every value but secrets, and what differs between two."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from pydantic import SecretStr

from gateway.config.problem import HIDDEN, KeyPath, without_secrets, written
from gateway.config.schema import Settings
from gateway.config.section import Section


def shown_settings(settings: Settings) -> dict[str, Any]:
    """All values as JSON has them. Secrets are hidden, and so are user names, passwords and queries
    in URLs."""
    return {name: _shown(value) for name, value in _keys(settings)}


def changed_keys(before: Settings, after: Settings) -> dict[str, dict[str, Any]]:
    """The keys that differ, with both values as :func:`shown_settings` has them; None stands for a
    key that is not there. Of a secret, only that it differs is seen."""
    old, new = dict(_leaves(before, ())), dict(_leaves(after, ()))
    return {
        written(path): {"before": _shown(old.get(path)), "after": _shown(new.get(path))}
        for path in sorted(old.keys() | new.keys(), key=written)
        if old.get(path) != new.get(path)
    }


def _keys(section: Section) -> Iterator[tuple[str, object]]:
    """The keys of a table with their values. pydantic would iterate over cached properties too."""
    return ((name, getattr(section, name)) for name in type(section).model_fields)


def _leaves(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Every value that is neither a table nor a list of tables, with its path."""
    if isinstance(value, Section):
        for name, each in _keys(value):
            yield from _leaves(each, (*path, name))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, (*path, name))
    elif isinstance(value, tuple) and any(isinstance(each, Section) for each in value):
        for position, each in enumerate(value):
            yield from _leaves(each, (*path, position))
    else:
        yield path, value


def _shown(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, Section | Mapping):
        items = value.items() if isinstance(value, Mapping) else _keys(value)
        return {str(name): _shown(each) for name, each in items}
    if isinstance(value, frozenset):
        return sorted(map(_shown, value), key=str)
    if isinstance(value, tuple | list):
        return list(map(_shown, value))
    return _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return without_secrets(text) if "://" in text else text
