"""No player waits for a large table of patterns to be compiled."""

import json
import subprocess
import sys

# In a process of its own: in this one, other tests have compiled them.
MEETS = """
import json, sys
from gateway.app import MET_FIRST, MET_LATER
from gateway.client.device import DeviceClassifier
from gateway.client.device.phrases import Pattern

classifier = DeviceClassifier()
for user_agent in (MET_FIRST, *MET_LATER):
    classifier.classify(user_agent)
tables = {
    f"{name}.{word}": value
    for name, module in sys.modules.items() if name.startswith("gateway.client.device")
    for word, value in vars(module).items() if isinstance(value, Pattern)
}
large = [name for name, table in tables.items() if len(table._pattern) > 1_000]
print(json.dumps({
    "large": len(large),
    "not ready": [name for name in large if tables[name]._engine is None],
    "library": "user_agents" in sys.modules,
}))
"""


def test_those_who_are_met_at_the_start_need_every_large_table() -> None:
    """The User-Agents that are classified at the start use every large table, and the library."""
    said = subprocess.run([sys.executable, "-c", MEETS], check=True, capture_output=True).stdout
    found = json.loads(said)
    assert found.pop("large") >= 4
    assert {"not ready": [], "library": True} == found
