"""A setting out of its bounds, at the command line: named, with the remedy, and exit code 2."""

import annotated_types
import pytest

from runtime import settings

VERBS = {
    settings.LogSettings: ("topics", "check"),
    settings.DatabaseSettings: ("migrate",),
    settings.HttpSettings: ("serve", "command"),
    settings.CommandSettings: ("serve", "command"),
    settings.QuerySettings: ("serve", "query"),
    settings.ProjectorSettings: ("project",),
    settings.KeysSettings: ("serve", "command"),
    settings.AuditSettings: ("audit", "head"),
}
"""A verb that reads these settings before it does anything else."""


def too_small(field) -> str:
    (least,) = [m.ge for m in field.metadata if isinstance(m, annotated_types.Ge)]
    return str(least - 1)


NUMBERS = [
    pytest.param(verb, name, too_small(field), id=f"ORDERLOG_{name.upper()}")
    for model, verb in VERBS.items()
    for name, field in model.model_fields.items()
    if field.annotation is int
]
WORDS = [
    ("topics check", "kafka_topic", "orders events"),
    ("topics check", "kafka_bootstrap", ""),
    ("topics check", "environment", "a/b"),
    ("topics check", "partitions", "many"),
    ("topics check", "partitions", ""),
    ("serve command", "node", "n 1"),
    ("serve command", "node_url", "node-1:8000"),
    ("serve command", "tenant", ""),
    ("migrate", "database_url", "nonsense"),
    ("migrate", "database_url", "postgresql://u:hidden@h:port/d"),
    ("lag", "database_url", "mysql://u:hidden@h/d"),
    ("verify --all", "database_url", "u:hidden@h"),
    ("serve query", "database_url", "u:hidden@h"),
]


@pytest.fixture(autouse=True)
def logging_as_it_is(monkeypatch):
    """The processes' own set-up of logs is for processes of their own."""
    for module in ("command_api.app", "query_api.app", "projectors.process"):
        monkeypatch.setattr(f"{module}.configure_logging", lambda _service: None)


def test_every_kind_of_setting_has_a_verb_here():
    assert set(settings._Settings.__subclasses__()) == VERBS.keys()


@pytest.mark.parametrize(("verb", "name", "value"), NUMBERS)
def test_a_number_out_of_bounds_is_named(orderlog, verb, name, value):
    done = orderlog(*verb, **{name: value})

    assert done.returncode == 2, done.stderr
    first, last = done.stderr.splitlines()
    assert first.startswith(f"ORDERLOG_{name.upper()}: ")
    assert last == "see docs/configuration.md for names and bounds"
    assert done.stdout == ""


@pytest.mark.parametrize(("verb", "name", "value"), WORDS)
def test_a_word_that_cannot_be_is_named_and_not_repeated(orderlog, verb, name, value):
    done = orderlog(*verb.split(), **{name: value})

    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"ORDERLOG_{name.upper()}: ")
    assert "docs/configuration.md" in done.stderr
    assert "hidden" not in done.stderr


def test_all_wrong_settings_are_named_at_once(orderlog):
    done = orderlog("topics", "check", partitions="0", environment="a b", request_timeout_ms="x")

    assert [line.partition(":")[0] for line in done.stderr.splitlines()[:-1]] == [
        "ORDERLOG_ENVIRONMENT",
        "ORDERLOG_PARTITIONS",
        "ORDERLOG_REQUEST_TIMEOUT_MS",
    ]
