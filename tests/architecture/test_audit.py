"""What `make sbom` and `make audit` say of the packages that are installed at run time."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.audit import verdict
from scripts.sbom import REQUIREMENTS, write

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def pins() -> dict[tuple[str, str], set[str]]:
    """The hashes of each pinned package, by name and version."""
    found: dict[tuple[str, str], set[str]] = {}
    current: set[str] = set()
    for line in REQUIREMENTS.read_text("utf-8").splitlines():
        pin = PIN.match(line)
        if pin is not None:
            current = found[pin[1], pin[2]] = set()
        current |= set(HASH.findall(line))
    return found


def test_the_bill_of_materials_has_every_pin(tmp_path: Path) -> None:
    """Each with its version and the hashes of its files. `make sbom` validates the document."""
    write(tmp_path / "sbom.cdx.json", validate=False)
    document = json.loads((tmp_path / "sbom.cdx.json").read_text("utf-8"))
    assert ("CycloneDX", "1.6") == (document["bomFormat"], document["specVersion"])
    assert "streaming-gateway" == document["metadata"]["component"]["name"]
    listed = {
        (each["name"], each["version"]): set(re.findall(r"[0-9a-f]{64}", json.dumps(each)))
        for each in document["components"]
    }
    assert pins() == listed


def package(name: str, **more: Any) -> dict[str, Any]:
    """An entry of pip-audit's report."""
    return {"name": name, "version": "1.0", **more}


SKIPPED = package("a", skip_reason="Dependency not found")
CLEAN = package("b", vulns=[])
BAD = package("c", vulns=[{"id": "PYSEC-1", "fix_versions": ["1.1"]}])
VERDICTS = [
    ("clean", {"dependencies": [CLEAN]}, "", False, 0, "No known vulnerabilities in 1 packages."),
    ("vulnerable", {"dependencies": [CLEAN, BAD, SKIPPED]}, "", False, 1, "c 1.0: PYSEC-1, mended"),
    ("skipped", {"dependencies": [CLEAN, SKIPPED]}, "", False, 0, "NOT AUDITED: 1 of 2 packages"),
    ("skipped in CI", {"dependencies": [SKIPPED]}, "", True, 1, "NOT AUDITED: 1 of 1 packages"),
    ("no report", {}, "a\nConnectionError", False, 0, "NOT AUDITED: every package"),
    ("no report in CI", {}, "", True, 1, "NOT AUDITED: every package"),
]


@pytest.mark.parametrize(
    ("report", "said", "in_ci", "code", "first"), [row[1:] for row in VERDICTS]
)
def test_an_audit_that_did_not_happen_is_not_passed_over(
    report: dict[str, Any], said: str, in_ci: bool, code: int, first: str
) -> None:
    """pip-audit exits with 0 when it could ask about nothing."""
    found, lines = verdict(report, said, in_ci=in_ci)
    assert code == found
    assert lines[0].startswith(first)
