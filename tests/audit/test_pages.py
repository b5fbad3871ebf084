"""`orderlog audit report` and `orderlog audit access` on a real log, and what an export leaves."""

import asyncio
from pathlib import Path

import orjson
import pytest

from audit.access.topic import trail_of
from domain import commands as c
from domain.values import Line
from eventlog.fitness import access_topic
from eventlog.kafka import KafkaLog
from eventlog.log import Record
from runtime.settings import LogSettings

UNKNOWN = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"


@pytest.fixture
async def order_id(written, writer, kafka_log) -> str:
    """One order among others."""
    placed = c.PlaceOrder("c-1", "EUR", (Line("A-1", 1, 100),))
    return await writer.write_one(kafka_log, [placed, c.AddNote("n-1", "<b>ring</b>")])


@pytest.fixture
def accesses(run):
    """Answer the entries of `orderlog audit access`."""
    return lambda *words: orjson.loads(run("access", "-o", "json", *words).stdout)["accesses"]


def test_a_page_is_written_and_that_is_recorded(run, order_id, accesses, tmp_path: Path):
    path = tmp_path / "order.html"

    result = run("report", order_id.upper(), "--html", path, "--as", "service:auditor")

    assert result.exit_code == 0, result.output
    assert f"2 events of order {order_id}" in result.stdout
    assert "&lt;b&gt;ring&lt;/b&gt;" in path.read_text()
    (access,) = accesses()
    assert access["actor"] == {"kind": "service", "id": "auditor"}
    assert (access["how"], access["state"], access["events"]) == ("report", "finished", 2)
    assert access["what"] == {"order_id": order_id, "format": "html"}


def test_a_file_that_is_there_is_replaced_only_by_force(run, order_id, accesses, tmp_path: Path):
    path = tmp_path / "order.html"
    path.write_text("mine")

    refused = run("report", order_id, "--html", path)

    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert (path.read_text(), accesses()) == ("mine", [])
    assert run("report", order_id, "--html", path, "--force").exit_code == 0
    assert "ring" in path.read_text()


def test_an_order_that_is_not_there_has_no_page(run, order_id, tmp_path: Path):
    result = run("report", UNKNOWN, "--html", tmp_path / "order.html")

    assert result.exit_code == 1
    assert f"the log holds no event of order {UNKNOWN}" in result.stderr
    assert not list(tmp_path.iterdir())


def test_an_export_is_recorded_with_its_range(run, written, accesses, tmp_path: Path):
    done = run("export", "--out", tmp_path / "trail", "--from", "2020-01-01", "--as", "jane")

    assert done.exit_code == 0, done.output
    (access,) = accesses()
    assert access["actor"] == {"kind": "user", "id": "jane"}
    assert (access["how"], access["state"], access["events"]) == ("cli", "finished", 60)
    assert access["what"]["format"] == "jsonl"
    assert access["what"]["from_us"] == 1_577_836_800_000_000


def test_an_export_that_fails_is_recorded_as_cut(run, written, accesses, tmp_path: Path):
    run("export", "--out", tmp_path / "trail")

    assert run("export", "--out", tmp_path / "trail").exit_code == 1
    assert [(access["state"], access["events"]) for access in accesses()] == [
        ("finished", 60),
        ("cut", 0),
    ]


def test_without_a_place_to_record_it_there_is_no_export(
    run, order_id, monkeypatch, tmp_path: Path
):
    monkeypatch.setattr("audit.access.topic.access_topic", lambda _: "nowhere.audit-access")

    for words in (
        ["export", "--out", tmp_path / "trail"],
        ["report", order_id, "--html", tmp_path / "x"],
    ):
        result = run(*words)

        assert result.exit_code == 1
        assert not list(tmp_path.iterdir())
    assert "there is no topic nowhere.audit-access" in run("export", "--out", tmp_path / "t").stderr


def test_accesses_are_listed_for_people(run, order_id, tmp_path: Path):
    run("report", order_id, "--html", tmp_path / "order.html", "--as", "jane")

    result = run("access")

    assert result.exit_code == 0, result.output
    header, line = result.stdout.splitlines()
    assert header.split("\t") == ["BEGAN", "WHO", "HOW", "WHAT", "STATE", "EVENTS"]
    assert line.split("\t")[1:3] == ["user:jane", "report"]
    assert "2 records, their chain holds; head " in result.stderr


def test_accesses_before_a_time_are_left_out(run, order_id, accesses, tmp_path: Path):
    run("report", order_id, "--html", tmp_path / "order.html")

    assert accesses("--since", "2999-01-01") == []
    assert len(accesses("--since", "2020-01-01")) == 1


@pytest.fixture
async def foreign(log_settings: LogSettings) -> None:
    """A record that follows from nothing."""
    name = access_topic(log_settings.kafka_topic)
    log = KafkaLog(log_settings.model_copy(update={"kafka_topic": name}))
    appender = await log.open_appender(0)
    await appender.append([Record(b"x", b'{"access_id":"a","state":"begun","at_us":1}')])
    await appender.close()
    async with asyncio.timeout(20):
        while not (await trail_of(log_settings)).findings:  # Its marker may be on its way.
            await asyncio.sleep(0.01)


def test_a_changed_access_log_exits_with_5(run, written, foreign):
    result = run("access")

    assert result.exit_code == 5
    assert "NOT VALID: offset 0" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report", "7", "--html", "x"], "'7' is no order id"),
        (["report", UNKNOWN, "--html", "x", "--as", "a b"], "'a b' must be kind:id"),
        (["report", UNKNOWN], "Missing option '--html'"),
        (["access", "--since", "yesterday"], "'yesterday' is no time"),
    ],
)
def test_wrong_words_exit_with_2(run, words, said):
    result = run(*words)

    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())
