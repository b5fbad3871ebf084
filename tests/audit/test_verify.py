"""What a finding says: which event is broken, and what was done to it."""

import random
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from audit.evidence.signing import private_key, public_key
from audit.export import Request, export
from audit.filters import Filter
from audit.manifest import parse
from audit.verify import Trusted, Verdict, verify
from eventlog.memory import MemoryLog

from .forging import Opened, Row, rewritten


def first(path: Path, trusted: Trusted | None = None) -> tuple[str, str]:
    finding = verify(path, trusted or Trusted()).findings[0]
    return finding.kind, finding.what


def full_file(opened: Opened) -> list[Row]:
    """The rows of a file that has as many as a file can have."""
    return next(rows for rows in opened.files.values() if len(rows) == 15)


def test_an_untouched_export_gives_no_alarm(whole: Path):
    assert verify(whole) == Verdict(parse(whole / "manifest.json"), 150, 30, ())


def test_several_processes_find_the_same(whole: Path, copy: Path):
    assert verify(whole, workers=2) == verify(whole, workers=1)

    for file in sorted(copy.glob("events-*")):
        raw = file.read_bytes()
        file.write_bytes(raw.replace(b'"tenant_id":"default"', b'"tenant_id":"another"', 1))

    assert verify(copy, workers=2) == verify(copy, workers=1)
    assert len(verify(copy, workers=2).findings) == 2 * len(list(copy.glob("events-*")))


def test_the_broken_event_is_named(copy: Path):
    file = min(copy.glob("events-*"))
    lines = file.read_bytes().splitlines(keepends=True)
    said = orjson.loads(lines[4])
    lines[4] = lines[4].replace(said["command_id"].encode(), b"another", 1)
    file.write_bytes(b"".join(lines))

    finding = verify(copy).findings[0]

    assert (finding.file, finding.row, finding.kind) == (file.name, 5, "edited")
    assert (finding.order_id, finding.version) == (said["order_id"], said["version"])
    assert (finding.partition, finding.offset) == (said["partition"], said["offset"])
    assert "`command_id`" in finding.what
    assert str(finding).startswith(f"{file.name}:5: edited: order {said['order_id']}, version ")


def test_the_part_of_the_data_that_was_edited_is_named(copy: Path):
    file = next(f for f in sorted(copy.glob("events-*")) if b"OrderPlaced" in f.read_bytes())
    file.write_bytes(file.read_bytes().replace(b'"currency":"EUR"', b'"currency":"USD"', 1))

    kind, what = first(copy)

    assert kind == "edited"
    assert '`data.currency` is "USD", but the stored bytes say "EUR"' in what


def remove(rows: list[Row]) -> None:
    del rows[5]


def repeat(rows: list[Row]) -> None:
    rows.insert(6, dict(rows[5]))


def repeat_later(rows: list[Row]) -> None:
    rows.insert(9, dict(rows[5]))


def swap(rows: list[Row]) -> None:
    rows[5], rows[6] = rows[6], rows[5]


def insert(rows: list[Row]) -> None:
    forged = rewritten(rows[5], lambda event: setattr(event, "command_id", "forged"))
    rows.insert(6, {**forged, "offset": rows[5]["offset"] + 1})


def edit_head(rows: list[Row]) -> None:
    rows[5]["head"] = rows[4]["head"]


@pytest.mark.parametrize(
    ("change", "kind", "row"),
    [
        (remove, "missing", 6),
        (repeat, "repeated", 7),
        (repeat_later, "reordered", 10),
        (swap, "reordered", 6),
        (insert, "inserted", 7),
        (edit_head, "edited", 6),
    ],
)
def test_what_was_done_is_told(
    copy: Path, change: Callable[[list[Row]], None], kind: str, row: int
):
    """One fault is one finding, unless it is between two events."""
    opened = Opened(copy)
    change(full_file(opened))
    opened.save()

    findings = [finding for finding in verify(copy).findings if finding.row is not None]

    assert (findings[0].kind, findings[0].row) == (kind, row)


def test_a_file_that_was_cut_is_truncated(copy: Path):
    opened = Opened(copy)
    name = max(opened.files)
    del opened.files[name][2:]
    opened.save()

    assert "truncated" in {finding.kind for finding in verify(copy).findings}


def test_a_cut_line_is_truncated(copy: Path):
    file = max(copy.glob("events-*"))
    file.write_bytes(file.read_bytes()[:-5])

    assert first(copy) == ("truncated", "the line is cut off")


def test_a_missing_version_is_told_by_its_successor(copy: Path):
    opened = Opened(copy)
    rows, at = next(
        (rows, at)
        for rows in opened.files.values()
        for at, row in enumerate(rows)
        if row["version"] == 2
    )
    gone = rows.pop(at)
    opened.save()

    found = [f for f in verify(copy).findings if f.order_id == gone["order_id"] and f.version == 3]

    assert found[0].kind == "missing"
    assert "follows version 1" in found[0].what


def test_files_that_are_missing_or_too_many_are_told(copy: Path):
    names = sorted(file.name for file in copy.glob("events-*"))
    (copy / names[-1]).rename(copy / "events-0003-000099.jsonl")

    findings = {(f.file, f.kind) for f in verify(copy).findings if f.row is None}

    assert (names[-1], "missing") in findings
    assert ("events-0003-000099.jsonl", "inserted") in findings


def test_another_schema_is_told(copy: Path):
    (copy / "events.binpb").write_bytes(b"")

    assert verify(copy).findings[0].file == "events.binpb"


@pytest.mark.parametrize("name", ["jsonl", "csv", "parquet"])
def test_bytes_that_are_no_export_are_findings_and_no_crash(copy: Path, name: str):
    chance = random.Random(3)
    said = (copy / "manifest.json").read_bytes().replace(b'"jsonl"', f'"{name}"'.encode())
    (copy / "manifest.json").write_bytes(said.replace(b'.jsonl"', f'.{name}"'.encode()))
    for file in list(copy.glob("events-*")):
        file.write_bytes(chance.randbytes(2000) + b'\n[]\n{}\n"\n,,\n' + b'{"offset":true}\n')
        file.rename(file.with_suffix(f".{name}"))

    assert len(verify(copy).findings) > 5


def test_a_folder_without_manifest_is_unfinished(tmp_path: Path):
    kind, what = first(tmp_path)

    assert kind == "missing"
    assert "not finished" in what


async def test_events_before_a_time_are_not_missed(log: MemoryLog, tmp_path: Path, whole: Path):
    times = sorted(row["recorded_at_us"] for rows in Opened(whole).files.values() for row in rows)
    await export(log, tmp_path / "out", Request(Filter(from_us=times[75])))
    assert verify(tmp_path / "out").is_valid

    opened = Opened(tmp_path / "out")
    del next(iter(opened.files.values()))[0]
    opened.save()

    assert not verify(tmp_path / "out").is_valid


async def test_a_later_export_contains_an_earlier_one(log: MemoryLog, tmp_path: Path, writer):
    await export(log, tmp_path / "one", Request())
    await writer.write(log, 9)
    await export(log, tmp_path / "two", Request())

    assert verify(tmp_path / "two", Trusted(tmp_path / "one" / "manifest.json")).is_valid
    kind, what = first(tmp_path / "one", Trusted(tmp_path / "two" / "manifest.json"))
    assert kind == "truncated"
    assert "was cut off" in what


async def test_a_log_made_anew_is_told_from_the_earlier_one(log: MemoryLog, tmp_path: Path, writer):
    """Valid in itself: every hash was computed afresh. Only the kept manifest tells."""
    await export(log, tmp_path / "one", Request())
    other = MemoryLog(partitions=4)
    await writer.write(other, 60)
    await export(other, tmp_path / "two", Request())

    assert verify(tmp_path / "two").is_valid
    kind, what = first(tmp_path / "two", Trusted(tmp_path / "one" / "manifest.json"))
    assert kind == "forked"
    assert "the past is another one" in what


async def test_a_filtered_export_is_not_held_against_the_whole(
    log: MemoryLog, tmp_path: Path, whole: Path
):
    await export(log, tmp_path / "out", Request(Filter(from_version=2)))

    kind, _ = first(tmp_path / "out", Trusted(whole / "manifest.json"))

    assert kind == "not-comparable"


async def test_whoever_signed_is_told(log: MemoryLog, tmp_path: Path, keys: tuple[Path, Path]):
    key, pem = private_key(keys[0]), public_key(keys[1])
    await export(log, tmp_path / "unsigned", Request())
    await export(log, tmp_path / "signed", Request(), key=key)

    assert verify(tmp_path / "unsigned").is_valid
    assert first(tmp_path / "unsigned", Trusted(None, pem)) == ("bad-signature", "it is not signed")
    assert verify(tmp_path / "signed", Trusted(None, pem)).is_valid
    kind, what = first(tmp_path / "signed", Trusted(None, "0" * 64))
    assert kind == "bad-signature"
    assert "with another key" in what


@pytest.mark.parametrize("is_same_release", [True, False])
def test_an_export_of_another_release_may_lack_fields_that_are_empty(
    copy: Path, is_same_release: bool
):
    opened = Opened(copy)
    if not is_same_release:
        opened.said["tool"]["version"] = "0.0.1"
    for rows in opened.files.values():
        for row in rows:
            data = orjson.loads(row["data"])
            row["data"] = orjson.dumps({n: v for n, v in data.items() if v is not None}).decode()
    opened.stamp(heads=False)

    assert verify(copy).is_valid != is_same_release

    rows = next(rows for rows in opened.files.values() if rows[0]["type"] == "OrderPlaced")
    rows[0]["data"] = rows[0]["data"].replace('"customer_id":"c-', '"customer_id":"d-')
    opened.stamp(heads=False)

    assert verify(copy).findings[0].row == 1
