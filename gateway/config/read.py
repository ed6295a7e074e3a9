"""What is in a TOML file? Its tables, or the reason why it cannot be read."""

import tomllib
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from gateway.config.problem import ConfigError, ConfigProblem


def read_file(path: Path) -> dict[str, Any]:
    """The tables of the file at ``path``. Raises ConfigError."""
    try:
        return parse_toml(path.read_bytes(), path.name)
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
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"line {line}: is not UTF-8"
    except tomllib.TOMLDecodeError as error:
        problem = f"{_place(str(error), data)} (TOML syntax)"
    except (ValueError, RecursionError) as error:
        problem = f"cannot be read as TOML ({type(error).__name__}: {error})"
    raise ConfigError([ConfigProblem("", problem, source=source)])


def _place(message: str, data: bytes) -> str:
    """Turn tomllib's ``… (at line 3, column 7)`` into ``line 3, column 7: …``."""
    text, _, place = message.removesuffix(")").rpartition(" (at ")
    if place == "end of document":
        lines = data.decode("utf-8-sig").split("\n")
        place = f"line {len(lines)}, column {len(lines[-1]) + 1}"
    return f"{place}: {text}"


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
