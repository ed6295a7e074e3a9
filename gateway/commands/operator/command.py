"""The command line of ``gateway operator``."""

import re
import secrets
import time
from datetime import UTC, datetime

import click

from gateway.commands.command_line import fail
from gateway.operators.moment import moment_of
from gateway.trust.operators.api_key import RANDOM_BYTES, key_hash, key_text
from gateway.trust.operators.operator import SCOPES, Role

ROLES = [role.value for role in Role]
_ID = re.compile(r"[a-z0-9-]{1,32}")


@click.group()
def operator() -> None:
    """Make keys for operators and programs. Needs no Redis."""


@operator.command()
@click.option("--id", "key_id", required=True, help="Unique name of the key, such as ci.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="What its owner may do.",
)
@click.option(
    "--scope", "scopes", type=click.Choice(SCOPES), multiple=True, help="Restrict it; repeatable."
)
@click.option(
    "--expires", help="A duration such as 90d, or a time such as 2027-02-28T00:00Z; else never."
)
def key(key_id: str, role: str, scopes: tuple[str, ...], expires: str | None) -> None:
    """Make an API key. It is printed once; the table below it, with the hash, is for the config."""
    if not _ID.fullmatch(key_id):
        allowed = "allowed are 1 to 32 lower-case letters, digits or hyphens"
        fail(f"error: --id: {key_id[:40]!r}; {allowed}")
    text = key_text(key_id, secrets.token_bytes(RANDOM_BYTES))
    lines = [
        "[[admin.keys]]",
        f'id = "{key_id}"',
        f'hash = "{key_hash(text)}"',
        f'role = "{role}"',
    ]
    if scopes:
        listed = ", ".join(f'"{scope}"' for scope in sorted(set(scopes)))
        lines.append(f"scopes = [{listed}]")
    if expires is not None:
        lines.append(f'expires = "{_until(expires)}"')
    click.echo(text)
    click.echo("\n".join(["", *lines]))


def _until(given: str) -> str:
    """A moment as the configuration has it. Exits with 1 for one that is none, or is over."""
    now_s = int(time.time())
    try:
        moment = moment_of(given)
        until_s = now_s + (moment.after_s or 0) if moment.at_s is None else moment.at_s
        text = datetime.fromtimestamp(until_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError) as error:
        fail(f"error: --expires: {error}")
    if until_s <= now_s:
        fail(f"error: --expires: {given[:40]!r} is over already; allowed is a time to come")
    return text
