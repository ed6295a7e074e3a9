"""Which changed keys take effect only after a restart?"""

from dataclasses import replace
from typing import Any

from gateway.config.build import policy_of
from gateway.config.key_schema import restart_keys, restart_lists
from gateway.config.load import Loaded


def hold_back(running: Loaded, new: Loaded) -> tuple[Loaded, tuple[str, ...]]:
    """``new`` with the running values of all keys that are read only at the start.

    Also returns the names of the keys that differ (``server.port``, ``origins``).
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
    sections: dict[str, Any] = {
        section: getattr(new.settings, section).model_copy(update=values)
        for section, values in held.items()
    }
    settings = new.settings.model_copy(update=sections | lists)
    waiting = tuple(f"{section}.{key}" for section, values in held.items() for key in values)
    waiting += tuple(lists)
    return replace(new, settings=settings, policy=policy_of(settings)), waiting
