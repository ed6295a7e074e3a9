"""How are logs written? One JSON object a line on stderr; text of players stays inside quotes."""

import logging
import logging.config
import os
from typing import Literal

import structlog

# Without the values of local variables: they hold what players sent.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure(level: str = "info", style: Literal["json", "console"] = "json") -> None:
    """Set up logging for the process, the server's own lines included.

    ``style`` ``console`` is for reading at a terminal.
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
                # Its warnings are about what players send: anyone could fill the log with them.
                "uvicorn": {"level": "ERROR"},
            },
        }
    )


def _process(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Which worker says it; a line that is about another process keeps that one's number."""
    event.setdefault("pid", os.getpid())
    return event


def _escaped(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Text that a terminal would obey is shown instead: players may put such into a path."""
    return {
        name: ascii(value) if isinstance(value, str) and not value.isprintable() else value
        for name, value in event.items()
    }
