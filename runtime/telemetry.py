"""How processes report: structured logs to stderr, and the buckets that our histograms share."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

LATENCY_BUCKETS_S = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
"""Upper bounds in seconds for every latency histogram, so that they can be added up."""

_NOISY = ("aiokafka", "uvicorn.access", "asyncio", "alembic")
_FIRST_PRINTABLE = 0x20
_DELETE = 0x7F

Event = MutableMapping[str, Any]


def configure_logging(service: str, *, level: str = "INFO") -> None:
    """Send the logs of structlog and of the standard library to stderr, as one stream.

    One JSON object per line, or colours when stderr is a terminal. Whatever a client sends cannot
    begin a new line or drive the terminal: control characters are escaped either way.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_for_terminal() if sys.stderr.isatty() else _for_machines()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _for_machines() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(
            serializer=lambda event, **_: orjson.dumps(event, default=repr).decode()
        ),
    ]


def _for_terminal() -> list[structlog.typing.Processor]:
    return [_escape_control_characters, structlog.dev.ConsoleRenderer()]


def _named(service: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: Event) -> Event:
        event.setdefault("service", service)
        return event

    return add


def _escape_control_characters(_logger: object, _method: str, event: Event) -> Event:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = printable(value)
    return event


def printable(text: str) -> str:
    """Escape control characters, so that `text` cannot drive the terminal it is printed on."""
    return "".join(
        character
        if ord(character) >= _FIRST_PRINTABLE and not _DELETE <= ord(character) < 0xA0  # noqa: PLR2004
        else character.encode("unicode_escape").decode()
        for character in text
    )
