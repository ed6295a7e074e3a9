"""The command line of ``gateway steer``: arguments, errors and output."""

from pathlib import Path

import click

from gateway.client.asset import NO_PREFIX, is_asset_prefix
from gateway.commands.command_line import check_ids, config_option, load_quietly, run_work
from gateway.operators.moment import Moment, moment_of, share_of


def _share(_: click.Context, __: click.Parameter, given: str | None) -> int | None:
    try:
        return None if given is None else share_of(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _until(_: click.Context, __: click.Parameter, given: str | None) -> Moment | None:
    try:
        return None if given is None else moment_of(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _prefix(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    if given is None or is_asset_prefix(given):
        return given
    raise click.BadParameter(f"{given[:40]!r} {NO_PREFIX}")


@click.group(invoke_without_command=True)
@click.option("--from", "source", help="Whose sessions: an edge, or a table with dns.")
@click.option("--to", "target", help="The edge that gets them.")
@click.option("--share", callback=_share, help="How many of them, such as 20%.")
@click.option(
    "--asset",
    callback=_prefix,
    help="Only sessions of assets whose ids begin so, such as film/ or live/one.",
)
@click.option(
    "--until",
    callback=_until,
    help="When it ends: a duration such as 90m or 1h30m, or a time such as 2026-11-28T23:00Z.",
)
@click.option("--why", default="", help="The reason, for other operators.")
@click.option("--force", is_flag=True, help="Steer between ids that no edge has yet, too.")
@config_option
@click.pass_context
def steer(
    context: click.Context,
    source: str | None,
    target: str | None,
    share: int | None,
    asset: str | None,
    until: Moment | None,
    why: str,
    config: Path | None,
    *,
    force: bool,
) -> None:
    """Send a share of an edge's sessions to another edge for a while. Needs the Redis that the
    gateways use.

    New sessions go there at once; those that play follow one by one. Nobody is sent to an edge that
    is down, drains or has no room. When the override ends, sessions stay where they are.
    """
    if context.invoked_subcommand is not None:
        given = {"--from": source, "--to": target, "--share": share, "--until": until}
        given["--asset"] = asset
        if why or force or any(value is not None for value in given.values()):
            raise click.UsageError(f"{context.invoked_subcommand} takes none of these options")
        context.obj = config
        return
    if source is None or target is None or share is None or until is None:
        raise click.UsageError("--from, --to, --share and --until are required")
    from gateway.commands.steer import overrides  # noqa: PLC0415
    from gateway.operators.steers import Wanted  # noqa: PLC0415

    check_ids((source, target))
    wanted = Wanted(source, target, share, until, why, asset or "")
    said = run_work(overrides.begin(load_quietly(config), wanted, force=force))
    for warning in said.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(said.text)


@steer.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--all", "all_of_them", is_flag=True, help="Also those that were cancelled.")
@config_option
@click.pass_obj
def list_overrides(
    before: Path | None, config: Path | None, *, as_json: bool, all_of_them: bool
) -> None:
    """List the overrides in force."""
    from gateway.commands.steer import overrides  # noqa: PLC0415

    found = run_work(overrides.known(load_quietly(config or before), all_of_them=all_of_them))
    click.echo(overrides.as_json(found) if as_json else overrides.as_table(found))


@steer.command()
@click.argument("override", metavar="ID")
@config_option
@click.pass_obj
def cancel(before: Path | None, override: str, config: Path | None) -> None:
    """End an override now. Sessions stay where they are."""
    from gateway.commands.steer import overrides  # noqa: PLC0415

    click.echo(run_work(overrides.cancel(load_quietly(config or before), override)))
