"""How are logs written? One JSON object per line on stderr, or text for a terminal."""

import logging
import logging.config
import os
from typing import Literal

import structlog

LONGEST_PATH_CHARS = 600
"""How much of a request's path a log line shows."""

# Local variables are not shown, because they may contain what players sent.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure(level: str = "info", style: Literal["json", "console"] = "json") -> None:
    """Set up logging for the process, including the lines of the server.

    ``style`` ``console`` is for reading on a terminal.
    """
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
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"lines": formatter},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
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
