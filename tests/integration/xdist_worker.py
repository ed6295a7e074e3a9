"""A worker of pytest-xdist, which is forked: runs what execnet gives to ``python -c``."""

import sys

if __name__ == "__main__":
    exec(sys.argv[-1])  # noqa: S102
