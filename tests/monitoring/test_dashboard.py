"""The dashboard against Grafana's published types, and against our metrics."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.grafana_dashboard import OUT, ROWS, dashboard, text
from tests.monitoring.parts import ROOT, unknown_metrics

GRAFANA = ROOT / "deploy" / "grafana"
SCHEMA = json.loads(Path(__file__).with_name("dashboard.schema.json").read_text("utf-8"))
"""Made from ``dashboard_schema.ts`` beside it, which says how."""


def faults(found: dict[str, Any]) -> list[str]:
    """What Grafana's types do not allow."""
    from jsonschema import Draft7Validator  # noqa: PLC0415 - slow

    return [error.message for error in Draft7Validator(SCHEMA).iter_errors(found)]


def test_the_file_is_what_the_script_writes() -> None:
    """Run ``python -m scripts.grafana_dashboard`` when this fails."""
    assert text() == OUT.read_text("utf-8")


def test_grafana_knows_every_member() -> None:
    """Panels, their options, variables and thresholds have members and values of the schema."""
    assert [] == faults(dashboard())


@pytest.mark.parametrize(
    ("member", "value"),
    [("typo", 1), ("type", "timeserie"), ("title", 5), ("options", {"legends": {}})],
)
def test_the_schema_is_strict(member: str, value: object) -> None:
    """A panel with such a member is refused."""
    found = dashboard()
    found["panels"][1][member] = value
    assert faults(found)


def test_panels_have_places_and_numbers_of_their_own() -> None:
    """No two overlap, and none leaves the grid of 24 columns."""
    panels = dashboard()["panels"]
    assert len(panels) == len({panel["id"] for panel in panels})
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & own, panel["title"]
        cells |= own


def test_queries_name_metrics_that_exist() -> None:
    """Every name is in ``docs/metrics.md``. A stand-alone test runs the queries."""
    for panels in ROWS.values():
        for panel in panels:
            for expression, _ in panel.queries:
                assert not unknown_metrics(expression), panel.title


def test_rows_are_on_the_page() -> None:
    """``docs/monitoring.md`` says what each row answers."""
    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    for title in ROWS:
        assert f"\n| {title} | " in page


def test_provisioning_leads_to_the_dashboard() -> None:
    """The folders that the page says to mount, and a data source that Grafana can make."""
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/gateway.yml").read_text())[
        "providers"
    ]
    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    assert f"| `dashboards` | `{provider['options']['path']}` |" in page
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert "prometheus" == source["type"]
