"""``python -m gateway`` and the ``gateway`` command."""

import errno
import os
import sys

from gateway.serving.garbage_collection import excluded_from_collection

_FULL = (errno.ENOSPC, errno.EDQUOT)


def main() -> None:
    """Run the command that the arguments name. A full disk ends it with one line and exit code
    1."""
    with excluded_from_collection():
        from gateway import cli  # noqa: PLC0415  # its imports are what is left out

    try:
        cli.main()
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = "" if error.filename is None else f" {error.filename}"
        print(f"error: cannot write{where}: {error.strerror}", file=sys.stderr)  # noqa: T201
        # Else Python would try once more to write what it has not written, and say so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)


if __name__ == "__main__":
    main()
