"""Settings: every one is documented as it is, read from its variable, and bounded."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings

from runtime import settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text()
ROWS = dict(re.findall(r"^\| `(ORDERLOG_\w+)` \| `([^`]*)` \|", PAGE, re.MULTILINE))
FIELDS = {
    f"ORDERLOG_{name.upper()}": (model, name, field)
    for model in vars(settings).values()
    if isinstance(model, type) and issubclass(model, BaseSettings)
    for name, field in model.model_fields.items()
}


def test_the_page_has_every_setting_and_no_other():
    assert set(ROWS) == set(FIELDS)


@pytest.mark.parametrize("variable", FIELDS)
def test_the_page_has_the_default(variable):
    default = FIELDS[variable][2].default
    shown = default.get_secret_value() if isinstance(default, SecretStr) else default

    assert ROWS[variable] == str(shown)


@pytest.mark.parametrize("variable", FIELDS)
def test_it_is_read_from_its_variable(variable, monkeypatch):
    model, name, field = FIELDS[variable]
    wanted = "postgresql://u@h/d" if field.annotation is SecretStr else "some-text"
    if name.endswith("_url") and field.annotation is str:
        wanted = "http://some-host:1"
    if variable == "ORDERLOG_FAILPOINTS":
        wanted = "begun:3,marked:1"
    if field.annotation is int:
        bounds = re.search(rf"`{variable}` \| `\d+` \| (\d+) …", PAGE)
        wanted = str(int(bounds.group(1)) + 1)
    monkeypatch.setenv(variable, wanted)

    found = getattr(model(), name)

    assert str(found.get_secret_value() if isinstance(found, SecretStr) else found) == wanted


@pytest.mark.parametrize(
    "variable", [name for name, (_, _, field) in FIELDS.items() if field.annotation is int]
)
def test_it_is_bounded_as_the_page_says(variable, monkeypatch):
    model, name, _ = FIELDS[variable]
    bounds = re.search(rf"`{variable}` \| `\d+` \| (\d+) … (\d+) \|", PAGE)
    least, most = map(int, bounds.groups())

    for inside in (least, most):
        monkeypatch.setenv(variable, str(inside))
        assert getattr(model(), name) == inside
    for outside in (least - 1, most + 1):
        monkeypatch.setenv(variable, str(outside))
        with pytest.raises(ValidationError):
            model()


def test_the_database_address_is_not_printed(monkeypatch):
    monkeypatch.setenv("ORDERLOG_DATABASE_URL", "postgresql://u:hidden@h/d")

    assert "hidden" not in repr(settings.DatabaseSettings())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h:5432/d",
        "postgres://h/d",
        "postgresql://u@[::1]:5432/d",
        "postgresql:///d?host=/tmp",
        "postgresql://u:p%40%2F@h/d?sslmode=require",
    ],
)
def test_an_address_that_postgres_clients_know_is_taken(url):
    assert settings.DatabaseSettings(database_url=url).database_url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hidden",
        "mysql://u:hidden@h/d",
        "postgresql+asyncpg://u:hidden@h/d",
        "postgresql://u:hidden@h:port/d",
        "postgresql://u:hid/den@h/d",
        "host=h password=hidden",
    ],
)
def test_an_address_that_nobody_can_use_is_refused_without_repeating_it(url):
    with pytest.raises(ValidationError, match="postgresql://user:password@host:port/database") as e:
        settings.DatabaseSettings(database_url=url)

    assert "hid" not in str(e.value)


def test_settings_cannot_be_changed_once_they_are_read():
    found = settings.LogSettings()

    with pytest.raises(ValidationError, match="frozen"):
        found.partitions = 1
