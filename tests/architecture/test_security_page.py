"""Does docs/security.md name the attacks that there are?"""

import re
from pathlib import Path

from tests.attack.table import ATTACKS, attacks_named

PAGE = Path(__file__).parents[2] / "docs" / "security.md"


def test_the_page_names_every_attack_and_no_other() -> None:
    """The last column of the table of what is tried."""
    table = PAGE.read_text("utf-8").partition("## What they try")[2].partition("\n## ")[0]
    last = [line.rsplit("|", 2)[1] for line in table.splitlines() if line.startswith("| ")]
    named = [name for cell in last[1:] for name in re.findall(r"`([a-z-]+)`", cell)]
    assert sorted(attack.name for attack in ATTACKS) == sorted(named)
    assert [] == [cell for cell in last[1:] if "`" not in cell]


def test_attacks_by_name() -> None:
    """All of them without names; none for a name that is unknown."""
    assert list(ATTACKS) == attacks_named([])
    assert [ATTACKS[1]] == attacks_named([ATTACKS[1].name])
    assert attacks_named(["nothing"]) is None
