"""The ``gateway`` command within the test's own process: a process of its own takes most of a
second to import what it needs."""

import os

from click.testing import CliRunner, Result

from gateway.cli import main

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
ANY_PORT = {"GATEWAY_ADMIN__PORT": "0"}


def gateway(*arguments: str, **environ: str) -> Result:
    """Run ``gateway`` with these arguments to its end."""
    unset: dict[str, str | None] = {name: None for name in os.environ if name not in CLEAN}
    return CliRunner().invoke(main, arguments, env=unset | ANY_PORT | environ)
