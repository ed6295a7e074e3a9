"""Which changed keys take effect only after a restart?"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from gateway.config.build import policy_of
from gateway.config.key_schema import restart_keys, restart_lists
from gateway.config.load import Given, Loaded
from gateway.config.problem import ConfigError, KeyPath


def hold_back(running: Loaded, new: Loaded) -> tuple[Loaded, tuple[str, ...]]:
    """``new`` with the running values of all keys that are read only at the start.

    Also returns the names of the keys that differ (``server.port``, ``origins``). Raises
    :class:`ConfigError` when the other changes need one of these first.
    """
    held: dict[str, dict[str, Any]] = {}
    for section, key in restart_keys():
        was = getattr(getattr(running.settings, section), key)
        if getattr(getattr(new.settings, section), key) != was:
            held.setdefault(section, {})[key] = was
    lists = {
        section: getattr(running.settings, section)
        for section in restart_lists()
        if getattr(new.settings, section) != getattr(running.settings, section)
    }
    if not held and not lists:
        return new, ()
    waiting = tuple(f"{section}.{key}" for section, values in held.items() for key in values)
    waiting += tuple(lists)
    given = _given(running, new, held, lists)
    _check(given, waiting)
    sections: dict[str, Any] = {
        section: getattr(new.settings, section).model_copy(update=values)
        for section, values in held.items()
    }
    settings = new.settings.model_copy(update=sections | lists)
    return replace(new, settings=settings, policy=policy_of(settings), given=given), waiting


def _given(
    running: Loaded, new: Loaded, held: Mapping[str, Collection[str]], lists: Collection[str]
) -> Given:
    """What is given in ``new``, with that of ``running`` in the place of the keys that are held."""
    was, now = running.given, new.given
    tables = dict(now.tables)
    for section, keys in held.items():
        above, below = was.tables.get(section, {}), now.tables.get(section, {})
        tables[section] = {key: value for key, value in below.items() if key not in keys}
        tables[section] |= {key: above[key] for key in keys if key in above}
    tables |= {section: was.tables.get(section, []) for section in lists}

    def waits(where: KeyPath) -> bool:
        return where[0] in lists or (len(where) > 1 and where[1] in held.get(str(where[0]), ()))

    origins = {where: origin for where, origin in now.origins.items() if not waits(where)}
    origins |= {where: origin for where, origin in was.origins.items() if waits(where)}
    return replace(now, tables=tables, origins=origins)


def _check(given: Given, waiting: Collection[str]) -> None:
    """Raise :class:`ConfigError` when keys that are held do not fit the others: a rule that needs a
    database cannot be in force before the database is, for example."""
    why = f"until a restart, these keep their running values: {', '.join(waiting)}"
    problems = [
        replace(problem, problem=f"{problem.problem} ({why})")
        for problem in map(given.without_secret, given.problems())
        if problem.severity == "error"
    ]
    if problems:
        raise ConfigError(problems)
