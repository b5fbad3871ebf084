"""One switch says where Kafka and Postgres come from; what cannot be had is a failure."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .choosing import DATABASE_VARIABLE, KAFKA_VARIABLE, choose

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "tcp://127.0.0.1:1"
BOTH = {KAFKA_VARIABLE: "k:9092", DATABASE_VARIABLE: "postgresql://o:p@d/o"}


def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own."""
    others = {name: value for name, value in os.environ.items() if "ORDERLOG_TEST" not in name}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=ROOT,
        env={**others, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("option", "environment", "backend"),
    [
        (None, {}, "embedded"),
        (None, {KAFKA_VARIABLE: ""}, "embedded"),
        (None, BOTH, "external"),
        ("external", BOTH, "external"),
        ("embedded", BOTH, "embedded"),
        ("containers", BOTH, "containers"),
        ("containers", {}, "containers"),
    ],
)
def test_the_option_decides_and_without_it_the_variables(option, environment, backend):
    assert choose(option, environment) == backend


@pytest.mark.parametrize("option", [None, "external"])
@pytest.mark.parametrize("missing", BOTH)
def test_half_a_cluster_is_refused(option, missing):
    half = {name: value for name, value in BOTH.items() if name != missing}

    with pytest.raises(pytest.UsageError, match=f"set {missing}"):
        choose(option, half)


def test_no_cluster_is_refused():
    done = run("--backend", "external", "tests/eventlog/test_kafka.py")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"set {KAFKA_VARIABLE} and {DATABASE_VARIABLE}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_containers_without_docker_are_a_failure_and_no_skip(workers):
    done = run(
        "--backend", "containers", *workers, "tests/domain/test_rules.py", DOCKER_HOST=NOWHERE
    )

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--backend containers needs a Docker engine, and none answers" in done.stderr
    assert "passed" not in done.stdout


def test_what_needs_a_server_is_marked_and_nothing_else():
    """The log of a test may be in memory or in Kafka: only one of the two is an integration."""
    done = run("-m", "integration", "--collect-only", "-q", "tests/eventlog", "tests/domain")

    found = set(re.findall(r"^(?:tests/)?(\w+)/(\w+)\.py", done.stdout, re.MULTILINE))
    assert {("eventlog", "test_kafka"), ("eventlog", "test_contract")} <= found
    assert "[kafka" in done.stdout
    assert "[memory" not in done.stdout
    assert {folder for folder, _ in found} == {"eventlog"}
