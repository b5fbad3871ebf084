"""The command line as a user has it: a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("orderlog")
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def orderlog() -> Callable[..., Done]:
    """Answer `orderlog(*words, **settings)`: the process when it has ended."""

    def run(*words: str, **settings: str) -> Done:
        ours = {name: value for name, value in os.environ.items() if "ORDERLOG_" not in name}
        return subprocess.run(
            [str(PROGRAM), *words],
            env={**ours, **{f"ORDERLOG_{name.upper()}": value for name, value in settings.items()}},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.fixture
def on_topic(log_settings) -> dict[str, str]:
    """Settings that lead to this test's topic."""
    return {
        "kafka_bootstrap": log_settings.kafka_bootstrap,
        "kafka_topic": log_settings.kafka_topic,
        "environment": log_settings.environment,
        "partitions": str(log_settings.partitions),
    }
