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
    assert parse(whole / "manifest.json").root_hash in result.stdout


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
    assert f"NOT VALID: {file.name}:3: edited: order {order_id}" in result.stdout
    facts = orjson.loads(run("verify", copy, "-o", "json").stdout)
    assert facts["findings"][0]["order_id"] == order_id


def test_the_manifest_of_an_earlier_export_is_held_against_it(run: Run, whole: Path, copy: Path):
    assert run("verify", copy, "--head", whole / "manifest.json").exit_code == 0
    assert run("verify", copy, "--head", copy / "events-0000-000001.jsonl").exit_code == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "--out", "o", "--format", "xml"], "'xml' is not there; use jsonl, csv or"),
        (["export", "--out", "o", "--compress", "gzip"], "'gzip' is not there; use zstd"),
        (
            ["export", "--out", "o", "--format", "parquet", "--compress", "zstd"],
            "leave --compress out",
        ),
        (
            ["export", "--out", "o", "--from-version", "3", "--to-version", "2"],
            "must not be above --to-version",
        ),
        (["export", "--out", "o", "--from-version", "0"], "greater than or equal to 1"),
        (["export", "--out", "o", "--order", "7"], "'7' is no order id"),
        (["export", "--out", "o", "--from", "yesterday"], "'yesterday' is no time"),
        (["export", "--out", "o", "--from", "2026-11-01T10:00:00"], "has no zone"),
        (["export", "--out", "o", "--from", "2026-11-02", "--to", "2026-11-01"], "before --to"),
        (["export"], "--out"),
        (["verify", "/nowhere/at/all"], "does not exist"),
        (["verify"], "name a folder or a file, or a proof"),
        (["verify", ".", "--public-key", __file__], "holds no public key"),
        (["keygen"], "--out"),
        (["prove", "."], "--order"),
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


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    ("options", "suffix"),
    [
        (["--format", "csv"], ".csv"),
        (["--format", "csv", "--compress", "zstd"], ".csv.zst"),
        (["--compress", "zstd"], ".jsonl.zst"),
        (["--format", "parquet"], ".parquet"),
    ],
)
def test_every_format_is_verified_and_made_again(
    run: Run, tmp_path: Path, options: list[str], suffix: str
):
    assert run("export", "--out", tmp_path / "one", *options).exit_code == 0
    names = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert {name.partition(".")[2] for name in names if name.startswith("events-")} == {suffix[1:]}

    assert run("verify", tmp_path / "one").exit_code == 0
    assert run("export", "--out", tmp_path / "two", "--same-as", tmp_path / "one").exit_code == 0
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.usefixtures("written")
def test_filters_of_the_command_line(run: Run, tmp_path: Path):
    counts = {}
    for name, options in {
        "customer": ["--customer", "c-1"],
        "versions": ["--from-version", "2", "--to-version", "3"],
        "actor": ["--actor", "user:u-1"],
        "id": ["--actor", "u-1"],
        "nobody": ["--actor", "service:u-1"],
        "correlation": ["--correlation", "corr"],
        "causation": ["--causation", "other"],
        "reason": ["--reason", "other"],
    }.items():
        done = run("export", "--out", tmp_path / name, *options, "-o", "json")
        counts[name] = orjson.loads(done.stdout)["events"]
        assert run("verify", tmp_path / name).exit_code == 0

    assert counts == {
        "customer": 15,
        "versions": 24,
        "actor": 60,
        "id": 60,
        "nobody": 0,
        "correlation": 60,
        "causation": 0,
        "reason": 0,
    }


@pytest.mark.usefixtures("written")
def test_a_head_is_signed_and_gone_on_with_and_holds_an_export(
    run: Run, tmp_path: Path, keys: tuple[Path, Path], monkeypatch
):
    unsigned = run("head")
    assert unsigned.exit_code == 0
    assert "ORDERLOG_AUDIT_KEY_FILE names no key" in unsigned.stderr
    assert orjson.loads(unsigned.stdout)["stamp"]["signature"] is None
    (tmp_path / "unsigned.json").write_text(unsigned.stdout)

    monkeypatch.setenv("ORDERLOG_AUDIT_KEY_FILE", str(keys[0]))
    refused = run("head", "--since", tmp_path / "unsigned.json")
    assert refused.exit_code == 5
    assert "not signed" in refused.stderr
    assert run("head", "--out", tmp_path / "head.json").stdout.startswith("60 events in ")
    assert (
        run("head", "--since", tmp_path / "head.json").stdout
        == (tmp_path / "head.json").read_text()
    )
    run("export", "--out", tmp_path / "one")
    held = ("--head", tmp_path / "head.json", "--public-key", keys[1])
    assert run("verify", tmp_path / "one", *held).exit_code == 0
    said = orjson.loads((tmp_path / "head.json").read_bytes())
    said["partitions"][0]["events"] += 1
    (tmp_path / "head.json").write_bytes(orjson.dumps(said))
    assert run("verify", tmp_path / "one", *held).exit_code == 5


@pytest.mark.usefixtures("written")
def test_a_key_that_cannot_be_read_is_named_by_its_setting(run: Run, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("ORDERLOG_AUDIT_KEY_FILE", str(tmp_path / "nowhere"))

    for words in (["head"], ["export", "--out", tmp_path / "one"]):
        result = run(*words)

        assert result.exit_code == 2
        assert "ORDERLOG_AUDIT_KEY_FILE" in result.stderr


def test_a_key_is_made_once(run: Run, tmp_path: Path):
    made = run("keygen", "--out", tmp_path / "audit.key")

    assert made.exit_code == 0
    assert made.stdout.startswith("-----BEGIN PUBLIC KEY-----")
    assert "Keep the public key" in made.stderr
    assert run("keygen", "--out", tmp_path / "audit.key").exit_code == 1


def test_one_event_is_proved_and_its_proof_is_checked(run: Run, whole: Path, tmp_path: Path):
    line = orjson.loads((whole / "events-0000-000001.jsonl").read_bytes().splitlines()[3])
    names = ("--order", line["order_id"], "--version", line["version"])
    proof = tmp_path / "proof.json"

    assert run("prove", whole, *names, "--out", proof).exit_code == 0
    assert run("prove", whole, *names).stdout == proof.read_text()
    checked = run("verify", "--proof", proof, "--head", whole / "manifest.json")
    assert checked.exit_code == 0, checked.output
    assert f"valid: version {line['version']} of order {line['order_id']}" in checked.stdout
    assert "is event 4 of 150" in checked.stdout

    proof.write_text(proof.read_text().replace(line["command_id"], "another"))
    assert run("verify", "--proof", proof).exit_code == 5
    facts = orjson.loads(run("verify", "--proof", proof, "-o", "json").stdout)
    assert facts["findings"][0]["kind"] == "edited"
    assert run("prove", whole, "--order", line["order_id"], "--version", 99).exit_code == 1
