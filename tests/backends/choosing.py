"""Which Kafka and which Postgres the tests run against: docs/testing.md says what each proves."""

from collections.abc import Mapping

import pytest

KAFKA_VARIABLE = "ORDERLOG_TEST_KAFKA_BOOTSTRAP"
DATABASE_VARIABLE = "ORDERLOG_TEST_DATABASE_URL"
BACKENDS = ("embedded", "containers", "external")
FIXTURES = {"kafka_bootstrap", "postgres_url"}
"""Whoever asks for one of these, by whatever way, is marked `integration`."""


def choose(option: str | None, environment: Mapping[str, str]) -> str:
    """Return the backend: the option's; without it, external where a variable names a cluster."""
    variables = (KAFKA_VARIABLE, DATABASE_VARIABLE)
    missing = [name for name in variables if not environment.get(name)]
    backend = option or ("embedded" if len(missing) == len(variables) else "external")
    if backend == "external" and missing:
        raise pytest.UsageError(
            f"{KAFKA_VARIABLE} and {DATABASE_VARIABLE} name a cluster of your own for the tests: "
            f"set {' and '.join(missing)}, or choose --backend embedded"
        )
    return backend


def mark_integration(items: list[pytest.Item]) -> None:
    """Let `-m integration` find the tests that need a Kafka or a Postgres, and no others."""
    for item in items:
        if FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)
