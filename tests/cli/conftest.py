"""The command line: its real entry in this process, for speed, and processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from cli.main import main

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Done = subprocess.CompletedProcess[str]


def environment(settings: dict[str, str]) -> dict[str, str]:
    """This process' environment, with these settings of ours and no other."""
    others = {name: value for name, value in os.environ.items() if "ORDERLOG_" not in name}
    return {**others, **{f"ORDERLOG_{name.upper()}": value for name, value in settings.items()}}


@pytest.fixture
def orderlog(monkeypatch, capsys) -> Callable[..., Done]:
    """Answer `orderlog(*words, **settings)`: exit code and output of the entry point, run here."""

    def run(*words: str, **settings: str) -> Done:
        wanted = environment(settings)
        capsys.readouterr()
        with monkeypatch.context() as patched:
            for name in os.environ.keys() - wanted.keys():
                patched.delenv(name)
            for name, value in wanted.items():
                patched.setenv(name, value)
            patched.setattr(sys, "argv", ["orderlog", *words])
            before = {number: signal.getsignal(number) for number in SIGNALS}
            try:
                with pytest.raises(SystemExit) as ended:
                    main()
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Done(words, code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def orderlog_process() -> Callable[..., Done]:
    """Answer the same of a process of its own, when it has ended."""

    def run(*words: str, **settings: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *words],
            env=environment(settings),
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
