"""The command line of ``gateway edge``: arguments, errors and output."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.commands.command_line import check_ids, config_option, fail, load_quietly, run_work
from gateway.config.problem import ConfigError
from gateway.edge.url_pattern import UrlPattern
from gateway.store.coordination.register import MAX_TTL_MS, MIN_TTL_MS
from gateway.trust.keys import SigningKey

if TYPE_CHECKING:
    from gateway.config.load import Loaded

_IDS = click.argument("ids", metavar="ID...", nargs=-1, required=True)
_MIN_INTERVAL_S = 0.1


@click.group()
def edge() -> None:
    """Register, drain and list edges. Needs the Redis that the gateways use."""


@edge.command(short_help="Register an edge, and keep it registered.")
@click.option("--id", "edge_id", required=True, help="Unique id of the edge.")
@click.option("--url", required=True, help="Players fetch media below this URL.")
@click.option("--latitude", type=float, help="Degrees; north is positive.")
@click.option("--longitude", type=float, help="Degrees; east is positive.")
@click.option(
    "--country", "countries", multiple=True, help="Its viewers prefer the edge; repeatable."
)
@click.option(
    "--continent", "continents", multiple=True, help="Its viewers prefer the edge; repeatable."
)
@click.option("--weight", type=int, help="Share of viewers among equal edges; default 100.")
@click.option("--fallback", is_flag=True, default=None, help="Serves viewers with unknown places.")
@click.option("--capacity-mbps", type=float, help="Total bit rate that its sessions may use.")
@click.option("--health-url", help="URL that probes request, absolute or relative to the url.")
@click.option("--health-playlist", help="A media playlist that probes read, below the url.")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(_MIN_INTERVAL_S, MAX_TTL_MS / 1000),
    default=2.0,
    show_default=True,
    help="Seconds between heartbeats.",
)
@click.option(
    "--ttl",
    "ttl_s",
    type=click.FloatRange(MIN_TTL_MS / 1000, MAX_TTL_MS / 1000),
    default=6.0,
    show_default=True,
    help="Seconds after the last heartbeat until the edge is removed.",
)
@click.option("--once", is_flag=True, help="Send one heartbeat and exit (for cron).")
@config_option
def register(
    config: Path | None, interval_s: float, ttl_s: float, *, once: bool, **table: object
) -> None:
    """Register an edge, and keep it registered until stopped (SIGTERM, Ctrl-C)."""
    from gateway.commands.edge.heartbeat import (  # noqa: PLC0415
        HeartbeatSettings,
        register_once,
        register_until_stopped,
    )
    from gateway.config.registration import facts_of  # noqa: PLC0415
    from gateway.observe import logs  # noqa: PLC0415

    loaded = load_quietly(config)
    owner = "" if once else secrets.token_hex(8)
    given = {key: value for key, value in table.items() if value is not None and value != ()}
    edge_id = given["id"] = str(given.pop("edge_id"))
    try:
        facts = facts_of(given, ttl_s, owner)
    except ConfigError as error:
        fail(str(error))
    key = _key_for(loaded, facts)
    heartbeat = HeartbeatSettings(edge_id, facts, key, 0.0 if once else interval_s, ttl_s)
    if heartbeat.interval_s > ttl_s / 2:
        fail(f"error: --interval: more than half of --ttl; allowed: up to {ttl_s / 2:g}")
    if not once:
        logs.configure(loaded.settings.log.level, loaded.settings.log.format)
    run_work(
        register_once(loaded, heartbeat) if once else register_until_stopped(loaded, heartbeat)
    )
    if once:
        click.echo(f"{heartbeat.edge_id}: registered for {ttl_s:g} s")


def _key_for(loaded: "Loaded", facts: bytes) -> SigningKey:
    """The key that signs the announcements of an edge. Fails without one, and for URLs that no
    gateway with the same config would use."""
    from gateway.config.build import registration_keys_of  # noqa: PLC0415
    from gateway.config.registration import allowed_by, registration_of  # noqa: PLC0415

    keys = registration_keys_of(loaded.settings)
    key = next((each for each in keys if each.status == "active"), None)
    if key is None:
        fail("error: --config: registry.keys has no active key, which signs announcements")
    patterns = [UrlPattern.of(text) for text in loaded.settings.registry.urls]
    if patterns and not allowed_by(patterns, registration_of(facts).edge):
        listed = ", ".join(loaded.settings.registry.urls)
        fail(f"error: --url: is not allowed by registry.urls: {listed}")
    return key


@edge.command(short_help="Send new sessions elsewhere, and move those that play.")
@_IDS
@click.option("--why", default="drained by an operator", show_default=True, help="The reason.")
@click.option("--force", is_flag=True, help="Drain ids that no edge has yet, too.")
@config_option
def drain(ids: tuple[str, ...], why: str, config: Path | None, *, force: bool) -> None:
    """Send new sessions elsewhere; content steering moves those that play. An ID names an edge, or
    a table with dns, which means all its edges."""
    from gateway.commands.edge import drains  # noqa: PLC0415

    check_ids(ids)
    unknown = run_work(drains.drain(load_quietly(config), ids, why[:200], force=force))
    for each in unknown:
        click.echo(f"warning: no edge has the id {each} now", err=True)
    click.echo("\n".join(f"{each}: drained" for each in ids))


@edge.command()
@_IDS
@config_option
def undrain(ids: tuple[str, ...], config: Path | None) -> None:
    """End drains."""
    from gateway.commands.edge import drains  # noqa: PLC0415

    check_ids(ids)
    loaded = load_quietly(config)
    idle = run_work(drains.undrain(loaded, ids))
    by_config = {edge.id for edge in loaded.settings.edges if edge.drain}
    for each in ids:
        if each in by_config:
            click.echo(f"warning: {each}: the config still drains it (drain = true)", err=True)
        elif each in idle:
            click.echo(f"warning: {each}: was not drained", err=True)
        else:
            click.echo(f"{each}: no longer drained")


@edge.command("list", short_help="List all edges with their state, load and reason.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@config_option
def list_edges(config: Path | None, *, as_json: bool) -> None:
    """List all edges with their finder, state, share of new viewers, load and reason."""
    from gateway.commands.edge import drains  # noqa: PLC0415

    text, trouble = run_work(drains.listing(load_quietly(config), as_json=as_json))
    if trouble is not None:
        warning = f"warning: the store takes no writes ({trouble}), so states may be old"
        click.echo(warning, err=True)
    click.echo(text)
