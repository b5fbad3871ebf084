"""The audit export over HTTP: to the byte what the command line writes, or no export at all."""

import base64
import io
import os
import tarfile
from pathlib import Path

import orjson
import pytest

from audit.evidence.signing import KeyRefused, make_key, private_key, public_hex
from audit.export import Request, export
from audit.filters import Filter
from audit.manifest import Encoding
from audit.unpacking import unpack
from audit.verify import verify
from domain import commands as c
from domain.values import Line
from query_api.app import create_app
from tests.audit.conftest import Writer

PATH = "/v1/audit/export"
DEADLINE_S = 20
ORDERS = 30


async def folder(kafka_log, path: Path, **asked) -> dict[str, bytes]:
    """What the command line writes for the same question."""
    encoding = asked.pop("encoding", Encoding())
    await export(kafka_log, path, Request(Filter(**asked), encoding))
    return {name: (path / name).read_bytes() for name in os.listdir(path)}  # noqa: PTH208


def unpacked(raw: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


@pytest.mark.parametrize(
    ("query", "encoding"),
    [
        ({}, {}),
        ({"format": "csv"}, {"format": "csv"}),
        ({"format": "parquet"}, {"format": "parquet"}),
        ({"compress": "zstd"}, {"compression": "zstd"}),
        ({"format": "csv", "compress": "zstd"}, {"format": "csv", "compression": "zstd"}),
    ],
)
async def test_a_tar_holds_the_folder_to_the_byte(api, kafka_log, tmp_path, query, encoding):
    answer = await api.get(PATH, archive="tar", **query)

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-tar"
    found = unpacked(answer.content)
    assert list(found)[-1] == "manifest.json"
    assert found == await folder(kafka_log, tmp_path / "out", encoding=Encoding(**encoding))


async def test_lines_are_those_of_the_folder_with_the_rest_of_it_as_the_last(
    api, kafka_log, tmp_path
):
    answer = await api.get(PATH)

    assert answer.headers["content-type"] == "application/x-ndjson"
    files = await folder(kafka_log, tmp_path / "out")
    events = b"".join(files[name] for name in sorted(files) if name.startswith("events-"))
    lines = answer.content.splitlines(keepends=True)
    assert b"".join(lines[:-2] + lines[-2:-1]) == b"".join(
        files[name] for name in sorted(files) if name.endswith(".jsonl")
    )
    assert events.count(b"\n") == 150
    last = orjson.loads(lines[-1])
    assert last["manifest"] == orjson.loads(files["manifest.json"])
    assert base64.b64decode(last["descriptors"]) == files["events.binpb"]


async def test_both_forms_are_valid_exports(api, tmp_path: Path):
    (tmp_path / "lines").mkdir()
    (tmp_path / "trail.jsonl").write_bytes((await api.get(PATH)).content)
    unpack(tmp_path / "trail.jsonl", tmp_path / "lines")
    tar = (await api.get(PATH, archive="tar")).content
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        opened.extractall(tmp_path / "tar", filter="data")

    for name in ("lines", "tar"):
        verdict = verify(tmp_path / name, workers=1)
        assert (verdict.findings, verdict.events, verdict.orders) == ((), 150, ORDERS)


async def test_twice_the_same_is_the_same(api):
    for query in ({}, {"archive": "tar"}):
        assert (await api.get(PATH, **query)).content == (await api.get(PATH, **query)).content


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ({"customer_id": "c-1"}, {"customer_id": "c-1"}),
        (
            {"from": "2023-11-14T22:14:00Z", "to": "2023-11-14T22:15:00+00:00"},
            {"from_us": 1_700_000_040_000_000, "to_us": 1_700_000_100_000_000},
        ),
        ({"from_version": "2", "to_version": "3"}, {"from_version": 2, "to_version": 3}),
        ({"actor": "user:u-1"}, {"actor_kind": "user", "actor_id": "u-1"}),
        ({"actor": "nobody"}, {"actor_id": "nobody"}),
        ({"correlation_id": "corr"}, {"correlation_id": "corr"}),
        ({"causation_id": "other"}, {"causation_id": "other"}),
    ],
)
async def test_parameters_are_the_options_of_the_command_line(
    api, kafka_log, tmp_path, query, chosen
):
    answer = await api.get(PATH, archive="tar", **query)

    assert answer.status_code == 200, answer.text
    assert unpacked(answer.content) == await folder(kafka_log, tmp_path / "out", **chosen)


async def test_one_order(api, order_ids):
    answer = await api.get(PATH, order_id=order_ids[3].upper())

    events = [orjson.loads(line) for line in answer.content.splitlines()][:-1]
    assert [event["version"] for event in events] == [1, 2, 3]
    assert {event["order_id"] for event in events} == {order_ids[3]}


async def test_an_empty_log_is_an_export_too(empty, tmp_path: Path):
    answer = await empty.get(PATH)
    (tmp_path / "trail.jsonl").write_bytes(answer.content)
    (tmp_path / "out").mkdir()

    unpack(tmp_path / "trail.jsonl", tmp_path / "out")

    assert verify(tmp_path / "out", workers=1).findings == ()


async def test_who_asked_is_recorded_with_what_was_given_out(api, accesses):
    await api.get(PATH, {"Orders-Actor": "service:auditor"}, customer_id="c-1")
    await api.get(PATH, archive="tar")

    first, second = await accesses(2)
    assert first["actor"] == {"kind": "service", "id": "auditor"}
    assert (first["how"], first["state"]) == ("http", "finished")
    assert first["what"]["customer_id"] == "c-1"
    assert set(first["what"]["ranges"]) == {"0", "1", "2", "3"}
    assert second["actor"] == {"kind": "system", "id": "anonymous"}
    assert (second["what"]["archive"], second["events"]) == ("tar", 150)
    assert 0 < first["events"] < 150


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"format": "xml"}, "format"),
        ({"format": "csv"}, "format"),
        ({"compress": "zstd"}, "compress"),
        ({"compress": "gzip", "archive": "tar"}, "compress"),
        ({"format": "parquet", "compress": "zstd", "archive": "tar"}, "compress"),
        ({"archive": "zip"}, "archive"),
        ({"order_id": "7"}, "order_id"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "to"),
        ({"from_version": "0"}, "from_version"),
        ({"from_version": "3", "to_version": "2"}, "to_version"),
        ({"actor": "a b"}, "actor"),
        ({"nosuch": "1"}, "nosuch"),
        ({"since": "2026-01-01T00:00:00Z"}, "since"),
    ],
)
async def test_wrong_parameters_are_named(empty, query, field):
    problem = await empty.problem(PATH, **query)

    assert (problem["status"], problem["code"]) == (422, "invalid-query")
    assert [entry["field"] for entry in problem["errors"]] == [field]


async def test_a_parameter_is_given_once_and_an_actor_is_visible(empty, accesses):
    twice = await empty.problem(f"{PATH}?format=jsonl&format=jsonl")
    odd = await empty.problem(PATH, {"Orders-Actor": "a b"})

    assert [entry["field"] for entry in twice["errors"]] == ["format"]
    assert [entry["field"] for entry in odd["errors"]] == ["Orders-Actor"]
    assert await accesses(0) == []


async def test_the_order_of_a_stranger_is_no_order_of_ours(api, kafka_log):
    """A new order appears in the next export."""
    placed = c.PlaceOrder("c-new", "EUR", (Line("A-1", 1, 100),))
    writer = Writer()
    writer._orders = iter(range(1_000, 2_000))
    order_id = await writer.write_one(kafka_log, [placed])

    answer = await api.get(PATH, customer_id="c-new")

    assert [orjson.loads(line).get("order_id") for line in answer.content.splitlines()] == [
        order_id,
        None,
    ]


async def test_the_manifest_is_signed_with_the_key_of_the_settings(
    serve, log_settings, order_ids, monkeypatch, tmp_path: Path
):
    make_key(tmp_path / "key")
    monkeypatch.setenv("ORDERLOG_AUDIT_KEY_FILE", str(tmp_path / "key"))
    async with serve(log=log_settings) as api:
        answer = await api.get(PATH)

    stamp = orjson.loads(answer.content.splitlines()[-1])["manifest"]["stamp"]
    assert stamp["public_key"] == public_hex(private_key(tmp_path / "key").public_key())


def test_a_key_that_cannot_be_read_is_said_at_the_start(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("ORDERLOG_AUDIT_KEY_FILE", str(tmp_path / "nowhere"))

    with pytest.raises(KeyRefused):
        create_app()
