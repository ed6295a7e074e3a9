"""A command that the process of :mod:`tests.integration.forked` runs, as the shell or the test that
starts this script sees it: its standard streams, its signals and how it ended.

    python -IS forked_command.py SOCKET PROGRAM [ARGUMENT…]
"""

import array
import json
import os
import signal
import socket
import struct
import sys

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
NUMBER = struct.Struct("i")


def main() -> None:
    """Ask for the command, send on what signals come, and end as it does."""
    # A signal that comes before the command is there waits for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    path, program, *arguments = sys.argv[1:]
    numbers = (0, 1, 2)
    here = os.getcwd()  # noqa: PTH109  # pathlib takes as long to import as all else
    asked = json.dumps((numbers, program, arguments, dict(os.environ), here, 0))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
        control.connect(path)
        control.sendmsg(
            [asked.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers))]
        )
        pid = _number(control)
        for number in FORWARDED:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, _: os.kill(pid, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        code = _number(control)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _number(control: socket.socket) -> int:
    told: int = NUMBER.unpack(control.recv(NUMBER.size))[0]
    return told


if __name__ == "__main__":
    main()
