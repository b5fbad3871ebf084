"""The verbs: what they print, and their exit codes."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from click.testing import Result

from audit.manifest import parse

Run = Callable[..., Result]


def test_a_valid_export_says_so(run: Run, whole: Path):
    result = run("verify", whole)

    assert result.exit_code == 0, result.output
    assert "valid: 150 events of 30 orders" in result.stdout
    assert parse(whole / "manifest.json").manifest_sha256 in result.stdout


def test_facts_for_programs(run: Run, whole: Path):
    facts = orjson.loads(run("verify", whole, "-o", "json").stdout)

    assert (facts["is_valid"], facts["events"], facts["orders"]) == (True, 150, 30)
    assert set(facts["heads"]) == {"0", "1", "2", "3"}


def test_a_broken_event_is_named_and_the_exit_code_is_5(run: Run, copy: Path):
    file = copy / parse(copy / "manifest.json").files[0].name
    lines = file.read_bytes().splitlines(keepends=True)
    order_id = orjson.loads(lines[2])["order_id"]
    lines[2] = lines[2].replace(b'"tenant_id":"default"', b'"tenant_id":"another"')
    file.write_bytes(b"".join(lines))

    result = run("verify", copy)

    assert result.exit_code == 5
    assert f"NOT VALID: {file.name}:3: order {order_id}" in result.stdout
    facts = orjson.loads(run("verify", copy, "-o", "json").stdout)
    assert facts["findings"][0]["order_id"] == order_id


def test_the_manifest_of_an_earlier_export_is_held_against_it(run: Run, whole: Path, copy: Path):
    assert run("verify", copy, "--against", whole / "manifest.json").exit_code == 0
    assert run("verify", copy, "--against", copy / "events-0000-000001.jsonl").exit_code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "--out", "o", "--format", "csv"], "'csv' is not there in this release"),
        (["export", "--out", "o", "--order", "7"], "'7' is no order id"),
        (["export", "--out", "o", "--from", "yesterday"], "'yesterday' is no time"),
        (["export", "--out", "o", "--from", "2026-11-01T10:00:00"], "has no zone"),
        (["export", "--out", "o", "--from", "2026-11-02", "--to", "2026-11-01"], "before --to"),
        (["export"], "--out"),
        (["verify", "/nowhere/at/all"], "does not exist"),
    ],
)
def test_wrong_use_is_explained(run: Run, words: list[str], said: str):
    result = run(*words)

    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


@pytest.mark.usefixtures("written")
def test_a_real_log_is_exported_and_exported_again(run: Run, tmp_path: Path):
    result = run("export", "--format", "jsonl", "--out", tmp_path / "one")
    assert result.exit_code == 0, result.output
    assert "60 events" in result.stdout

    facts = orjson.loads(
        run("export", "--out", tmp_path / "two", "--same-as", tmp_path / "one", "-o", "json").stdout
    )

    assert facts["events"] == 60
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (
        tmp_path / "two" / "manifest.json"
    ).read_bytes()
    assert run("verify", tmp_path / "two").exit_code == 0


@pytest.mark.usefixtures("written")
def test_a_finished_folder_is_not_written_again(run: Run, tmp_path: Path):
    assert run("export", "--out", tmp_path / "one").exit_code == 0

    result = run("export", "--out", tmp_path / "one")

    assert result.exit_code == 1
    assert "already holds a finished export" in result.stderr


@pytest.mark.usefixtures("written")
def test_days_and_orders_narrow_it_down(run: Run, tmp_path: Path):
    """The events were recorded on 2023-11-14, from 22:13:20 on, a second apart."""
    day = run("export", "--out", tmp_path / "d", "--from", "2023-11-14", "--to", "2023-11-15")
    minute = run("export", "--out", tmp_path / "m", "--to", "2023-11-14T22:13:50Z")
    none = run("export", "--out", tmp_path / "n", "--from", "2023-11-15")

    lines = [
        orjson.loads(line)
        for file in (tmp_path / "d").glob("events-*")
        for line in file.read_bytes().splitlines()
    ]
    before = sum(line["recorded_at_us"] < 1_700_000_030_000_000 for line in lines)
    assert 0 < before < 60
    assert [result.stdout.split()[0] for result in (day, minute, none)] == ["60", f"{before}", "0"]
    order_id = lines[0]["order_id"]
    one = run("export", "--out", tmp_path / "o", "--order", order_id.upper())
    assert one.stdout.split()[0] in {"3", "6"}
    assert all(run("verify", tmp_path / name).exit_code == 0 for name in "dmno")


@pytest.mark.usefixtures("written")
def test_a_topic_that_is_not_there_is_incompatible(run: Run, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("ORDERLOG_KAFKA_TOPIC", "orders.nowhere")

    result = run("export", "--out", tmp_path / "one")

    assert result.exit_code == 4
    assert "orderlog topics ensure" in result.stderr
