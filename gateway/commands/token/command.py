"""The command line of ``gateway token``."""

from pathlib import Path
from typing import TextIO

import click

from gateway.commands.command_line import config_option, fail, load_quietly

_MOST_CHARS = 65_536


@click.group()
def token() -> None:
    """Look into playback tokens."""


@token.command(short_help="Say what the gateway would say of a token.")
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"), default="-")
@click.option("--asset", help="Also say whether it opens this asset.")
@click.option("--fetch", is_flag=True, help="Fetch the sets of keys that have a URL.")
@config_option
def check(file: TextIO, asset: str | None, config: Path | None, *, fetch: bool) -> None:
    """Say what the gateway would say of the token in FILE, by default of standard input.

    Whoever sees the arguments of a process would see a token there, so it is none of them.
    """
    from gateway.commands.token.check import TokenRefusedError, checked  # noqa: PLC0415

    text = file.read(_MOST_CHARS).strip()
    try:
        click.echo(checked(load_quietly(config).settings, text, asset, fetch=fetch))
    except TokenRefusedError as error:
        fail(f"refused: {error}")
