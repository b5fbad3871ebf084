"""Logs: one object per line, whoever logs, and nothing that a client sends can change that."""

import json
import logging
import subprocess
import sys

import pytest

from runtime.telemetry import printable

HOSTILE = 'x\n{"event": "forged"}\r\x1b[2J\x00\u2028y'


def logged(program: str) -> list[dict]:
    done = subprocess.run(
        [sys.executable, "-c", f"HOSTILE = {HOSTILE!r}\n{program}"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    return [json.loads(line) for line in done.stderr.decode().splitlines()]


SETUP = """
import logging, structlog
from runtime.telemetry import configure_logging
configure_logging("test")
"""


def test_both_kinds_of_logger_write_one_object_per_line():
    ours, theirs = logged(
        SETUP
        + "structlog.get_logger('orderlog.x').info('placed', order_id=HOSTILE)\n"
        + "logging.getLogger('library').warning('said %s', HOSTILE)\n"
    )

    assert ours["event"] == "placed"
    assert ours["order_id"] == HOSTILE
    assert theirs["event"] == f"said {HOSTILE}"
    assert {ours["service"], theirs["service"]} == {"test"}
    assert (ours["level"], theirs["level"]) == ("info", "warning")
    assert ours["timestamp"].endswith("Z")


def test_a_fault_is_one_line_with_its_traceback():
    (line,) = logged(
        SETUP
        + "try:\n    1 / 0\n"
        + "except ZeroDivisionError:\n    structlog.get_logger('x').exception('fault')\n"
    )

    assert "ZeroDivisionError" in line["exception"]


def test_what_a_library_adds_for_terminals_is_left_out():
    (line,) = logged(
        SETUP + "logging.getLogger('uvicorn.error').info('up', extra={'color_message': '\\x1b[1m'})"
    )

    assert "color_message" not in line


def test_noise_is_left_out():
    lines = logged(SETUP + "logging.getLogger('aiokafka.conn').info('connected')")

    assert lines == []
    assert logging.getLogger("aiokafka.conn").level == logging.NOTSET


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ☕ ä", "plain ☕ ä"),
        ("a\nb", "a\\nb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
    ],
)
def test_nothing_drives_the_terminal(text, expected):
    assert printable(text) == expected
