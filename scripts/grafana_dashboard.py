"""Writes the Grafana dashboard: ``python -m scripts.grafana_dashboard``.

Each panel is one line of :data:`ROWS`. ``$instance`` and ``$datasource`` are variables of the
dashboard. A test compares the file with what this writes, and runs every query.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

OUT: Final = Path(__file__).parents[1] / "deploy" / "grafana" / "dashboards" / "gateway.json"
SCHEMA_VERSION: Final = 39
"""Of Grafana 11.0; later ones migrate it by themselves."""

G: Final = 'job="gateway", instance=~"$instance"'
PLAYERS: Final = f'{G}, route=~"play_.*|class|steering|decisions"'
RATE: Final = "[$__rate_interval]"
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
WIDTH: Final = 24
GREEN, ORANGE, RED = "green", "orange", "red"


@dataclass(frozen=True)
class Panel:
    """One panel. ``queries`` are (expression, legend). ``bounds`` are values at which the colour
    becomes orange and red; the other way round where the first is above the second."""

    title: str
    text: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    stacked: bool = False
    bounds: tuple[float, float] | None = None


def stat(
    title: str,
    text: str,
    query: str,
    unit: str = "short",
    bounds: tuple[float, float] | None = None,
) -> Panel:
    """One number, as it is now."""
    return Panel(title, text, [(query, "")], unit, "stat", 4, bounds=bounds)


def rate(metric: str, by: str, labels: str = G) -> tuple[str, str]:
    """Events per second by a label."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}{RATE}))", f"{{{{{by}}}}}"


def quantile(share: float, metric: str, labels: str, by: str = "") -> str:
    """A quantile of a histogram."""
    return f"histogram_quantile({share}, sum by (le{by}) (rate({metric}_bucket{{{labels}}}{RATE})))"


ERRORS: Final = (
    f'(sum(rate(gateway_requests_total{{{PLAYERS}, status=~"5.."}}{RATE})) or vector(0)) '
    f"/ sum(rate(gateway_requests_total{{{PLAYERS}}}{RATE}))"
)

ROWS: Final[Mapping[str, Sequence[Panel]]] = {
    "Five numbers": [
        stat(
            "Requests",
            "Requests of players per second.",
            f"sum(rate(gateway_requests_total{{{PLAYERS}}}{RATE}))",
            "reqps",
        ),
        stat(
            "Errors",
            "Share of players' requests that were answered 5xx.",
            ERRORS,
            "percentunit",
            bounds=(0.001, 0.01),
        ),
        stat(
            "Manifest p99",
            "Seconds in which 99 % of manifests are made.",
            quantile(0.99, "gateway_request_seconds", f'{G}, route=~"play_.*|class"'),
            "s",
            bounds=(0.1, 0.5),
        ),
        stat(
            "Edges down",
            "Edges that probes find down. The gateway that sees most of them counts.",
            f'max(gateway_edges{{{G}, state="down"}})',
            bounds=(1, 3),
        ),
        stat(
            "CPU of workers",
            "CPU that the busiest gateway uses, as a share of one core for each worker.",
            f"max(rate(process_cpu_seconds_total{{{G}}}{RATE}) / gateway_instance_workers{{{G}}})",
            "percentunit",
            bounds=(0.7, 0.85),
        ),
        stat(
            "Alerts",
            "Alerts that fire now.",
            'count(ALERTS{alertname=~"Gateway.*", alertstate="firing"}) or vector(0)',
            bounds=(1, 3),
        ),
    ],
    "What players get": [
        Panel(
            "Requests by route",
            "Requests per second.",
            [rate("gateway_requests_total", "route")],
            "reqps",
            stacked=True,
        ),
        Panel(
            "Answers by status",
            "Answers to players per second.",
            [rate("gateway_requests_total", "status", PLAYERS)],
            "reqps",
            stacked=True,
        ),
        Panel(
            "Time to manifest",
            "From request to answer, of all gateways.",
            [
                (quantile(share, "gateway_request_seconds", f'{G}, route=~"play_.*|class"'), legend)
                for share, legend in ((0.5, "median"), (0.95, "p95"), (0.99, "p99"))
            ],
            "s",
        ),
        Panel(
            "Profiles",
            "Decisions per second by the profile that was chosen.",
            [rate("gateway_decisions_total", "profile")],
            "ops",
            stacked=True,
        ),
        Panel(
            "Devices",
            "Decisions per second by class of device.",
            [rate("gateway_decisions_total", "device")],
            "ops",
            stacked=True,
        ),
        Panel(
            "Edges chosen",
            "Manifests per second whose URIs lead to the edge.",
            [rate("gateway_edge_selections_total", "edge")],
            "ops",
            stacked=True,
        ),
        Panel(
            "Problems",
            "Answers per second that are a problem document, by type.",
            [rate("gateway_problems_total", "problem")],
            "ops",
        ),
        Panel(
            "Decisions by cache",
            "Decisions per second by where they came from: this worker, Redis, or made afresh.",
            [rate("gateway_decisions_total", "cache")],
            "ops",
            stacked=True,
        ),
        Panel(
            "Connections",
            "Open connections by listener.",
            [(f"sum by (listener) (gateway_connections{{{G}}})", "{{listener}}")],
        ),
    ],
    "Edges": [
        Panel(
            "State of each edge",
            "1 up, 0.5 degraded, 0 down; the worst view of all gateways.",
            [(f"min by (edge) (gateway_edge_state{{{G}}})", "{{edge}}")],
            kind="state-timeline",
            width=12,
            bounds=(0.75, 0.25),
        ),
        Panel(
            "Load against capacity",
            "Expected bit rate of the sessions on an edge, as a share of its capacity.",
            [
                (
                    (
                        f"max by (edge) (gateway_edge_leased_kbps{{{G}}} / "
                        f"(gateway_edge_capacity_kbps{{{G}}} > 0))"
                    ),
                    "{{edge}}",
                )
            ],
            "percentunit",
            width=12,
            bounds=(0.8, 0.95),
        ),
        Panel(
            "Edges of each continent that work",
            "Up or degraded. At 0, viewers of the continent get edges elsewhere.",
            [
                (
                    (
                        "min by (continent) (sum by (instance, continent) "
                        f'(gateway_continent_edges{{{G}, state=~"up|degraded"}}))'
                    ),
                    "{{continent}}",
                )
            ],
        ),
        Panel(
            "Probes that fail",
            "Per second, by edge and outcome.",
            [
                (
                    (
                        "sum by (edge, outcome) "
                        f'(rate(gateway_probes_total{{{G}, outcome!="ok"}}{RATE}))'
                    ),
                    "{{edge}} {{outcome}}",
                )
            ],
            "ops",
        ),
        Panel(
            "Time of probes",
            "Mean seconds of a probe, by edge.",
            [
                (
                    (
                        f"sum by (edge) (rate(gateway_probe_seconds_sum{{{G}}}{RATE})) / "
                        f"sum by (edge) (rate(gateway_probe_seconds_count{{{G}}}{RATE}))"
                    ),
                    "{{edge}}",
                )
            ],
            "s",
        ),
        Panel(
            "Placements",
            "Sessions placed per second. Over: no edge had room.",
            [rate("gateway_placements_total", "outcome")],
            "ops",
        ),
        Panel(
            "Changes of state",
            "Changes per hour that probes found, by edge and new state.",
            [
                (
                    (
                        "sum by (edge, state) "
                        f"(increase(gateway_edge_state_changes_total{{{G}}}[1h])) > 0"
                    ),
                    "{{edge}} {{state}}",
                )
            ],
        ),
        Panel(
            "Where edges come from",
            "Edges by what found them.",
            [(f"max by (finder) (gateway_edges_found{{{G}}})", "{{finder}}")],
        ),
    ],
    "Sources and origins": [
        Panel(
            "Requests to origins",
            "Per second, by outcome: a status, or why there was no usable answer.",
            [rate("gateway_origin_requests_total", "outcome")],
            "reqps",
            stacked=True,
        ),
        Panel(
            "Time of origins",
            "99 % of the requests to an origin take less.",
            [
                (
                    quantile(0.99, "gateway_origin_request_seconds", G, ", origin"),
                    "{{origin}}",
                )
            ],
            "s",
        ),
        Panel(
            "Circuit breakers",
            "1 open, 0.5 half-open, 0 closed; the worst of all gateways.",
            [(f"max by (origin) (gateway_origin_breaker_open{{{G}}})", "{{origin}}")],
            kind="state-timeline",
            bounds=(0.25, 0.75),
        ),
        Panel(
            "Copies that are served",
            "Copies of source manifests per second, by freshness.",
            [rate("gateway_origin_copies_served_total", "freshness")],
            "ops",
            stacked=True,
        ),
        Panel(
            "Manifests that cannot be served",
            "Requests per second, by kind of fault.",
            [rate("gateway_source_errors_total", "kind")],
            "ops",
        ),
        Panel(
            "Faults in manifests",
            "Faults in source manifests that were served all the same, per second, by rule.",
            [rate("gateway_playlist_faults_total", "rule")],
            "ops",
        ),
    ],
    "Measured speed and steering": [
        Panel(
            "Measurements",
            "Measurements of players per second, by what measured.",
            [rate("gateway_speed_samples_total", "source")],
            "ops",
        ),
        Panel(
            "Measurements that are lost",
            "CMCD reports per second that were not used, by reason, and dropped samples.",
            [
                rate("gateway_cmcd_reports_dropped_total", "reason"),
                (f"sum(rate(gateway_speed_samples_dropped_total{{{G}}}{RATE}))", "samples"),
            ],
            "ops",
        ),
        Panel(
            "Networks with a prior",
            "Networks whose usual speed is known before a player has measured.",
            [(f"max(gateway_network_priors{{{G}}})", "networks")],
        ),
        Panel(
            "Steering manifests",
            "Per second, by why a session stays or moves.",
            [rate("gateway_steering_answers_total", "reason")],
            "ops",
            stacked=True,
        ),
        Panel(
            "Sessions that move",
            "Sessions per second that were told to move to the edge.",
            [rate("gateway_steering_moves_total", "edge")],
            "ops",
        ),
        Panel(
            "Do players obey?",
            "Requests per second that name the pathway that was told, or another.",
            [rate("gateway_steering_obeyed_total", "obeyed")],
            "ops",
        ),
    ],
    "Store": [
        Panel(
            "Redis answers",
            "1 while Redis answers, by gateway.",
            [(f"min by (instance) (gateway_store_up{{{G}}})", "{{instance}}")],
            kind="state-timeline",
            bounds=(0.75, 0.25),
        ),
        Panel(
            "Time of store operations",
            "99 % of operations take less.",
            [
                (
                    quantile(0.99, "gateway_store_operation_seconds", G, ", operation"),
                    "{{operation}}",
                )
            ],
            "s",
        ),
        Panel(
            "Store operations",
            "Per second, by outcome.",
            [
                (
                    f"sum by (outcome) (rate(gateway_store_operation_seconds_count{{{G}}}{RATE}))",
                    "{{outcome}}",
                )
            ],
            "ops",
        ),
        Panel(
            "What is dropped",
            "Writes and events per second that were dropped.",
            [
                (f"sum(rate(gateway_store_dropped_writes_total{{{G}}}{RATE}))", "writes"),
                (f"sum(rate(gateway_events_dropped_total{{{G}}}{RATE}))", "events"),
            ],
            "ops",
        ),
        Panel(
            "Events that wait",
            "Events waiting to be written.",
            [(f"sum by (instance) (gateway_events_queued{{{G}}})", "{{instance}}")],
        ),
        Panel(
            "Messages between workers",
            "Messages of the bus received per second, by topic.",
            [rate("gateway_bus_received_total", "topic")],
            "ops",
        ),
    ],
    "Trust": [
        Panel(
            "Playback tokens",
            "Requests per second for assets that want one, by outcome.",
            [rate("gateway_tokens_total", "outcome")],
            "ops",
        ),
        Panel(
            "Rate limits",
            "Requests per second over a limit, by route.",
            [rate("gateway_rate_limited_total", "route")],
            "reqps",
        ),
        Panel(
            "Connections refused",
            "Per second, by reason.",
            [rate("gateway_connection_refusals_total", "reason")],
            "ops",
        ),
        Panel(
            "Operators' requests",
            "Per second, by what became of their sign-in.",
            [rate("gateway_operator_requests_total", "outcome")],
            "reqps",
        ),
        Panel(
            "Certificates expire in",
            "Time until the certificate of a listener expires.",
            [
                (
                    (
                        "min by (instance, listener) "
                        f"(gateway_certificate_expiry_timestamp_seconds{{{G}}}) - time()"
                    ),
                    "{{instance}} {{listener}}",
                )
            ],
            "s",
        ),
        Panel(
            "Revocations and keys",
            "Tokens, subjects and sessions that are revoked; files and sets of keys that cannot "
            "be read.",
            [
                (f"max(gateway_revocations{{{G}}})", "revoked"),
                (f"max(gateway_token_key_sources_refused{{{G}}})", "keys refused"),
            ],
        ),
    ],
    "Process": [
        Panel(
            "CPU",
            "Cores that a gateway uses, with all its workers.",
            [(f"rate(process_cpu_seconds_total{{{G}}}{RATE})", "{{instance}}")],
        ),
        Panel(
            "Memory",
            "Resident memory of a gateway, with all its workers.",
            [(f"process_resident_memory_bytes{{{G}}}", "{{instance}}")],
            "bytes",
        ),
        Panel(
            "File descriptors",
            "Open ones as a share of the limit, of the process that is nearest to it.",
            [(f"process_open_fds{{{G}}} / process_max_fds{{{G}}}", "{{instance}}")],
            "percentunit",
            bounds=(0.6, 0.8),
        ),
        Panel(
            "Workers",
            "Workers that run, and those that should.",
            [
                (f"gateway_instance_workers{{{G}}}", "{{instance}}"),
                (f"gateway_instance_workers_expected{{{G}}}", "{{instance}} expected"),
            ],
        ),
        Panel(
            "Background tasks that fail",
            "Number of tasks, by name.",
            [
                (
                    f"sum by (instance, task) (gateway_background_tasks_failing{{{G}}}) > 0",
                    "{{instance}} {{task}}",
                )
            ],
        ),
        Panel(
            "Uptime and version",
            "Time since the start, by gateway and version.",
            [
                (
                    (
                        f"time() - process_start_time_seconds{{{G}}} "
                        "+ on (job, instance) group_left (version, python) "
                        f"0 * gateway_build_info{{{G}}}"
                    ),
                    "{{instance}} {{version}}",
                )
            ],
            "s",
        ),
        Panel(
            "Config in force",
            "1 while the config file is in force, 0 while it was refused.",
            [(f"min by (instance) (gateway_config_last_reload_successful{{{G}}})", "{{instance}}")],
            kind="state-timeline",
            bounds=(0.75, 0.25),
        ),
        Panel(
            "Age of the GeoIP database",
            "Time since it was built.",
            [(f"time() - (gateway_geo_database_build_seconds{{{G}}} != 0)", "{{instance}}")],
            "s",
        ),
        Panel(
            "OpenTelemetry",
            "Exports per second, by outcome.",
            [rate("gateway_otlp_exports_total", "outcome")],
            "ops",
        ),
    ],
}


def _steps(bounds: tuple[float, float] | None) -> list[dict[str, Any]]:
    if bounds is None:
        return [{"color": GREEN, "value": None}]
    first, second = bounds
    low, high = (GREEN, RED) if first < second else (RED, GREEN)
    return [
        {"color": low, "value": None},
        {"color": ORANGE, "value": min(bounds)},
        {"color": high, "value": max(bounds)},
    ]


def _custom(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        return {}
    if panel.kind == "state-timeline":
        return {"custom": {"fillOpacity": 80, "lineWidth": 0}}
    drawn: dict[str, Any] = {"fillOpacity": 20 if panel.stacked else 5, "lineWidth": 1}
    drawn |= {"showPoints": "never", "spanNulls": False}
    drawn["stacking"] = {"mode": "normal" if panel.stacked else "none", "group": "A"}
    if panel.bounds is not None:
        drawn["thresholdsStyle"] = {"mode": "dashed"}
    return {"custom": drawn}


def _options(panel: Panel) -> dict[str, Any]:
    legend = {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True}
    tooltip = {"mode": "multi", "sort": "desc"}
    if panel.kind == "stat":
        return {
            "colorMode": "value" if panel.bounds is not None else "none",
            "graphMode": "area",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
    if panel.kind == "state-timeline":
        tooltip = {"mode": "single", "sort": "none"}
        return {"legend": legend, "tooltip": tooltip, "mergeValues": True, "showValue": "never"}
    return {"legend": legend, "tooltip": tooltip}


def _drawn(panel: Panel, number: int, x: int, y: int, height: int) -> dict[str, Any]:
    coloured = "palette-classic" if panel.kind == "timeseries" else "thresholds"
    defaults = {
        "unit": panel.unit,
        "color": {"mode": coloured},
        "thresholds": {"mode": "absolute", "steps": _steps(panel.bounds)},
        **({"min": 0} if panel.kind == "timeseries" else {}),
        **_custom(panel),
    }
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
        "targets": [
            {"refId": chr(ord("A") + at), "expr": expression, "legendFormat": legend, "range": True}
            for at, (expression, legend) in enumerate(panel.queries)
        ],
    }


def _panels() -> Iterator[dict[str, Any]]:
    numbers, y = count(1), 0
    for title, panels in ROWS.items():
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        yield {
            "id": next(numbers),
            "type": "row",
            "title": title,
            "gridPos": place,
            "collapsed": False,
            "panels": [],
        }
        y += 1
        height, x = (4 if panels[0].kind == "stat" else 7), 0
        for panel in panels:
            if x + panel.width > WIDTH:
                x, y = 0, y + height
            yield _drawn(panel, next(numbers), x, y, height)
            x += panel.width
        y += height


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return {
        "uid": "streaming-gateway",
        "title": "Streaming gateway",
        "description": "What players get, and how the gateway's parts are.",
        "tags": ["streaming", "gateway"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                    "refresh": 1,
                },
                {
                    "name": "instance",
                    "label": "Gateway",
                    "type": "query",
                    "datasource": SOURCE,
                    "query": {
                        "query": 'label_values(gateway_build_info{job="gateway"}, instance)',
                        "refId": "instances",
                    },
                    "refresh": 2,
                    "sort": 1,
                    "multi": True,
                    "includeAll": True,
                    "allValue": ".*",
                    "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
                },
            ]
        },
        "annotations": {"list": []},
        "links": [],
        "panels": list(_panels()),
    }


def text() -> str:
    """What the file has."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OUT.write_text(text(), "utf-8")
