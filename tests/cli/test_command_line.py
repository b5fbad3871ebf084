"""What all verbs have in common: help, exit codes, errors that name the setting and the remedy."""

import json
import os
import signal
import subprocess
import sys

import pytest

from cli.main import _VERBS
from runtime.embedded.child import free_port

LEAVES = [
    ("dev",),
    ("status",),
    ("down",),
    ("serve", "command"),
    ("serve", "query"),
    ("project",),
    ("topics", "ensure"),
    ("topics", "check"),
    ("inspect",),
    ("migrate",),
    ("rebuild",),
    ("rollback",),
    ("verify",),
    ("lag",),
    ("parked", "list"),
    ("parked", "show"),
    ("parked", "retry"),
    ("parked", "discard"),
    ("seed",),
    ("audit", "export"),
    ("audit", "verify"),
    ("erase", "customer"),
    ("erase", "status"),
    ("erase", "check"),
    ("audit", "report"),
    ("audit", "access"),
    ("audit", "keygen"),
    ("audit", "head"),
    ("audit", "prove"),
]
NEED_KAFKA = [("topics", "ensure"), ("topics", "check"), ("serve", "command")]
NEED_POSTGRES = [("lag",), ("parked", "list"), ("rebuild",), ("verify", "--all"), ("migrate",)]


def words(verb: tuple[str, ...]) -> str:
    return " ".join(verb)


def test_the_table_above_has_every_verb():
    assert {verb[0] for verb in LEAVES} == set(_VERBS)


@pytest.mark.parametrize("verb", LEAVES, ids=words)
def test_help_says_what_it_does_with_examples(orderlog, verb):
    done = orderlog(*verb, "--help")

    assert done.returncode == 0
    assert f"Usage: orderlog {words(verb)}" in done.stdout
    assert "orderlog" in done.stdout.partition("Examples:")[2]
    assert "\x1b" not in done.stdout


def test_without_a_verb_all_are_listed(orderlog):
    done = orderlog("--help")

    assert done.returncode == 0
    assert all(f" {verb} " in done.stdout for verb in _VERBS)


def test_the_version(orderlog):
    assert orderlog("--version").stdout.startswith("orderlog 0.")


@pytest.mark.parametrize(
    "wrong",
    [
        ("nosuchverb",),
        ("lag", "--nosuchoption"),
        ("inspect", "no-uuid"),
        ("verify", "--projection", "nosuch"),
        ("verify", "--all", "--sample", "3"),
        ("dev", "--command-port", "70000"),
        ("status", "-o", "xml"),
    ],
    ids=words,
)
def test_wrong_usage_exits_with_2(orderlog, wrong):
    done = orderlog(*wrong)

    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named_and_its_value_is_not_repeated(orderlog):
    done = orderlog("lag", partitions="secret-ish", request_timeout_ms="1")

    assert done.returncode == 2
    assert "ORDERLOG_PARTITIONS" in done.stderr
    assert "ORDERLOG_REQUEST_TIMEOUT_MS" in done.stderr
    assert "docs/configuration.md" in done.stderr
    assert "secret-ish" not in done.stderr


@pytest.mark.parametrize("verb", NEED_KAFKA, ids=words)
def test_a_kafka_that_is_away_is_said_once(orderlog_process, verb):
    """In processes of their own: one that serves sets up logging for good."""
    done = orderlog_process(
        *verb, kafka_bootstrap=f"127.0.0.1:{free_port()}", request_timeout_ms="500"
    )

    assert done.returncode == 1
    assert "ORDERLOG_KAFKA_BOOTSTRAP" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("verb", NEED_POSTGRES, ids=words)
def test_a_postgres_that_is_away_is_said_once(orderlog, verb):
    address = f"postgresql://orderlog:hidden@127.0.0.1:{free_port()}/orderlog"

    done = orderlog(*verb, database_url=address)

    assert done.returncode == 1
    assert "ORDERLOG_DATABASE_URL" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "hidden" not in done.stderr


def test_nothing_runs_here(orderlog, tmp_path):
    status = orderlog("status", "--data-dir", str(tmp_path / "data"))
    down = orderlog("down", "--data-dir", str(tmp_path / "data"))

    assert status.returncode == 3
    assert "orderlog dev" in status.stderr
    assert down.returncode == 0
    assert not (tmp_path / "data").exists()


def test_a_folder_that_is_not_ours_is_left_alone(orderlog, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")

    done = orderlog("dev", "--fresh", "--data-dir", str(tmp_path))

    assert done.returncode == 1
    assert "--data-dir" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_ctrl_c_ends_a_verb_with_130_and_without_a_traceback():
    started = subprocess.Popen(
        [sys.executable, "-u", "-c", CTRL_C],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout.readline() == "running\n"
    started.send_signal(signal.SIGINT)
    _, stderr = started.communicate(timeout=30)

    assert started.returncode == 130
    assert "Traceback" not in stderr


CTRL_C = """
import asyncio, sys
from cli import main
from cli.read_models import lag

async def measured():
    print("running", flush=True)
    await asyncio.sleep(30)

lag._measured = measured
sys.argv = ["orderlog", "lag"]
main.main()
"""


def test_a_reader_that_has_enough_is_no_fault():
    """As in `orderlog --help | head -1`."""
    done = subprocess.run(
        f"{sys.executable} -m cli.main --help | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
        timeout=60,
    )

    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_facts_are_for_programs_too(orderlog, on_topic):
    done = orderlog("topics", "check", "-o", "json", **on_topic)

    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["topic"] == on_topic["kafka_topic"]
    assert facts["partitions"] == 4
    assert facts["differences"] == []
