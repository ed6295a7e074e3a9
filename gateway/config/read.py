"""What is in a TOML file? Its tables, or the reason why it cannot be read."""

import ast
import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from gateway.config.problem import ConfigError, ConfigProblem, written

_ONCE: Final = "each key once in its table, and [[name]] above each table of a list"
_HEADER: Final = "[table] or [[list]]"
_STATEMENT: Final = f'key = value, {_HEADER}, or a comment that starts with "#"'
_CLOSED: Final = "text that ends with its quote on the same line"
_ALLOWED: Final[Mapping[str, str]] = {
    "Invalid value": "text in quotes, a number, true, false, a list in [ ] or a table in { }",
    "Invalid statement": _STATEMENT,
    "Expected '=' after": _STATEMENT,
    "Expected newline": ('one value on a line, behind which a comment starts with "#"'),
    "Expected ']": _HEADER,
    "Cannot declare": _ONCE,
    "Cannot overwrite": _ONCE,
    "Cannot mutate": _ONCE,
    "Unclosed array": "a list in [ ] with commas between its items",
    "Unclosed inline table": "a table in { } with commas between its keys",
    "Invalid initial character for a key": "a key of letters, digits, _ and -, or one in quotes",
    "Illegal character '\\n'": _CLOSED,
    "Unterminated string": _CLOSED,
    'Expected "\'"': _CLOSED,
    "Unescaped": r"\\ for each \, or single quotes around the text",
}
"""What is allowed where tomllib's message starts with these words."""
_KEY_IN_MESSAGE: Final = re.compile(r"""\(['"].*\)""")


def read_file(path: Path) -> bytes:
    """The content of the file at ``path``. Raises ConfigError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            [ConfigProblem("", f"cannot be read ({error.strerror})", source=str(path))]
        ) from None


def read_defaults() -> dict[str, Any]:
    """The shipped tables."""
    return deepcopy(_defaults())


@cache
def _defaults() -> dict[str, Any]:
    data = resources.files("gateway.config").joinpath("defaults.toml").read_bytes()
    return parse_toml(data, "defaults.toml")


def parse_toml(data: bytes, source: str) -> dict[str, Any]:
    """The tables of TOML ``data``. A byte order mark is skipped. Raises ConfigError."""
    allowed: str | None
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem, allowed = f"line {line}: is not UTF-8", "a file that is saved as UTF-8"
    except tomllib.TOMLDecodeError as error:
        place, text = _place(str(error), data)
        problem = f"{place}: {_KEY_IN_MESSAGE.sub(_as_written, text)} (TOML syntax)"
        allowed = next((_ALLOWED[start] for start in _ALLOWED if text.startswith(start)), None)
    except (ValueError, RecursionError) as error:
        problem, allowed = f"cannot be read as TOML ({type(error).__name__}: {error})", None
    raise ConfigError([ConfigProblem("", problem, allowed=allowed, source=source)])


def _as_written(key: re.Match[str]) -> str:
    """tomllib's ``('profiles', 'a b')`` as ``profiles."a b"``; as it is where it is no such key."""
    try:
        path = ast.literal_eval(key[0])
    except (ValueError, SyntaxError):
        return key[0]
    return written(path) if isinstance(path, tuple) else key[0]


def _place(message: str, data: bytes) -> tuple[str, str]:
    """tomllib's ``… (at line 3, column 7)`` as the place and the text before it."""
    text, _, place = message.removesuffix(")").rpartition(" (at ")
    if place == "end of document":
        lines = data.decode("utf-8-sig").split("\n")
        place = f"line {len(lines)}, column {len(lines[-1]) + 1}"
    return place, text


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``below`` overridden by ``above``: tables key by key, all other values as a whole."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(under, dict) and isinstance(value, dict):
            result[key] = merged(under, value)
        else:
            result[key] = value
    return result
