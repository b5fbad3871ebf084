"""How processes report: structured logs to stderr, and the buckets that our histograms share."""

import json
import logging
import re
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

_NOISY = ("aiokafka", "httpx2", "uvicorn.access", "asyncio", "alembic")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends of any kind, and halves of characters that no encoding has."""
_UNSAFE_BUT_LAYOUT = re.compile("(?![\n\t])" + _UNSAFE.pattern)

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
        _without_colours,
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
    logging.captureWarnings(capture=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _for_machines() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_one_line),
    ]


def _one_line(event: Event, **_: object) -> str:
    """Make one line of JSON out of anything; orjson leaves some control characters as they are."""
    try:
        text = orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # What JSON has no word for: a huge number, half a character, a key ...
        text = json.dumps({str(key): _as_json(value) for key, value in event.items()})
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _as_json(value: object) -> object:
    return value if isinstance(value, str | int | None) else repr(value)


def _for_terminal() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.format_exc_info,
        _escape_control_characters,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]


def _without_colours(_logger: object, _method: str, event: Event) -> Event:
    """Drop what uvicorn adds for terminals: its message again, with escape codes."""
    event.pop("color_message", None)
    return event


def _named(service: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: Event) -> Event:
        event.setdefault("service", service)
        return event

    return add


def _escape_control_characters(_logger: object, _method: str, event: Event) -> Event:
    for key, value in event.items():
        if isinstance(value, str):
            unsafe = _UNSAFE_BUT_LAYOUT if key in {"exception", "stack"} else _UNSAFE
            event[key] = unsafe.sub(_escaped, value)
    return event


def printable(text: str) -> str:
    """Escape control characters, so that `text` cannot drive the terminal it is printed on."""
    return _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
