"""``docs/logs.md`` lists the events of the log, with their levels."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "logs.md").read_text("utf-8")
ROW = re.compile(r"^\| `(\w+)` \| ((?:debug|info|warning|error)(?: \w+)*) \| .+ \|$", re.MULTILINE)
LEVELS = {"exception": "error"}
EITHER = {"info", "warning"}
"""The levels of ``write = log.info if … else log.warning``."""


def events() -> dict[str, set[str]]:
    """The events that the code logs, and their levels."""
    found: dict[str, set[str]] = {"edge_full": {"info"}, "edge_not_full": {"info"}}
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            match call:
                case ast.Call(
                    ast.Attribute(ast.Name("log" | "_log"), level), [ast.Constant(str(event)), *_]
                ):
                    found.setdefault(event, set()).add(LEVELS.get(level, level))
                case ast.Call(ast.Name("write"), [ast.Constant(str(event)), *_]):
                    found.setdefault(event, set()).update(EITHER)
    return found


def test_the_page_lists_all_events_and_no_others() -> None:
    """Each with the levels that it has."""
    listed = {row[1]: set(row[2].split()) for row in ROW.finditer(PAGE)}
    assert events() == listed
