"""A Redis user may be restricted to the commands that docs/control-plane.md lists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONSUMER = "consumer.py"
"""It belongs to the programs that read the stream of events, which have users of their own."""

IN_SCRIPTS = re.compile(r"redis\.p?call\(\s*'([A-Z]+)'")
SENT = re.compile(r'\(b"([A-Z]+)"')
LISTED = re.compile(r"## Permissions in Redis.*?```\n(.*?)```", re.DOTALL)
BY_THE_CLIENT = {"CLIENT|SETNAME"}
"""What the library sends when it connects."""


def used() -> set[str]:
    """The commands in the code of the store."""
    found: set[str] = set()
    for file in (ROOT / "gateway" / "store").rglob("*.py"):
        if file.name != CONSUMER:
            text = file.read_text(encoding="utf-8")
            found |= {*IN_SCRIPTS.findall(text), *SENT.findall(text)}
    return found


def test_the_listed_commands_are_those_that_the_store_uses() -> None:
    page = (ROOT / "docs" / "control-plane.md").read_text(encoding="utf-8")
    listed = LISTED.search(page)
    assert listed is not None
    assert set(listed[1].split()) == used() | BY_THE_CLIENT
