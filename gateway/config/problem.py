"""What is wrong with a configuration? Messages name the key, its value and what is allowed."""

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

KeyPath = tuple[str | int, ...]
"""The path of a value: names of tables and keys, and positions in lists (from 0)."""

HIDDEN: Final = "(hidden)"
"""Stands for a value that may hold a secret."""

_SHOWN_LENGTH: Final = 80
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
# Greedy up to the last @, because a password may itself hold a slash or an @.
_CREDENTIALS: Final = re.compile(r"://.*@|:/?[^\s\"]*@")
# A URL's query and fragment may hold a token under any name.
_QUERY: Final = re.compile(r"(:/[^\"?#]*[?#])[^\"]+")
# The same without a scheme, and parameters of a path (";token=").
_PARAMETER: Final = re.compile(r"([?;#][\w.~%-]+=)[^\"]*")
_PASSWORD_PARAMETER: Final = re.compile(r"(?i)(password=)[^&\"]*")


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One problem. ``source`` is the file or the environment variable that caused it.

    ``path`` is written as in ``rules[3].when.device[0]``; it is empty for the file as a whole.
    ``value`` is ready to print: quoted, of bounded length, without passwords. A configuration with
    warnings alone can be used.
    """

    path: str
    problem: str
    value: str | None = None
    allowed: str | None = None
    suggestion: str | None = None
    source: str = "configuration"
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """One line: ``gateway.toml: server.port: 70000 is not allowed; allowed: …``."""
        where = f"{self.source}: {self.path}: " if self.path else f"{self.source}: "
        warning = "warning: " if self.severity == "warning" else ""
        value = f"{self.value} " if self.value is not None else ""
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        suggestion = f' (did you mean "{self.suggestion}"?)' if self.suggestion else ""
        return f"{where}{warning}{value}{self.problem}{allowed}{suggestion}"


class ConfigError(ValueError):
    """The configuration cannot be used. ``problems`` has all problems, including warnings."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def without(problem: ConfigProblem, content: str) -> ConfigProblem:
    """``problem`` without a value that came from a secret's file."""
    text = problem.problem.replace(content, HIDDEN)
    value = None if problem.value is None else HIDDEN
    return replace(problem, problem=text, value=value)


def written(path: KeyPath) -> str:
    """A path as text: ``rules[3].when.device[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else shown(part)
            text += f".{name}" if text else name
    return text


def shown(value: object, most: int = _SHOWN_LENGTH) -> str:
    """A value for a message: one line of at most ``most`` characters, with secrets in URLs
    masked."""
    text = without_secrets(json.dumps(value, default=str, ensure_ascii=False))
    text = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _masked(found: re.Match[str]) -> str:
    return "://***@" if found[0].startswith("://") else ":***@"


def without_secrets(text: str) -> str:
    """``text`` with the user, password, query, fragment and parameters of a URL, whole or not, and
    any ``password=`` masked."""
    text = _QUERY.sub(r"\1***", _CREDENTIALS.sub(_masked, text))
    text = _PARAMETER.sub(r"\1***", text)
    return _PASSWORD_PARAMETER.sub(r"\1***", text)


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that is most similar to ``name``; None when none is similar."""
    if not isinstance(name, str):
        return None
    by_folded = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name.casefold()[:100], by_folded, n=1)
    return by_folded[found[0]] if found else None
