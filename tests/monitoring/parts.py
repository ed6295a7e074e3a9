"""What the tests of ``deploy/prometheus`` and ``deploy/grafana`` read."""

import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.missing import missing

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "alerts.yml"
METRICS = (ROOT / "docs" / "metrics.md").read_text("utf-8")
SITE = "https://docs.example.com/gateway/"
"""Where ``runbook_url`` says that the site of the documentation is; operators put theirs there."""
NAME = re.compile(r"\b(?:gateway|process)_[a-z0-9_]+\b")


def program(name: str) -> str:
    """The path of ``prometheus`` or ``promtool``."""
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not here (apt-get install prometheus)")
    return found


@cache
def rules() -> list[dict[str, Any]]:
    """All rules, recorded ones too."""
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


def alerts() -> list[dict[str, Any]]:
    """The alerts, in their order."""
    return [rule for rule in rules() if "alert" in rule]


def unknown_metrics(expression: str) -> set[str]:
    """Names of metrics in a query that ``docs/metrics.md`` does not list. ``_bucket``, ``_sum`` and
    ``_count`` are those of histograms and summaries."""
    listed = set(re.findall(r"^\| `(\w+)` \|", METRICS, re.MULTILINE))
    recorded = {rule["record"].split(":")[1] for rule in rules() if "record" in rule}
    found = set(NAME.findall(expression)) - recorded
    return {
        name
        for name in found
        if {name, re.sub(r"_(bucket|sum|count)$", "", name)}.isdisjoint(listed)
    }
