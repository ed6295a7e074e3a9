"""The commands: serve, check, explain, stats, sessions, status, purge, revoke, edge, steer, token,
operator, audit, schema, demo.

Exit codes: 0 ok, 1 the input was wrong (the message is on stderr), 2 usage.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import click

from gateway.commands.command_line import (
    config_option,
    fail,
    load_config,
    load_quietly,
    run_work,
)
from gateway.commands.edge.command import edge
from gateway.commands.operator.command import operator
from gateway.commands.steer.command import steer
from gateway.commands.token.command import token
from gateway.config.problem import ConfigError
from gateway.serving.garbage_collection import excluded_from_collection

_CONFIG = click.Path(path_type=Path, dir_okay=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="streaming-gateway", prog_name="gateway")
def main() -> None:
    """An adaptive streaming gateway: every player gets its own ladder from its own edge."""


main.add_command(edge)
main.add_command(operator)
main.add_command(steer)
main.add_command(token)


@main.command()
@config_option
@click.option("--workers", type=click.IntRange(1, 256), help="Processes; overrides the config.")
def serve(config: Path | None, workers: int | None) -> None:
    """Run the production server."""
    with excluded_from_collection():
        from gateway.serving import server  # noqa: PLC0415  # the other commands start without it
        from gateway.serving.uvicorn_server import StartError  # noqa: PLC0415
        from gateway.store.connection.protocol import StoreError  # noqa: PLC0415

    loaded = load_config(config)
    try:
        server.serve(loaded, workers or loaded.settings.server.workers)
    except StartError as error:
        fail(f"error: the gateway cannot start: {error}")
    except (server.ListenError, StoreError) as error:
        fail(f"error: {error}")


@main.command(short_help="Validate a config: every error at once.")
@click.argument("config", type=_CONFIG)
@click.option("--strict", is_flag=True, help="Exit with 1 when there are warnings.")
def check(config: Path, *, strict: bool) -> None:
    """Validate a config: every error at once, each with its path, value and what is allowed.

    What "serve" refuses is refused, too: the gateway is built, but not started. Only a port that is
    in use, perhaps by a running gateway, is no error.
    """
    from gateway.app import build  # noqa: PLC0415
    from gateway.config.signing_check import samples_of  # noqa: PLC0415
    from gateway.config.trust import beliefs_of  # noqa: PLC0415
    from gateway.observe import logs  # noqa: PLC0415
    from gateway.serving.server import ListenError, check_listeners  # noqa: PLC0415
    from gateway.store.connection.protocol import StoreError  # noqa: PLC0415

    logs.configure("error", "console")
    loaded = load_config(config)
    try:
        check_listeners(loaded)
        app = build(loaded, os.environ)
    except (ListenError, StoreError) as error:
        fail(f"error: {error}")
    except ConfigError as error:
        fail(str(error))
    warnings = [str(warning) for warning in (*loaded.warnings, *app.warnings())]
    warnings += [
        f"warning: geo: {status.last_error}"
        for status in app.gateway.geo.status
        if status.last_error is not None
    ]
    for warning in warnings:
        click.echo(warning, err=True)
    for belief in beliefs_of(loaded.settings):
        click.echo(f"note: {belief}", err=True)
    count = len(warnings)
    notes = "" if count == 0 else f" ({count} warning{'s' if count > 1 else ''})"
    if strict and warnings:
        fail(f"{config}: refused{notes}")
    click.echo(f"{config}: ok{notes}")
    for sample in samples_of((each.id, each.url, each.signing) for each in loaded.settings.edges):
        click.echo(sample)


@main.command()
def schema() -> None:
    """Print the JSON Schema of the config, for editors."""
    from gateway.config.json_schema import schema_json  # noqa: PLC0415

    click.echo(json.dumps(schema_json(), indent=2))


@main.command()
@click.argument("asset")
@click.option("--user-agent", default="", help="The player's User-Agent.")
@click.option("--ip", "address", required=True, help="The player's address.")
@click.option("--speed", type=float, help="Its measured speed, in kbit/s.")
@click.option("--session", help="Its session.")
@click.option("--query", default="", help="More query parameters, such as max_resolution=720p.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A file with the player's playback token.",
)
@click.option("--header", "headers", multiple=True, metavar="'N: v'", help="A request header.")
@config_option
@click.option("--manifest", is_flag=True, help="Print the playlist or MPD, too.")
@click.option(
    "--show-signatures", is_flag=True, help="Print URLs with which anybody could play for a while."
)
@click.option("--offline", is_flag=True, help="Read no states of edges and sessions from Redis.")
def explain(
    asset: str,
    user_agent: str,
    address: str,
    speed: float | None,
    session: str | None,
    query: str,
    token_file: Path | None,
    headers: tuple[str, ...],
    config: Path | None,
    manifest: bool,
    show_signatures: bool,
    offline: bool,
) -> None:
    """Print the decision for ASSET and the reason for every step. Needs no running gateway."""
    from gateway.commands.explain import (  # noqa: PLC0415
        ExplainError,
        Question,
        explain_decision,
        token_header,
    )
    from gateway.observe import logs  # noqa: PLC0415

    logs.configure("warning", "console")
    question = Question(
        asset=asset,
        user_agent=user_agent,
        address=address,
        speed_kbps=speed,
        session=session,
        query=query,
        headers=headers if token_file is None else (*headers, token_header(token_file)),
        manifest=manifest,
        signatures=show_signatures,
        offline=offline,
    )
    try:
        click.echo(asyncio.run(explain_decision(load_config(config), question)))
    except ExplainError as error:
        fail(f"error: {error}")


@main.command(short_help="Show live shares per edge, profile and country.")
@config_option
@click.option(
    "--window", type=click.IntRange(1, 3600), default=60, show_default=True, help="Seconds back."
)
@click.option("--group", help="Share the events with other runs of this name.")
@click.option("--once", is_flag=True, help="Print the window up to now and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def stats(config: Path | None, window: int, group: str | None, once: bool, as_json: bool) -> None:
    """Show live shares per edge, profile and country, from decision events."""
    from gateway.commands.stats.run import show_stats  # noqa: PLC0415
    from gateway.commands.store_access import CommandError  # noqa: PLC0415

    try:
        asyncio.run(show_stats(load_quietly(config), window, group, once=once, as_json=as_json))
    except CommandError as error:
        fail(f"error: {error}")
    except KeyboardInterrupt:
        return


@main.command(short_help="List sessions, or show what happened to one.")
@click.argument("session", required=False)
@click.option(
    "--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Sessions to list."
)
@click.option("--cursor", help="List on from here, as the page before says.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, as over HTTP.")
@config_option
def sessions(
    session: str | None, limit: int, cursor: str | None, config: Path | None, *, as_json: bool
) -> None:
    """List sessions, or show what happened to SESSION, a name as its player sends it or a hash."""
    from gateway.commands.sessions import list_sessions, show_session  # noqa: PLC0415

    if session is not None and cursor is not None:
        raise click.UsageError("--cursor is for the list, not for one session")
    loaded = load_quietly(config)
    if session is None:
        click.echo(run_work(list_sessions(loaded, cursor, limit, as_json=as_json)))
    else:
        click.echo(run_work(show_session(loaded, session, as_json=as_json)))


@main.command(short_help="Show which gateways run, and what fails.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@config_option
def status(config: Path | None, *, as_json: bool) -> None:
    """Show which gateways run on the same Redis, and what of them fails.

    Exit code 1 when none runs, or something fails.
    """
    from gateway.commands.status import look  # noqa: PLC0415

    found = run_work(look(load_quietly(config)))
    click.echo(found.as_json() if as_json else found.as_text())
    if found.problems:
        sys.exit(1)


@main.command(short_help="Make all workers forget the manifests of an asset.")
@click.argument("asset", required=False)
@click.option("--prefix", help="Purge all assets whose ids start with this.")
@config_option
def purge(asset: str | None, prefix: str | None, config: Path | None) -> None:
    """Make all workers on the same Redis forget the manifests of ASSET.

    Exit code 1 when a worker has not acknowledged it within 2 s.
    """
    from gateway.commands.purge import purge_everywhere, purge_of  # noqa: PLC0415
    from gateway.commands.store_access import CommandError  # noqa: PLC0415

    if (asset is None) == (prefix is None):
        raise click.UsageError("give either ASSET or --prefix")
    try:
        purged = asyncio.run(purge_everywhere(load_quietly(config), purge_of(asset, prefix)))
    except CommandError as error:
        fail(f"error: {error}")
    if purged.silent:
        fail(purged.to_text())
    click.echo(purged.to_text())


@main.command(short_help="Refuse a token, a subject or a session.")
@click.option("--token-id", help="A token, by its jti or cti (in hexadecimal digits).")
@click.option("--subject", help="All tokens of a subject, by their sub.")
@click.option("--session", help="A session, by the name that its player sends.")
@click.option("--for", "duration", default="24h", show_default=True, help="How long: 90m, 24h, 7d.")
@click.option("--undo", is_flag=True, help="End the revocation now.")
@click.option("--list", "as_list", is_flag=True, help="List what is revoked, by its hash.")
@click.option("--json", "as_json", is_flag=True, help="The list as JSON.")
@config_option
def revoke(
    token_id: str | None,
    subject: str | None,
    session: str | None,
    duration: str,
    config: Path | None,
    *,
    undo: bool,
    as_list: bool,
    as_json: bool,
) -> None:
    """Refuse a token, a subject or a session on every gateway, within a second.

    Needs the Redis that the gateways use. What plays is not interrupted: its next manifest is
    refused, and its steering is answered without new signatures.
    """
    from gateway.commands import revoke as revoking  # noqa: PLC0415
    from gateway.store.coordination.revocations import Revocable  # noqa: PLC0415

    named = {Revocable.TOKEN: token_id, Revocable.SUBJECT: subject, Revocable.SESSION: session}
    given = [(kind, name) for kind, name in named.items() if name is not None]
    if as_list:
        if given or undo:
            raise click.UsageError("--list takes neither a name nor --undo")
        found = run_work(revoking.known(load_quietly(config)))
        click.echo(revoking.as_json(found) if as_json else revoking.as_table(found))
        return
    if len(given) != 1 or as_json:
        raise click.UsageError("give one of --token-id, --subject and --session, or --list")
    [(kind, name)] = given
    if undo:
        click.echo(run_work(revoking.undo(load_quietly(config), kind, name)))
        return
    try:
        for_s = revoking.duration_of(duration)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from error
    click.echo(run_work(revoking.revoke(load_quietly(config), kind, name, for_s)))


@main.command(short_help="Print the audit log: who did what, and when.")
@click.option("--since", help="A duration back from now such as 24h, or a time with its zone.")
@click.option("--follow", is_flag=True, help="Go on with entries as they come.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@config_option
def audit(since: str | None, config: Path | None, *, follow: bool, as_json: bool) -> None:
    """Print the audit log, the oldest entry first: who did what, from where, and what changed."""
    from gateway.commands.audit import as_line, export  # noqa: PLC0415

    async def show() -> None:
        async for line in export(load_quietly(config), since, follow=follow):
            click.echo(line if as_json else as_line(line))

    try:
        run_work(show())
    except KeyboardInterrupt:
        return


@main.command(short_help="Run everything on this machine, with a page that plays.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
def demo(port: int) -> None:
    """Run everything on this machine: embedded Valkey, three edges, real media, a page."""
    from demo.edges import PortBusyError  # noqa: PLC0415
    from demo.run import run  # noqa: PLC0415
    from gateway.app import build  # noqa: PLC0415
    from gateway.config.load import load  # noqa: PLC0415
    from gateway.observe import logs  # noqa: PLC0415
    from gateway.store.connection.embedded import EmbeddedServer  # noqa: PLC0415
    from gateway.store.connection.protocol import StoreError  # noqa: PLC0415

    logs.configure("warning", "console")
    try:
        store = EmbeddedServer()
        store.start()
        try:
            asyncio.run(
                run(
                    port,
                    lambda path: build(load(path, os.environ), os.environ),
                    store.url,
                    lambda words: main(list(words), standalone_mode=False),
                )
            )
        finally:
            store.stop()
    except (PortBusyError, StoreError) as error:
        fail(f"error: {error}")
    except ConfigError as error:
        fail(str(error))
