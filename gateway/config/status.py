"""Is the configuration file in force? What monitoring shows of the last reload."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.config.problem import ConfigProblem

_SHOWN_PROBLEMS = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the file was refused. ``since`` (Unix time) is when the first one was, if several were
    refused in a row."""

    since: float
    problems: tuple[str, ...]

    def __str__(self) -> str:
        """The first problems in one line."""
        more = len(self.problems) - _SHOWN_PROBLEMS
        end = f"; and {more} more, see the log" if more > 0 else ""
        return "; ".join(self.problems[:_SHOWN_PROBLEMS]) + end


class ConfigStatus:
    """The outcome of the last reload.

    ``loaded_at`` (Unix time) is when the configuration in force was loaded, ``waiting`` its keys
    that need a restart, and ``refusal`` why the file on disk is not in force.
    """

    def __init__(self, loaded_at: float) -> None:
        self.loaded_at = loaded_at
        self.waiting: tuple[str, ...] = ()
        self.refusal: Refusal | None = None

    def use(self, now: float, waiting: Sequence[str]) -> None:
        """A configuration took effect."""
        self.loaded_at, self.waiting, self.refusal = now, tuple(waiting), None

    def refuse(self, now: float, problems: Sequence[ConfigProblem]) -> None:
        """The file was refused."""
        errors = tuple(str(each) for each in problems if each.severity == "error")
        if self.refusal is None:
            self.refusal = Refusal(now, errors)
        else:
            self.refusal = replace(self.refusal, problems=errors)
