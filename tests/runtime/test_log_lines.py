"""Hostile and odd values, to a file and to a terminal: a line stays one, and says it all."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

SETUP = """
import logging, structlog, warnings
from runtime.telemetry import configure_logging
configure_logging("test")
log = structlog.get_logger("orderlog.x")
"""
DEADLINE_S = 30
CONTROLS = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]
ODD = {
    "a number beyond 64 bits": 'log.info("e", value=2**80)',
    "half a character": 'log.info("e", value="\\ud83d")',
    "bytes": 'log.info("e", value=b"\\xff")',
    "a set": 'log.info("e", value={1})',
    "not a number": 'log.info("e", value=float("nan"))',
    "numbers as keys": 'log.info("e", value={1: 2})',
    "tuples as keys": 'log.info("e", value={(1, 2): 3})',
    "an exception": 'log.info("e", value=ValueError("x\\ny"))',
}


def written(program: str) -> bytes:
    """Run a program; what it wrote to stderr, a pipe."""
    done = subprocess.run(
        [sys.executable, "-c", SETUP + program], capture_output=True, check=True, timeout=DEADLINE_S
    )
    return done.stderr


def shown(program: str) -> str:
    """Run a program; what it wrote to stderr, a terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen([sys.executable, "-c", SETUP + program], stderr=theirs)
        os.close(theirs)
        parts = []
        try:
            while part := terminal.read(65536):
                parts.append(part)
        except OSError:  # Linux' way to say that the other end is closed.
            pass
        assert process.wait(DEADLINE_S) == 0
    return b"".join(parts).decode()


def test_no_control_character_reaches_a_file():
    raw = written(f"for code in {CONTROLS}: log.info('e' + chr(code), value=chr(code))")
    text = raw.decode()

    assert len(text.splitlines()) == len(CONTROLS)
    assert {ord(c) for c in text} & set(CONTROLS) == {0x0A}
    for code, line in zip(CONTROLS, text.splitlines(), strict=True):
        found = json.loads(line)
        assert (found["event"], found["value"]) == (f"e{chr(code)}", chr(code))


@pytest.fixture(scope="module")
def odd_lines() -> dict[str, bytes]:
    """Each of the odd calls with its line."""
    lines = written("\n".join(ODD.values())).splitlines()
    assert len(lines) == len(ODD), b"\n".join(lines).decode()
    return dict(zip(ODD, lines, strict=True))


@pytest.mark.parametrize("what", ODD)
def test_what_json_has_no_word_for_is_still_one_object(odd_lines, what):
    found = json.loads(odd_lines[what])

    assert found["event"] == "e"
    assert "value" in found
    assert found["service"] == "test"


def test_a_fault_with_hostile_words_is_one_line():
    """Ours and a library's, with the traceback that leads there."""
    raw = written(
        "for logger in (log, logging.getLogger('library')):\n"
        "    try: raise ValueError('x\\n{}\\x1b[2J\\x9b')\n"
        "    except ValueError: logger.exception('fault')\n"
    )
    ours, theirs = (json.loads(line) for line in raw.decode().splitlines())

    for line in (ours, theirs):
        assert line["exception"].startswith("Traceback")
        assert line["exception"].endswith("ValueError: x\n{}\x1b[2J\x9b")
        assert line["level"] == "error"
    assert {ord(c) for c in raw.decode()} & set(CONTROLS) == {0x0A}


def test_warnings_are_lines_like_all_others():
    (line,) = written("warnings.warn('old', DeprecationWarning, stacklevel=1)").splitlines()

    assert "DeprecationWarning: old" in json.loads(line)["event"]


def test_what_is_bound_to_the_request_is_in_every_line_of_it():
    raw = written(
        "structlog.contextvars.bind_contextvars(correlation_id='c-1')\n"
        "log.info('ours'); logging.getLogger('library').warning('theirs')\n"
    )

    assert [json.loads(line)["correlation_id"] for line in raw.splitlines()] == ["c-1", "c-1"]


def test_a_terminal_gets_no_control_character_of_a_client():
    values = "".join(map(chr, CONTROLS))
    screen = shown(
        f"hostile = {values!r}\n"
        "log.info('e', text=hostile, many=[hostile], **{'key': {hostile: hostile}})\n"
        "logging.getLogger('library').warning('said %s', hostile)\n"
    )

    ours, theirs = screen.splitlines()
    assert "\\x1b" in ours
    assert "\\x9b" in theirs
    for text in (ours, theirs):
        rest = without_colours(text)
        assert {ord(c) for c in rest} & set(CONTROLS) == set()


def test_a_traceback_on_a_terminal_keeps_its_lines_and_loses_its_controls():
    screen = shown(
        "for logger in (log, logging.getLogger('library')):\n"
        "    secret = 'of a local variable'\n"
        "    try: raise ValueError('\\x1b[2J\\x9b')\n"
        "    except ValueError: logger.exception('fault')\n"
    )

    rest = without_colours(screen)
    assert rest.count("Traceback (most recent call last):") == 2
    assert rest.count("ValueError: \\x1b[2J\\x9b") == 2
    assert {ord(c) for c in rest} & set(CONTROLS) == {0x0A, 0x0D}
    assert "of a local variable" not in rest


def without_colours(text: str) -> str:
    """Colours are structlog's: ESC [ numbers m."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)
