"""Which keys does the environment set? ``GATEWAY_SERVER__PORT=8081`` is ``server.port = 8081``.

A variable is the path of a key in capitals, with two underscores between its parts. The number of
a list item (from 0) is a part as well: ``GATEWAY_EDGES__0__WEIGHT``. Text is used as it is. Other
values are written in TOML or JSON; lists and tables need JSON:
``GATEWAY_EDGES='[{"id": "a", "url": "…"}]'``.

With ``_FILE`` behind its name, a variable names a file that holds the value, such as a secret that
an orchestrator mounts: ``GATEWAY_STORE__URL_FILE=/run/secrets/store-url``. The file is read
whenever the configuration is.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.config.key_schema import ROOT, KeySchema, find_key, known_keys
from gateway.config.problem import ConfigProblem, KeyPath, nearest, shown, written
from gateway.config.variables import CONFIG_VARIABLE, FILE_SUFFIX, PREFIX

MAX_FILE_BYTES: Final = 65_536
MAX_PATH_CHARS: Final = 1024
"""Of the name of such a file in a message. A path that is cut cannot be looked up."""

# Kubernetes and Docker links set these for every service named gateway or gateway-something.
_ORCHESTRATOR: Final = re.compile(
    r"GATEWAY_(?:[A-Z0-9]+_)*?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?"
    r"|PORT=(?:tcp|udp|sctp)://.*)(?:=.*)?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What one environment variable sets. ``content`` is the text of the file that it names, which
    must not be in any message; None when it names none."""

    variable: str
    path: KeyPath
    value: Any
    content: str | None = None


def read_environment(
    environ: Mapping[str, str], profiles: Mapping[str, Any]
) -> Iterator[Setting | ConfigProblem]:
    """What each ``GATEWAY_`` variable sets; tables and lists come before their parts.

    ``profiles`` are those of the file, whose names may contain capital letters. Variables are all
    capitals, so they match a profile's name without regard to case.
    """
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        if variable == CONFIG_VARIABLE:
            continue
        if _ORCHESTRATOR.fullmatch(f"{variable}={environ[variable]}"):
            continue
        named = variable.removesuffix(FILE_SUFFIX)
        found = _path_of(variable, profiles)
        of_file = found if named == variable else _path_of(named, profiles)
        if isinstance(found, ConfigProblem):
            yield (
                found
                if isinstance(of_file, ConfigProblem)
                else _from_file(variable, named, environ, *of_file)
            )
            continue
        path, schema = found
        value = _value(environ[variable], schema)
        # Any word may be the name of a profile, but text is none.
        is_itself = path[:-1] != ("profiles",) or not isinstance(value, str)
        if named == variable or isinstance(of_file, ConfigProblem) or is_itself:
            yield Setting(variable, path, value)
        else:
            yield _from_file(variable, named, environ, *of_file)


def _path_of(
    variable: str, profiles: Mapping[str, Any]
) -> tuple[KeyPath, KeySchema] | ConfigProblem:
    path: tuple[str | int, ...] = ()
    schema: KeySchema | None = ROOT
    for part in variable.removeprefix(PREFIX).split("__"):
        name = part.lower()
        if schema is None:
            return _unknown(variable, path)
        if schema.is_list:
            if not (part.isascii() and part.isdecimal() and len(part) < 10):  # noqa: PLR2004
                return _unknown(variable, path)
            path = (*path, int(part))
            schema = schema.items
        else:
            if path == ("profiles",):
                name = next((known for known in profiles if _folded(known) == name), name)
            path = (*path, name)
            schema = schema.key(name)
    return (path, schema) if schema is not None else _unknown(variable, path[:-1])


def _from_file(
    variable: str, named: str, environ: Mapping[str, str], path: KeyPath, schema: KeySchema
) -> Setting | ConfigProblem:
    """What the file that ``variable`` names sets."""
    source = f"environment {variable}"
    if named in environ:
        text = f"is set, and so is {named}; only one of them is allowed"
        return ConfigProblem(written(path), text, source=source)
    try:
        content = _content(environ[variable])
    except ValueError as error:
        return ConfigProblem(written(path), str(error), source=source)
    return Setting(variable, path, _value(content, schema), content)


def _content(name: str) -> str:
    """The text of a file, without a byte order mark and line breaks at its end. Raises
    ValueError."""
    file = Path(name)
    if not file.is_absolute():  # it is not shown, as it may be the secret itself
        raise ValueError("is not the absolute path of a file that holds the value")
    where = shown(name, MAX_PATH_CHARS)
    try:
        if not file.is_file():  # a pipe might never end
            reason = "is not a file" if file.exists() else "does not exist"
            raise ValueError(f"names a file that {reason}: {where}")
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ValueError(f"names a file that cannot be read ({error.strerror}): {where}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"names a file of more than {MAX_FILE_BYTES} bytes: {where}")
    try:
        text = data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"names a file that is not UTF-8: {where}") from None
    if not text:
        raise ValueError(f"names a file that is empty: {where}")
    return text


def _folded(profile: str) -> str:
    return re.sub("[^a-z0-9]", "_", profile.lower())


def _unknown(variable: str, table: KeyPath) -> ConfigProblem:
    while find_key(table) is None:
        table = table[:-1]
    start = "".join(f"{part}__" for part in table)
    keys = known_keys(table)
    below = [f"{key}__{inner}" for key in keys for inner in known_keys((*table, key))]
    known = [f"{start}{key}".upper() for key in (*keys, *below)]
    given = variable.removeprefix(PREFIX)
    # The most likely mistake is a missing section (GATEWAY_PORT), then a misspelling.
    same_key = (name for name in known if name.endswith(f"__{given}"))
    suggestion = next(same_key, None) or nearest(given, known)
    return ConfigProblem(
        "",
        "sets no known key",
        suggestion=f"{PREFIX}{suggestion}" if suggestion else None,
        source=f"environment {variable}",
    )


def _value(text: str, schema: KeySchema) -> Any:  # noqa: ANN401
    """Text as it is; other values from TOML or JSON, or the text when it is neither."""
    if schema.is_text:
        return text
    for parse in (_toml_value, json.loads):
        try:
            return parse(text)
        except (ValueError, RecursionError):
            continue
    return text


def _toml_value(text: str) -> Any:  # noqa: ANN401
    found = tomllib.loads(f"value = {text}")
    if len(found) > 1:
        raise ValueError("a line break in the text added keys")
    return found["value"]
