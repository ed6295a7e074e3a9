"""Who connects where? Players and operators have a listener each, with an address of its own."""

from typing import Final, Literal

Listener = Literal["players", "operators"]

PLAYERS: Final = "players"
OPERATORS: Final = "operators"
