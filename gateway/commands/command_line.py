"""What the commands share: the option for the config, and errors on stderr with exit code 1.

Shells run ``gateway`` to complete what is typed, so that it must start at once. What reads the
config takes half a second to import, and the client of Redis some more: commands import these when
they run.
"""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from gateway.config.problem import ConfigError
from gateway.config.variables import CONFIG_VARIABLE

if TYPE_CHECKING:
    from gateway.config.load import Loaded

_T = TypeVar("_T")


def fail(message: str) -> NoReturn:
    """Exit with 1 and the message on stderr."""
    click.echo(message, err=True)
    sys.exit(1)


def _readable(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Exit with 1 when the variable names a file that cannot be read: whoever sees the error has
    not typed the path."""
    source = context.get_parameter_source(parameter.name or "")
    if path is not None and source is click.core.ParameterSource.ENVIRONMENT:
        try:
            path.open("rb").close()
        except OSError as error:
            problem = f"cannot be read ({error.strerror}); allowed: the path of a TOML file"
            fail(f"environment {CONFIG_VARIABLE}: {str(path)!r} {problem}")
    return path


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar=CONFIG_VARIABLE,
    callback=_readable,
    help=f"The TOML file; without it, that of {CONFIG_VARIABLE}, or the shipped defaults.",
)


def load_config(path: Path | None) -> "Loaded":
    """The config, or its problems on stderr and exit code 1."""
    from gateway.config.load import load  # noqa: PLC0415

    try:
        return load(path, os.environ)
    except ConfigError as error:
        fail(str(error))


def load_quietly(path: Path | None) -> "Loaded":
    """The same for a command whose output is not its log: that has errors alone."""
    from gateway.observe import logs  # noqa: PLC0415

    logs.configure("error", "console")
    return load_config(path)


def check_ids(ids: tuple[str, ...]) -> None:
    """Exit with 1 unless all are ids that an edge may have."""
    from gateway.config.registration import checked_ids  # noqa: PLC0415

    try:
        checked_ids(ids)
    except ConfigError as error:
        fail(str(error))


def run_work(work: Coroutine[Any, Any, _T]) -> _T:
    """Run the work of a command. A CommandError is exit code 1."""
    from gateway.commands.store_access import CommandError  # noqa: PLC0415

    try:
        return asyncio.run(work)
    except CommandError as error:
        fail(f"error: {error}")
