"""Which configuration is used? The shipped values, overridden by the file, then the environment."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.config.build import policy_of
from gateway.config.check import check
from gateway.config.environment import Setting, read_environment
from gateway.config.faults import problems_of
from gateway.config.problem import ConfigError, ConfigProblem, KeyPath, without, written
from gateway.config.read import merged, parse_toml, read_defaults, read_file
from gateway.config.schema import Settings
from gateway.decision import Policy


@dataclass(frozen=True, slots=True)
class Given:
    """The tables of a configuration as they were written, ``origins`` of their values, and the
    ``contents`` of the environment's files, by origin. ``name`` is the file's."""

    tables: dict[str, Any]
    name: str
    origins: dict[KeyPath, str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)

    def source_of(self, where: KeyPath) -> str:
        """What set the value at a path."""
        ends = range(len(where), 0, -1)
        found = (self.origins[where[:end]] for end in ends if where[:end] in self.origins)
        return next(found, self.name)

    def problems(self) -> Iterator[ConfigProblem]:
        """All problems between keys."""
        return check(self.tables, self.source_of)

    def without_secret(self, problem: ConfigProblem) -> ConfigProblem:
        """``problem`` without what came from a file of the environment."""
        content = self.contents.get(problem.source)
        return problem if content is None else without(problem, content)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used.

    ``given`` is what was written. ``overridden`` are the keys that an environment variable sets to
    another value than the file does. ``content`` is that of the file that was read; None without a
    file.
    """

    settings: Settings
    policy: Policy
    path: Path | None
    given: Given = field(repr=False, compare=False)
    warnings: tuple[ConfigProblem, ...] = ()
    overridden: tuple[str, ...] = ()
    content: bytes | None = field(default=None, repr=False, compare=False)

    def __reduce__(self) -> tuple[Callable[..., "Loaded"], tuple[object, ...]]:
        """Pickled for workers without the policy, which has keys that cannot be pickled."""
        rest = (self.path, self.given, self.warnings, self.overridden, self.content)
        return _loaded, (self.settings, *rest)

    @property
    def origins(self) -> dict[str, str]:
        """What set every key without its shipped value: the file or an environment variable."""
        return {written(where): origin for where, origin in self.given.origins.items()}

    @property
    def from_environment(self) -> dict[str, str]:
        """The keys that the environment sets, with the variable of each."""
        prefix = "environment "
        return {
            key: origin.removeprefix(prefix)
            for key, origin in self.origins.items()
            if origin.startswith(prefix)
        }


def _loaded(settings: Settings, *rest: Any) -> Loaded:  # noqa: ANN401
    return Loaded(settings, policy_of(settings), *rest)


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """The configuration in the file at ``path``; without a path, the shipped values.

    ``environ`` defaults to the environment of the process. Relative paths in the configuration
    start at the file's folder, or at the working directory when there is no file. Raises
    :class:`ConfigError` with all problems at once.
    """
    tables = read_defaults()
    problems: list[ConfigProblem] = []
    overridden: list[str] = []
    name = path.name if path is not None else "configuration"
    content = read_file(path) if path is not None else None
    in_file = parse_toml(content or b"", name)
    given = Given(merged(tables, in_file), name)
    given.origins.update(dict.fromkeys(_leaves(in_file), given.name))
    for found in read_environment(os.environ if environ is None else environ, _names(given.tables)):
        if isinstance(found, ConfigProblem):
            problems.append(found)
            continue
        before = _at(in_file, found.path)  # before it is put into the same lists
        if _put(given.tables, found):
            source = f"environment {found.variable}"
            given.origins[found.path] = source
            if found.content is not None:
                given.contents[source] = found.content
            if before not in (None, found.value):
                overridden.append(written(found.path))
        else:
            problems.append(_no_such_item(found))

    settings: Settings | None = None
    folder = path.parent.absolute() if path is not None else Path.cwd()
    try:
        settings = Settings.model_validate(given.tables, context={"folder": folder})
    except ValidationError as error:
        problems += problems_of(error, given.source_of)
    problems += given.problems()
    problems = [given.without_secret(problem) for problem in problems]
    warnings = tuple(problem for problem in problems if problem.severity == "warning")
    if settings is None or len(problems) > len(warnings):
        raise ConfigError(problems)
    return Loaded(
        settings,
        policy_of(settings),
        path,
        given,
        warnings,
        tuple(overridden),
        content,
    )


def _leaves(table: Mapping[str, Any], path: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of every value that is not a table, and of every empty table."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)


def _at(tables: object, path: KeyPath) -> object:
    """The value that a file has at ``path``; None when it has none."""
    for part in path:
        if isinstance(tables, dict) and isinstance(part, str):
            tables = tables.get(part)
        elif isinstance(tables, list) and isinstance(part, int) and part < len(tables):
            tables = tables[part]
        else:
            return None
    return tables


def _names(tables: Mapping[str, Any]) -> Mapping[str, Any]:
    profiles = tables.get("profiles")
    return profiles if isinstance(profiles, dict) else {}


def _put(tables: dict[str, Any], setting: Setting) -> bool:
    """Put a setting into ``tables``. False when it names an item that is not in its list."""
    here: Any = tables
    *parents, last = setting.path
    for part, below in zip(parents, setting.path[1:], strict=True):
        if isinstance(part, str):
            if not isinstance(here, dict):
                return True  # not a table: the schema reports it
            if isinstance(below, int) and part not in here:
                return False
            here.setdefault(part, {})
        elif not _has_item(here, part):
            return False
        here = here[part]
    if isinstance(last, str):
        if isinstance(here, dict):
            here.update(merged(here, {last: setting.value}))
        return True
    found = _has_item(here, last)
    if found:
        here[last] = setting.value
    return found


def _has_item(items: object, position: int) -> bool:
    return isinstance(items, list) and position < len(items)


def _no_such_item(setting: Setting) -> ConfigProblem:
    source = f"environment {setting.variable}"
    return ConfigProblem(
        written(setting.path), "names an item that is not in the list", source=source
    )
