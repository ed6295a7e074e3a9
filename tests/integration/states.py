"""A process and a worker that it spawns tell in what state they begin, as JSON on stderr.

python -m tests.integration.states [WORD ...]
"""

import atexit
import json
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from multiprocessing.connection import Connection
from typing import Any


def state() -> dict[str, Any]:
    """Of this process: what could differ between a fork and a start."""
    from gateway.observe import metrics  # noqa: PLC0415  # once it is known where metrics are

    return {
        "arguments": sys.argv[1:],
        "environ": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109
        "descriptors": sorted(os.listdir("/proc/self/fd"), key=int),  # noqa: PTH208
        "open files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "signals": [str(signal.getsignal(each)).split(" at ")[0] for each in signal.Signals],
        "wakeup": signal.set_wakeup_fd(-1),
        "children": len(multiprocessing.active_children()),
        "is a child": multiprocessing.parent_process() is not None,
        "metrics are shared": metrics._SHARED,
    }


def _tell(end: Connection) -> None:
    end.send(state())


def main() -> None:
    """Tell, start a worker that tells, and end with the code 7."""
    atexit.register(print, "at exit", file=sys.stderr, flush=True)
    own = state()
    signal.signal(signal.SIGTERM, lambda *_: None)  # a worker does not have this
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "rb"):  # noqa: PTH123  # nor this
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        worker = context.Process(target=_tell, args=(there,))
        worker.start()
        told = here.recv()
        worker.join()
    assert folder == told["environ"].pop("PROMETHEUS_MULTIPROC_DIR")
    print(json.dumps({"own": own, "worker": told}), file=sys.stderr, flush=True)
    sys.exit(7)


if __name__ == "__main__":
    main()
