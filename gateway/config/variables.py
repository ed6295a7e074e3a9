"""How the variables of the environment are named that configure the gateway.

Apart from what reads them: the command line needs the names alone, and starts in a fraction of the
time without the configuration's model.
"""

from typing import Final

PREFIX: Final = "GATEWAY_"
CONFIG_VARIABLE: Final = "GATEWAY_CONFIG"
"""Names the configuration file; it is no key."""
FILE_SUFFIX: Final = "_FILE"
"""Behind the name of a variable: its value is in the file that the variable names."""
