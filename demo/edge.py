"""One edge of the demo in a process of its own, as ``docker-compose.yml`` runs it:
``python -m demo.edge --host 0.0.0.0 --port 8081``."""

import asyncio

import click

from demo.config import CATALOGUE
from demo.edges import HOST, DemoEdge, PortBusyError, edge_app, listen, serve

EDGE = DemoEdge("demo", "this machine", 0.0, 0.0, (), fallback=True)


@click.command()
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8081, show_default=True)
def main(host: str, port: int) -> None:
    """Serve the demo's titles until the process is stopped."""
    try:
        asyncio.run(_serve(host, port))
    except PortBusyError as error:
        raise click.ClickException(str(error)) from error


async def _serve(host: str, port: int) -> None:
    with listen(host, port) as bound:
        click.echo(f"the demo's titles are at http://{host}:{bound.getsockname()[1]}/")
        async with serve(edge_app(CATALOGUE, EDGE), bound, lifespan=False):
            await asyncio.Event().wait()


if __name__ == "__main__":
    main()
