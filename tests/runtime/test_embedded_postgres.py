"""The embedded Postgres: how it is made, who may come in, and the faults that are said in words."""

import json
import stat
import sys
from pathlib import Path

import asyncpg
import pytest

from runtime.embedded import postgres as module
from runtime.embedded.child import free_port
from runtime.embedded.errors import StackError
from runtime.embedded.packages import POSTGRES_VERSION
from runtime.embedded.postgres import data_folder, is_server, postgres, remove


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder that the real `initdb` has filled."""
    folder = tmp_path_factory.mktemp("made") / "postgres"
    postgres(folder, free_port())
    yield folder
    remove(folder)


def test_nobody_comes_in_without_a_password(made):
    rules = [
        line.split()
        for line in (data_folder(made) / "pg_hba.conf").read_text().splitlines()
        if line and not line.startswith("#")
    ]

    assert len(rules) > 2
    assert {rule[-1] for rule in rules} == {"scram-sha-256"}


def test_the_passwords_are_readable_for_their_owner_alone(made):
    file = made / "credentials.json"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    passwords = json.loads(file.read_text())
    assert set(passwords) == {"admin", "owner", "projector", "query", "command"}
    assert len(set(passwords.values())) == 5


def test_the_password_that_initdb_was_handed_is_gone(made):
    data = data_folder(made)

    assert [path for path in data.parent.iterdir() if path.name.endswith(".password")] == []


def test_a_second_start_finds_the_same_passwords_and_data(made):
    marker = data_folder(made) / "PG_VERSION"
    before = marker.stat().st_mtime_ns

    _, first = postgres(made, free_port())
    _, second = postgres(made, free_port())

    assert first == second
    assert marker.stat().st_mtime_ns == before


@pytest.fixture
def embedded_url(backend, postgres_url) -> str:
    """The owner's address of a running one."""
    if backend != "embedded":
        pytest.skip("about the embedded server")
    return postgres_url


def options(command: list[str]) -> dict[str, str]:
    return dict(part.split("=", 1) for part in command if "=" in part)


def test_the_server_listens_on_the_loopback_alone(made):
    child, _ = postgres(made, 15432)

    assert options(child.command) == {
        "unix_socket_directories": "",
        "listen_addresses": "127.0.0.1",
        "port": "15432",
    }


def test_only_tests_trade_survival_of_a_power_cut_for_speed(made):
    child, _ = postgres(made, 15432, is_durable=False)

    assert options(child.command)["fsync"] == "off"


def test_no_password_is_on_the_command_line(made):
    child, credentials = postgres(made, free_port())

    assert credentials.admin not in " ".join(child.command)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SHOW server_encoding", "UTF8"),
        ("SHOW data_checksums", "on"),
        ("SELECT datlocprovider::text FROM pg_database WHERE datname = 'template1'", "b"),
        ("SELECT datlocale FROM pg_database WHERE datname = 'template1'", "C.UTF-8"),
        ("SELECT 'a' < 'B' COLLATE \"default\"", False),
    ],
)
async def test_text_is_sorted_the_same_on_every_machine(embedded_url, query, value):
    connection = await asyncpg.connect(embedded_url)
    try:
        assert await connection.fetchval(query) == value
    finally:
        await connection.close()


async def test_the_owner_is_no_superuser(embedded_url):
    connection = await asyncpg.connect(embedded_url)
    try:
        assert await connection.fetchval("SHOW is_superuser") == "off"
    finally:
        await connection.close()


def test_a_folder_of_another_version_is_left_as_it_is(tmp_path):
    (tmp_path / "VERSION").write_text("17.2.0")

    with pytest.raises(StackError) as refused:
        postgres(tmp_path, 5432)

    said = str(refused.value)
    assert f"{tmp_path} was made by Postgres 17.2.0, this is {POSTGRES_VERSION}" in said
    assert "--data-dir" in said
    assert "--fresh" in said
    assert [path.name for path in tmp_path.iterdir()] == ["VERSION"]


@pytest.mark.parametrize("damage", [None, "", "{}", '{"admin": "a", "unknown": "b"}'])
def test_passwords_that_are_lost_are_said_with_the_remedy(tmp_path, damage):
    (tmp_path / "VERSION").write_text(POSTGRES_VERSION)
    if damage is not None:
        (tmp_path / "credentials.json").write_text(damage)

    with pytest.raises(StackError) as refused:
        postgres(tmp_path, 5432)

    assert f"{tmp_path / 'credentials.json'} is missing or damaged" in str(refused.value)
    assert "built again from Kafka" in str(refused.value)


@pytest.fixture
def as_user(monkeypatch) -> None:
    """As if this were not root."""
    monkeypatch.setattr(module, "_other_user", lambda: None)


@pytest.fixture
def initdb(tmp_path, monkeypatch, as_user) -> Path:
    """Stands for `initdb`: does what the file `program` says."""
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    script = home / "bin" / "initdb"
    monkeypatch.setattr(module, "postgres_home", lambda: home)

    def write(program: str) -> None:
        script.write_text(f"#!{sys.executable}\nimport os, pathlib, sys\n{program}\n")
        script.chmod(0o755)

    return write


def test_what_initdb_says_is_said_and_nothing_is_left(tmp_path, initdb):
    folder = tmp_path / "postgres"
    initdb("sys.exit('could not create directory: No space left on device')")

    with pytest.raises(StackError, match=r"could not be made:\n.*No space left on device"):
        postgres(folder, 5432)

    assert sorted(path.name for path in folder.iterdir()) == ["credentials.json"]


def test_after_a_failed_start_the_next_one_begins_anew(tmp_path, initdb):
    folder = tmp_path / "postgres"
    initdb("sys.exit('No space left on device')")
    with pytest.raises(StackError):
        postgres(folder, 5432)
    initdb("")

    postgres(folder, 5432)

    assert (folder / "VERSION").read_text() == POSTGRES_VERSION


def test_initdb_is_asked_for_passwords_unicode_and_one_order_of_text(tmp_path, initdb):
    initdb(f"pathlib.Path({str(tmp_path / 'asked')!r}).write_text('\\n'.join(sys.argv[1:]))")

    postgres(tmp_path / "postgres", 5432)

    asked = (tmp_path / "asked").read_text().splitlines()
    assert {
        f"--pgdata={tmp_path / 'postgres' / 'data'}",
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    } < set(asked)


@pytest.mark.usefixtures("as_user")
def test_data_is_in_the_folder(tmp_path):
    assert data_folder(tmp_path) == tmp_path / "data"


@pytest.fixture
def as_root(tmp_path, monkeypatch) -> Path:
    """As if this were root; return the folder that stands for /var/lib/orderlog."""
    monkeypatch.setattr(module, "_other_user", lambda: "nobody")
    monkeypatch.setattr(module, "_ROOTS_DATA", tmp_path / "lib")
    return tmp_path / "lib"


def test_roots_data_is_where_nobody_can_reach_it(tmp_path, as_root):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()

    first, again, second = data_folder(one), data_folder(one), data_folder(two)

    assert first == again
    assert first != second
    assert {first.parent, second.parent} == {as_root}
    assert (one / "data").is_symlink()


def test_removing_roots_folder_removes_what_it_leads_to(tmp_path, as_root):
    folder = tmp_path / "one"
    folder.mkdir()
    data_folder(folder).mkdir()

    remove(folder)

    assert not folder.exists()
    assert list(as_root.iterdir()) == []


def test_a_port_where_nobody_listens_is_no_server():
    assert not is_server(free_port())


def test_a_server_that_takes_connections_is_ready(embedded_url):
    port = int(embedded_url.rpartition(":")[2].partition("/")[0])

    assert is_server(port)
