"""Attacks that follow the OpenAPI documents of both listeners: what these allow, and what not."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import requests
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable

from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Shot, fire
from tests.attack.judge import judge
from tests.attack.stages import Stage, directory_stage

ENDLESS = "/v1/activity"
"""Its answers do not end."""
FEWEST_OPERATIONS = 20
KNOWN = ("film", "live", "mine")


def _made(strategy: Any, count: int, number: int) -> list[Any]:
    """So many cases of a strategy, always the same for one seed."""
    found: list[Any] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(case: Any) -> None:
        found.append(case)

    with contextlib.suppress(Unsatisfiable):  # nothing is forbidden for an operation without input
        collect()
    return found


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _shot(case: Any) -> Shot | None:
    """The case as bytes; None for one that cannot be sent over HTTP."""
    try:
        prepared = requests.Request(
            **{
                name: value
                for name, value in case.as_transport_kwargs(base_url="http://localhost").items()
                if name in {"method", "url", "headers", "params", "data", "json", "cookies"}
            }
        ).prepare()
        parts = urlsplit(prepared.url or "")
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        given_headers = {**prepared.headers, "Host": "localhost", "Connection": "keep-alive"}
        lines = [f"{prepared.method} {target} HTTP/1.1"]
        lines += [f"{name}: {_text(value)}" for name, value in given_headers.items()]
        body: Any = prepared.body or b""
        body = body.encode() if isinstance(body, str) else body
        data: bytes = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    except (ValueError, TypeError, requests.RequestException):
        return None
    return Shot(data, (prepared.method or "").encode(), alone=True)


def _cases(document: Any, count: int, number: int) -> Iterator[tuple[str, Shot]]:
    import schemathesis  # noqa: PLC0415  # takes half a second, and one test needs it
    from schemathesis import GenerationMode  # noqa: PLC0415

    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]
        if operation.path == ENDLESS:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            strategy = operation.as_strategy(generation_mode=mode)
            for at, case in enumerate(_made(strategy, count, number)):
                if at % 2 and "asset" in (case.path_parameters or {}):
                    case.path_parameters["asset"] = KNOWN[at // 2 % len(KNOWN)]
                if (shot := _shot(case)) is not None:
                    yield f"{operation.method} {operation.path}", shot


async def follow(stage: Stage, effort: Effort) -> Outcome:
    """Send what schemathesis makes of the documents as they are served."""
    outcome = Outcome()
    operations: set[str] = set()
    urls = (stage.gateway.url, stage.port), (stage.gateway.admin_url, stage.admin_port)
    for url, port in urls:
        async with httpx.AsyncClient(timeout=10) as client:
            document = (await client.get(f"{url}/openapi.json")).json()
        count = max(2, effort.share(0.01) // (4 * len(document["paths"])))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = list(_cases(document, count, effort.seed))
        operations |= {f"{port} {name}" for name, _ in made}
        tally = await fire(port, (shot for _, shot in made), judge())
        outcome.sent += tally.answered
        outcome.faults += tally.faults
        outcome.figures.append(tally.shown())
    outcome.figures.append(f"{len(operations)} operations")
    outcome.fault("operations are missing", unless=len(operations) >= FEWEST_OPERATIONS)
    return outcome


ROWS = (
    Attack(
        name="schema-requests",
        group="Requests",
        sent="What schemathesis makes of the OpenAPI documents of both listeners, valid and not.",
        expected="A manifest, a decision, or a problem with a name; never 500.",
        staging=directory_stage,
        run=follow,
    ),
)
