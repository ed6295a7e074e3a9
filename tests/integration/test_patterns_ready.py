"""No player waits for a large table of patterns to be compiled."""

import json
import subprocess
import sys

# In a process of its own: in this one, other tests have compiled them.
WARMS_UP = """
import json, sys
from gateway.app import FIRST_USER_AGENT, LATER_USER_AGENTS
from gateway.client.device import DeviceClassifier
from gateway.client.device.phrases import LinearPattern

classifier = DeviceClassifier()
for user_agent in (FIRST_USER_AGENT, *LATER_USER_AGENTS):
    classifier.classify(user_agent)
tables = {
    f"{name}.{word}": value
    for name, module in sys.modules.items() if name.startswith("gateway.client.device")
    for word, value in vars(module).items() if isinstance(value, LinearPattern)
}
large = [name for name, table in tables.items() if len(table._pattern) > 1_000]
print(json.dumps({
    "large": len(large),
    "not ready": [name for name in large if tables[name]._engine is None],
    "library": "user_agents" in sys.modules,
}))
"""


def test_the_warm_up_compiles_every_large_table() -> None:
    """The User-Agents that are classified at the start use every large table, and the library."""
    said = subprocess.run([sys.executable, "-c", WARMS_UP], check=True, capture_output=True).stdout
    found = json.loads(said)
    assert found.pop("large") >= 4
    assert {"not ready": [], "library": True} == found
