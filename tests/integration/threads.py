"""In which thread does something run?"""

import threading
from collections.abc import Callable
from typing import Any


def kind() -> str:
    """The start of this thread's name, up to an underscore: equal in all threads of a pool."""
    return threading.current_thread().name.partition("_")[0]


class Threads:
    """``by_name`` has the :func:`kind` of the thread that each noted function last ran in."""

    def __init__(self) -> None:
        self.by_name: dict[str, str] = {}

    def noted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, of which each call notes its thread under ``name``."""

        def call(*args: Any, **named: Any) -> Any:
            self.by_name[name] = kind()
            return function(*args, **named)

        return call
