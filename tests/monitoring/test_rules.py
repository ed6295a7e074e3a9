"""The alert rules: their form, their unit tests, and what they name."""

import re
import subprocess

from tests.monitoring.parts import PROMETHEUS, RULES, SITE, alerts, program, rules, unknown_metrics


def promtool(*arguments: str) -> str:
    """Run promtool beside the rules; its output."""
    command = [program("promtool"), *arguments]
    ran = subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    return ran.stdout


def test_promtool_accepts_the_files() -> None:
    """The example of a scrape config leads to the rules."""
    assert f"{len(rules())} rules found" in promtool("check", "rules", "alerts.yml")
    assert "valid" in promtool("check", "config", "prometheus.yml")


def test_each_alert_has_a_unit_test_that_passes() -> None:
    """promtool runs them: each names the alerts that fire at a time, and no others may."""
    promtool("test", "rules", "alerts_test.yml")
    tested = set(re.findall(r'alertname="(\w+)"', (PROMETHEUS / "alerts_test.yml").read_text()))
    assert {alert["alert"] for alert in alerts()} == tested


def test_each_alert_says_what_an_engineer_needs() -> None:
    """How bad it is, what it is, and where the runbook is."""
    names = [alert["alert"] for alert in alerts()]
    assert len(names) == len(set(names)) == RULES.read_text().count("- alert:")
    for alert in alerts():
        name, notes = alert["alert"], alert["annotations"]
        assert {"severity"} == set(alert["labels"])
        assert alert["labels"]["severity"] in {"critical", "warning"}, name
        assert {"summary", "description", "runbook_url"} == set(notes), name
        assert f"{SITE}docs/runbook.html#{name.lower()}" == notes["runbook_url"]


def test_rules_name_metrics_that_exist() -> None:
    """Every name is in ``docs/metrics.md``."""
    for rule in rules():
        assert not unknown_metrics(rule["expr"]), rule
    assert {"gateway_nonsense_total"} == unknown_metrics("rate(gateway_nonsense_total[5m])")
