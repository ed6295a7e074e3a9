"""Why an action is not done."""

from dataclasses import dataclass
from typing import Literal

ActionCode = Literal["malformed", "unknown-edge", "unknown", "conflict", "full", "refused"]
"""``malformed``: the request itself; ``unknown-edge``, ``unknown``: there is no such edge, or no
such thing; ``conflict``: it does not go with what is in force; ``full``: there are as many as may
be; ``refused``: the store did not accept it."""


@dataclass(slots=True)
class ActionError(Exception):
    """An action was refused, and nothing was done. ``text`` says why, and what is allowed. ``key``
    is the part of the request that it is about."""

    code: ActionCode
    text: str
    key: str | None = None

    def __str__(self) -> str:
        """``to: is the same edge as from; …``."""
        return self.text if self.key is None else f"{self.key}: {self.text}"

    def as_option(self) -> str:
        """The same for a command: ``--to: is …``."""
        return self.text if self.key is None else f"--{self.key}: {self.text}"
