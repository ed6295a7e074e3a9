"""``docs/monitoring.md`` and ``docs/runbook.md`` against the rules and the command line."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest
import yaml

from gateway.cli import main
from tests.architecture.test_docs import FENCE, anchors
from tests.monitoring.parts import (
    METRICS,
    NAME,
    PROMETHEUS,
    ROOT,
    SITE,
    alerts,
    rules,
    unknown_metrics,
)
from tests.monitoring.test_drill import BROKEN, FULL, GONE

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
MONITORING = (ROOT / "docs" / "monitoring.md").read_text("utf-8")


def sections() -> dict[str, str]:
    """The sections of the runbook by their headings."""
    parts = re.split(r"^## (\w+)\n", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def row(alert: dict[str, Any]) -> str:
    """The row of an alert: what the runbook says first is what it means."""
    name = alert["alert"]
    found = re.search(r"\*\*Means\.\*\* (.+?\.)(?=\s)", sections()[name], re.DOTALL)
    assert found, name
    means = re.sub(r"\s+", " ", found[1])
    after = alert.get("for", "at once")
    seen = "yes" if name in BROKEN | FULL | GONE else "no"
    link = f"[`{name}`](runbook.md#{name.lower()})"
    return f"| {link} | {alert['labels']['severity']} | {after} | {means} | {seen} |"


def test_each_alert_has_a_section_and_a_row() -> None:
    """In the order of the rules, with the severity and the wait that they have."""
    names = [alert["alert"] for alert in alerts()]
    assert set(names) == set(sections()) - {"First"}
    shown = [line for line in MONITORING.splitlines() if line.startswith("| [`")]
    assert [row(alert) for alert in alerts()] == shown
    for name in names:
        assert all(f"**{part}.**" in sections()[name] for part in ("Means", "Look", "Do")), name


def test_runbook_urls_lead_to_sections() -> None:
    """The anchor of each is one of the page. ``tests/pages`` sees that the site has the page."""
    for alert in alerts():
        assert alert["annotations"]["runbook_url"].rpartition("#")[2] in anchors(RUNBOOK)


def test_operators_put_their_address_into_the_rules() -> None:
    """The command of the page replaces the whole address of the site, in every alert."""
    replaced = re.search(r"sed -i 's,([^,]+),[^,]+,' deploy/prometheus/alerts.yml", MONITORING)
    assert replaced
    assert f"{replaced[1]}/" == SITE


def test_the_pages_name_metrics_that_exist() -> None:
    """In text, queries and commands; a name that ends with ``_`` is the beginning of several."""
    listed = METRICS + "".join(rule.get("record", "") for rule in rules())
    for page in (RUNBOOK, MONITORING):
        for name in NAME.findall(page):
            assert name in listed or not unknown_metrics(name), name


def commands() -> Iterator[str]:
    """Each command of the gateway in code."""
    for page in (RUNBOOK, MONITORING):
        fenced = "".join(FENCE.findall(page))
        blocks = re.findall(r"^gateway .*", fenced, re.MULTILINE)
        for code in (*re.findall(r"`(gateway [^`]+)`", page), *blocks):
            yield re.sub(r"\s+", " ", code.partition("#")[0]).strip()


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_commands_exist(command: str) -> None:
    """Each with options that it has."""
    words = shlex.split(command)[1:]
    found: click.Command = main
    while isinstance(found, click.Group) and words and words[0] in found.commands:
        found = found.commands[words.pop(0)]
    assert found is not main, command
    options = {name for each in found.params for name in each.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_the_page_shows_the_example_of_a_scrape_config() -> None:
    """With its comments followed, and other targets."""
    shown = re.search(r"```yaml\n(scrape_configs:.*?)```", MONITORING, re.DOTALL)
    assert shown
    (job,) = yaml.safe_load(shown[1])["scrape_configs"]
    example = (PROMETHEUS / "prometheus.yml").read_text("utf-8")
    (bare,) = yaml.safe_load(example)["scrape_configs"]
    assert bare["job_name"] == job["job_name"]
    for line in (job["authorization"], job["tls_config"]):
        for key, value in line.items():
            assert f"{key}: {value}" in example
