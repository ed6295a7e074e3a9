"""Routes for operators and monitoring: liveness, readiness, metrics."""

import json
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from starlette.types import Receive, Scope

from gateway.edge.fleet import Fleet
from gateway.edge.override import Override
from gateway.http.asgi import authority
from gateway.http.authorise import operator_of
from gateway.observe import metrics, tasks
from gateway.observe.moment import rfc3339
from gateway.play.reply import Reply
from gateway.play.request import Headers, Request
from gateway.play.runtime import Gateway
from gateway.source.source import Source
from gateway.tls.certificate import FollowedCertificate
from gateway.trust.operators.operator import Role

SHOWN_EDGES = 20
SHOWN_FAULTS = 20
SHOWN_OVERRIDES = 20
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104
_NO_STORE = {"Cache-Control": "no-store"}
_ALIVE = Reply.of(200, b"ok\n", "text/plain; charset=utf-8", _NO_STORE)


async def livez(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """The process is up."""
    return _ALIVE


async def readyz(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """Whether to send players here: 200 or 503, without a body. Players learn nothing else."""
    status = 200 if gateway.runtime.source.ready() is None else 503
    return Reply.of(status, headers={**_NO_STORE, "Content-Length": "0"})


async def readyz_in_detail(
    gateway: Gateway,
    scope: Scope,
    headers: Headers,
    receive: Receive,
) -> Reply:
    """The same with the state of each part, for those who may see it. While a part is at fault and
    manifests can be read all the same, the status is ``degraded``, still 200."""
    operator = operator_of(scope)
    if operator is None or not operator.may(Role.VIEWER, "metrics"):
        return await readyz(gateway, scope, headers, receive)
    checks = _checks(gateway)
    source_trouble = gateway.runtime.source.ready()
    if source_trouble is not None:
        status, code = "unready", 503
    elif all(check["status"] == "ok" for check in checks.values()):
        status, code = "ready", 200
    else:
        status, code = "degraded", 200
    body = {"status": status, "checks": checks}
    return Reply.of(code, json.dumps(body).encode(), "application/json", _NO_STORE)


def _checks(gateway: Gateway) -> dict[str, dict[str, Any]]:
    checks: dict[str, dict[str, Any]] = {
        "config": _config(gateway),
        "source": _source(gateway.runtime.source),
        "redis": {"status": "ok"}
        if gateway.store.state == "up"
        else {"status": "degraded", "reason": str(gateway.store.trouble or gateway.store.state)},
    }
    checks["edges"] = _edges(gateway.fleet)
    checks["tasks"] = _tasks()
    checks["manifests"] = _manifests(gateway.runtime.source)
    for listener, certificate in gateway.certificates.items():
        checks[f"certificate_{listener}"] = _certificate(certificate)
    for database in gateway.geo.status:
        checks[f"geo_{database.role}"] = (
            {"status": "ok", "built": database.build_epoch}
            if database.last_error is None
            else {"status": "degraded", "reason": database.last_error}
        )
    return checks


def _config(gateway: Gateway) -> dict[str, Any]:
    """``degraded`` while the file on disk is not in force, as it was refused."""
    status = gateway.config
    check: dict[str, Any] = {
        "status": "ok",
        "version": gateway.runtime.policy.version,
        "loaded": rfc3339(status.loaded_at),
    }
    if status.waiting:
        check["waits_for_restart"] = list(status.waiting)
    if (refusal := status.refusal) is not None:
        check |= {"status": "degraded", "reason": str(refusal), "since": rfc3339(refusal.since)}
    return check


def _certificate(followed: FollowedCertificate) -> dict[str, Any]:
    """``degraded`` while the files are not in force, and when the certificate is not valid now."""
    current = followed.current
    check: dict[str, Any] = {"status": "ok", "expires": rfc3339(current.expires_s)}
    if followed.trouble is not None:
        since = rfc3339(followed.since_s)
        check |= {"status": "degraded", "reason": followed.trouble, "since": since}
    elif (trouble := current.trouble(time.time())) is not None:
        check |= {"status": "degraded", "reason": f"the certificate {trouble}"}
    return check


def _source(source: Source) -> dict[str, Any]:
    """``failed`` when manifests cannot be loaded; ``degraded`` when they can, despite a fault."""
    if (trouble := source.ready()) is not None:
        return {"status": "failed", "reason": trouble}
    if (trouble := source.degraded()) is not None:
        return {"status": "degraded", "reason": trouble}
    return {"status": "ok"}


def _manifests(source: Source) -> dict[str, Any]:
    """The source manifests that cannot be served. Faults of an origin's answers that may pass do
    not make the gateway ``degraded``, because players choose what origins are asked for."""
    faults = source.faults.current()
    if not faults:
        return {"status": "ok"}
    broken = [fault for fault in faults if not fault.may_pass]
    return {
        "status": "degraded" if broken else "ok",
        "reason": f"{len(faults)} cannot be served",
        "faults": [
            {
                "file": fault.file,
                "kind": fault.kind,
                "line": fault.line,
                "rule": fault.rule,
                "problem": fault.problem,
                "first_met": rfc3339(fault.first_met),
                "last_met": rfc3339(fault.last_met),
                "count": fault.count,
            }
            for fault in (*broken, *(each for each in faults if each.may_pass))[:SHOWN_FAULTS]
        ],
    }


def _tasks() -> dict[str, Any]:
    """Background tasks that fail are started again; until then something is out of date. Those of
    other workers are named without a reason, which is in the log."""
    mine = tasks.failing()
    elsewhere = dict.fromkeys(metrics.failing_tasks(), "in another worker")
    failing = elsewhere | mine
    if not failing:
        return {"status": "ok"}
    reason = "; ".join(f"{name}: {why}" for name, why in sorted(failing.items()))
    return {"status": "degraded", "reason": reason}


def _edges(fleet: Fleet) -> dict[str, Any]:
    """Edges that are down never make the gateway unready, because players get other edges."""
    down = [
        edge.id
        for edge, condition in zip(fleet.edges, fleet.conditions, strict=True)
        if condition.state == "down"
    ]
    check: dict[str, Any] = {"status": "ok"}
    if down:
        shown = ", ".join(down[:SHOWN_EDGES]) + (", …" if len(down) > SHOWN_EDGES else "")
        check["status"] = "degraded"
        check["reason"] = f"{len(down)} of {len(fleet.edges)} down: {shown}"
    if fleet.overrides:
        check["overrides"] = [_override(one) for one in fleet.overrides[:SHOWN_OVERRIDES]]
    return check


def _override(one: Override) -> dict[str, str]:
    return {
        "id": one.id,
        "from": one.source,
        "to": one.target,
        "share": one.percent,
        **({"asset_prefix": one.asset_prefix} if one.asset_prefix else {}),
        "since": rfc3339(one.since_s),
        "until": rfc3339(one.until_s),
        "who": one.who,
        "why": one.why,
    }


async def prometheus(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """All metrics in the Prometheus text format."""
    return Reply.of(200, metrics.exposition(), metrics.CONTENT_TYPE, _NO_STORE)


def as_a_player_asks(gateway: Gateway, request: Request) -> Request:
    """A request to the operators' listener with the scheme and the Host header of one to the
    players'. The URLs of its answer are for players then."""
    server = gateway.runtime.settings.server
    scheme = "http" if server.tls is None else "https"
    host = server.host
    if host in _EVERYWHERE:
        host = urlsplit(request.base_url).hostname or host
    by_name = {**request.headers.by_name, "host": authority(host, gateway.players_port)}
    headers = request.headers._replace(by_name=by_name)
    return replace(request, scheme=scheme, headers=headers, by_operator=True)
