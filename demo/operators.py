"""What the page shows and does as an operator: it asks the gateway's listener for operators, and
runs the gateway's commands."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2

_TIMEOUT_S = 5.0
_GAUGE = re.compile(r'gateway_edge_(leased|capacity)_kbps\{edge="([^"\\]+)"\} (\S+)')


class OperatorsError(Exception):
    """The gateway did not do what it was asked for; the message says why."""


Command = Callable[[Sequence[str]], None]
"""Runs a command of the gateway, given its words; SystemExit with a code is a failure."""


class Operators:
    """A client of the listener at ``url``, such as ``http://127.0.0.1:8090``, of the gateway whose
    config is the file ``config``; ``command`` runs the gateway's commands."""

    def __init__(self, url: str, config: Path, command: Command) -> None:
        self._http = httpx2.AsyncClient(base_url=url, trust_env=False, timeout=_TIMEOUT_S)
        self._config = config
        self._run = command

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def edges(self) -> dict[str, dict[str, Any]]:
        """By edge: ``state``, ``why`` and ``full``, and what sessions have leased and may lease,
        ``leased_kbps`` and ``capacity_kbps``. Raises :class:`OperatorsError`."""
        listed = (await self._get("/v1/edges")).json()["edges"]
        loads: dict[str, dict[str, float]] = defaultdict(dict)
        for gauge, edge, value in _GAUGE.findall((await self._get("/metrics")).text):
            loads[edge][f"{gauge}_kbps"] = float(value)
        kept = ("state", "why", "full")
        return {
            edge["id"]: {**{name: edge[name] for name in kept}, **loads[edge["id"]]}
            for edge in listed
        }

    async def drain(self, edge: str) -> None:
        """Run ``gateway edge drain``. Raises :class:`OperatorsError`.

        Acting over HTTP needs operators who sign in, which would be in the way here.
        """
        await self._command("edge", "drain", edge)

    async def undrain(self, edge: str) -> None:
        """Run ``gateway edge undrain``. Raises :class:`OperatorsError`."""
        await self._command("edge", "undrain", edge)

    async def _command(self, *words: str) -> None:
        try:
            await asyncio.to_thread(self._run, [*words, "--config", str(self._config)])
        except SystemExit as error:
            if error.code:
                raise OperatorsError(
                    f"gateway {' '.join(words)}: exit code {error.code}"
                ) from error

    async def _get(self, path: str) -> httpx2.Response:
        try:
            answer = await self._http.get(path)
        except httpx2.HTTPError as error:
            raise OperatorsError(f"GET {path}: {error}") from error
        if not answer.is_success:
            raise OperatorsError(f"GET {path}: {answer.status_code} {answer.text}")
        return answer
