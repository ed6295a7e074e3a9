"""How are logs written? One JSON object per line on stderr, or text for a terminal.

``docs/logs.md`` lists the lines.
"""

import json
import logging
import logging.config
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal

import structlog

from gateway.observe.log_writer import LAST_LINES_S, LineWriter

LONGEST_PATH_CHARS = 600
"""How much of a request's path a log line shows."""

# Local variables are not shown, because they may contain what players sent.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


Style = Literal["json", "console"]

ACCESS: Final = "access"
"""The event of the lines of the access log."""

_writers: dict[int, LineWriter] = {}
"""The writer of each file descriptor."""
_access_log = logging.getLogger("gateway.access")
_style: Style = "json"


class _QueuedHandler(logging.Handler):
    """Hands lines to a writer, so that nobody waits for whoever reads them."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line. Never waits."""
        try:
            line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
        except Exception:  # noqa: BLE001 - as every handler of the standard library
            self.handleError(record)
        else:
            self._writer.offer(line, "log")


def _writer() -> LineWriter | None:
    """The writer of standard error; None where that is no file, such as in a test."""
    try:
        descriptor = sys.stderr.fileno()
    except (AttributeError, OSError):
        return None
    found = _writers.get(descriptor)  # each line asks, and making one takes several locks
    return _writers.setdefault(descriptor, LineWriter(descriptor)) if found is None else found


def flush() -> None:
    """Wait, for a moment at most, until all lines are written: a process that ends by a signal
    calls no exit handlers."""
    for writer in list(_writers.values()):
        writer.flush(LAST_LINES_S)


def logs_access() -> bool:
    """Whether the level lets lines of the access log pass, which are of level ``info``."""
    return _access_log.isEnabledFor(logging.INFO)


def write_access(members: Mapping[str, object]) -> None:
    """Write a line of the access log with these members. Never waits for whoever reads it.

    Unlike other lines it is encoded here: structlog and logging take four times as long, and
    each request may write one.
    """
    writer = _writer()
    if writer is None or _style != "json":
        structlog.get_logger("gateway.access").info(ACCESS, **members)
        return
    line = {
        "event": ACCESS,
        "level": "info",
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "pid": os.getpid(),
        **members,
    }
    writer.offer(b"%b\n" % json.dumps(line).encode("ascii"), ACCESS)


def configure(level: str = "info", style: Style = "json", *, waits: bool = True) -> None:
    """Set up logging for the process, including the lines of the server.

    ``style`` ``console`` is for reading on a terminal. Without ``waits``, a thread writes, and
    lines are lost while too many wait for it (:mod:`gateway.observe.log_writer`).
    """
    global _style  # noqa: PLW0603 - as logging's own configuration, of which the process has one
    _style = style
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _process,
    ]
    rendered: list[structlog.typing.Processor] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer()]
        if style == "json"
        else [
            _escaped,
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": before,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
    }
    writer = None if waits else _writer()
    handler: dict[str, object] = {"class": "logging.StreamHandler"}
    if writer is not None:
        handler = {"()": _QueuedHandler, "writer": writer}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"lines": formatter},
            "handlers": {"stderr": {**handler, "formatter": "lines"}},
            "root": {"handlers": ["stderr"], "level": "WARNING"},
            "loggers": {
                "gateway": {"level": level.upper()},
                # uvicorn's warnings are about invalid requests, with which anyone could fill the
                # log.
                "uvicorn": {"level": "ERROR"},
            },
        }
    )


def _process(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add the process id of the worker, unless the line has that of another process."""
    event.setdefault("pid", os.getpid())
    return event


def _escaped(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape control characters, which players may put into paths, for the terminal."""
    return {
        name: ascii(value) if isinstance(value, str) and not value.isprintable() else value
        for name, value in event.items()
    }
