import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from audit.export import ExportFailed, Request, export
from audit.filters import Filter
from audit.folder import FolderRefused
from audit.manifest import Encoding, Manifest, parse
from audit.verify import verify
from eventlog.codec import decode, is_event
from eventlog.log import Batch, EventLog, LogUnavailable, Record, Undecodable
from eventlog.memory import MemoryLog

SMALL = Request(file_events_max=15)
ENCODINGS = [
    Encoding(format="jsonl"),
    Encoding(format="jsonl", compression="zstd"),
    Encoding(format="csv"),
    Encoding(format="csv", compression="zstd"),
    Encoding(format="parquet"),
]
OF_ONE_CUSTOMER = Filter(customer_id="c-1", from_version=2)


def lines_of(path: Path) -> list[dict[str, object]]:
    return [
        orjson.loads(line)
        for file in parse(path / "manifest.json").files
        for line in (path / file.name).read_bytes().splitlines()
    ]


def content(path: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in path.iterdir()}


class Stopping:
    """A log whose reading stops after some records, as a process that is interrupted does."""

    def __init__(self, log: MemoryLog, records_max: int, error: type[BaseException]) -> None:
        self._log = log
        self._left = records_max
        self._error = error

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[Batch]:
        async for batch in self._log.read(partition, start, end):
            for record in batch.records:
                if self._left == 0:
                    raise self._error("stopped")
                self._left -= 1
                yield Batch(partition, (record,), record.offset + 1)


async def test_every_event_is_there_as_it_is_stored(log: MemoryLog, tmp_path: Path):
    manifest = await export(log, tmp_path / "out", SMALL)

    stored = [r for p in range(4) for r in log.records(p) if is_event(r.key)]
    lines = lines_of(tmp_path / "out")
    assert [(line["partition"], line["offset"]) for line in lines] == [
        (record.partition, record.offset) for record in stored
    ]
    assert [line["hash"] for line in lines] == [
        hashlib.sha256(record.value or b"").hexdigest() for record in stored
    ]
    assert [(line["order_id"], line["version"], line["type"]) for line in lines] == [
        (recorded.order_id, recorded.version, recorded.type) for recorded in map(decode, stored)
    ]
    assert manifest.events == len(stored) == 150
    assert [entry.end_offset for entry in manifest.partitions] == [
        await log.end(partition) for partition in range(4)
    ]
    assert verify(tmp_path / "out").is_valid


async def test_the_folder_holds_the_files_and_nothing_else(log: MemoryLog, tmp_path: Path):
    manifest = await export(log, tmp_path / "out", SMALL)

    assert {entry.name for entry in (tmp_path / "out").iterdir()} == {
        "manifest.json",
        "events.binpb",
        *(file.name for file in manifest.files),
    }
    assert len(manifest.files) > 4
    for file in manifest.files:
        raw = (tmp_path / "out" / file.name).read_bytes()
        assert (file.bytes, file.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
        assert file.events == raw.count(b"\n") <= 15


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.suffix)
async def test_twice_is_the_same_to_the_byte(log: MemoryLog, tmp_path: Path, encoding: Encoding):
    request = Request(encoding=encoding, file_events_max=15)
    await export(log, tmp_path / "one", request)
    await export(log, tmp_path / "two", request)

    assert content(tmp_path / "one") == content(tmp_path / "two")


async def test_an_old_range_is_exported_again_when_the_log_has_grown(
    log: MemoryLog, tmp_path: Path, writer
):
    first = await export(log, tmp_path / "one", SMALL)
    await writer.write(log, 10)
    ends = {entry.partition: entry.end_offset for entry in first.partitions}

    await export(log, tmp_path / "two", Request(file_events_max=15, ends=ends))

    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.parametrize(
    ("encoding", "chosen", "records_max"),
    [
        *((ENCODINGS[0], Filter(), records_max) for records_max in (0, 1, 14, 15, 16, 75, 140)),
        *((encoding, Filter(), 40) for encoding in ENCODINGS[1:]),
        *((ENCODINGS[4], OF_ONE_CUSTOMER, records_max) for records_max in (15, 40, 140)),
    ],
    ids=str,
)
async def test_an_interrupted_export_goes_on_over_the_range_it_began_with(
    log: MemoryLog, tmp_path: Path, writer, encoding: Encoding, chosen: Filter, records_max: int
):
    request = Request(chosen, encoding, file_events_max=15 if chosen.is_whole else 2)
    await export(log, tmp_path / "undisturbed", request)
    with pytest.raises(LogUnavailable):
        await export(Stopping(log, records_max, LogUnavailable), tmp_path / "out", request)
    assert not (tmp_path / "out" / "manifest.json").exists()
    await writer.write(log, 5)

    await export(log, tmp_path / "out", request)

    assert content(tmp_path / "out") == content(tmp_path / "undisturbed")


async def test_finished_files_are_not_read_again(log: MemoryLog, tmp_path: Path):
    with pytest.raises(LogUnavailable):
        await export(Stopping(log, 120, LogUnavailable), tmp_path / "out", SMALL)

    await export(Stopping(log, 70, LogUnavailable), tmp_path / "out", SMALL)

    assert verify(tmp_path / "out").is_valid


async def test_a_kill_between_manifest_and_clean_up_loses_nothing(log: MemoryLog, tmp_path: Path):
    with pytest.raises(LogUnavailable):
        await export(Stopping(log, 140, LogUnavailable), tmp_path / "out", SMALL)
    progress = (tmp_path / "out" / "progress.json").read_bytes()
    await export(log, tmp_path / "out", SMALL)
    before = content(tmp_path / "out")
    (tmp_path / "out" / "progress.json").write_bytes(progress)

    await export(log, tmp_path / "out", SMALL)

    assert content(tmp_path / "out") == before


async def test_another_export_in_the_same_folder_is_refused(log: MemoryLog, tmp_path: Path):
    (tmp_path / "out").mkdir()
    holder = os.open(tmp_path / "out", os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    try:
        with pytest.raises(FolderRefused, match="another export is writing"):
            await export(log, tmp_path / "out", SMALL)
    finally:
        os.close(holder)


async def test_a_folder_with_other_things_is_left_alone(log: MemoryLog, tmp_path: Path):
    (tmp_path / "letter.txt").write_text("dear")
    (tmp_path / "film.mp4.partial").write_text("half")

    with pytest.raises(FolderRefused, match="not empty"):
        await export(log, tmp_path, SMALL)

    assert content(tmp_path) == {"letter.txt": b"dear", "film.mp4.partial": b"half"}


async def test_a_finished_export_is_left_alone(log: MemoryLog, whole: Path):
    before = content(whole)

    with pytest.raises(FolderRefused, match="already holds a finished export"):
        await export(log, whole, SMALL)

    assert content(whole) == before


async def test_a_file_in_the_place_of_the_folder_is_refused(log: MemoryLog, tmp_path: Path):
    (tmp_path / "out").write_text("a file")

    with pytest.raises(FolderRefused, match="is a file"):
        await export(log, tmp_path / "out", SMALL)


async def test_an_export_begun_with_other_options_is_not_gone_on_with(
    log: MemoryLog, tmp_path: Path
):
    with pytest.raises(LogUnavailable):
        await export(Stopping(log, 60, LogUnavailable), tmp_path / "out", SMALL)

    with pytest.raises(FolderRefused, match="with other options"):
        await export(log, tmp_path / "out", Request(Filter(from_us=5), file_events_max=15))
    with pytest.raises(FolderRefused, match="in another format"):
        await export(log, tmp_path / "out", Request(encoding=ENCODINGS[2], file_events_max=15))
    with pytest.raises(FolderRefused, match="over another range"):
        await export(log, tmp_path / "out", Request(ends={0: 1}, file_events_max=15))


async def test_a_file_that_changed_in_between_is_not_built_upon(log: MemoryLog, tmp_path: Path):
    with pytest.raises(LogUnavailable):
        await export(Stopping(log, 60, LogUnavailable), tmp_path / "out", SMALL)
    first = next((tmp_path / "out").glob("events-*.jsonl"))
    first.write_bytes(first.read_bytes()[:-5])

    with pytest.raises(FolderRefused, match="was changed since"):
        await export(log, tmp_path / "out", SMALL)


async def test_an_empty_log_is_an_export_too(tmp_path: Path):
    manifest = await export(MemoryLog(partitions=4), tmp_path / "out", SMALL)

    assert (manifest.events, manifest.files) == (0, ())
    assert verify(tmp_path / "out").is_valid


async def test_an_event_of_a_later_release_stops_the_export(log: MemoryLog, tmp_path: Path):
    log.commit(2, [Record(b"0193/0000000001", b"\xff\xff")])

    with pytest.raises(Undecodable, match="partition 2"):
        await export(log, tmp_path / "out", SMALL)

    assert not (tmp_path / "out" / "manifest.json").exists()


async def test_a_range_beyond_the_log_is_refused(log: MemoryLog, tmp_path: Path):
    with pytest.raises(ExportFailed, match="does not reach"):
        await export(log, tmp_path / "out", Request(ends={1: 10_000}))


async def test_the_export_of_a_real_log_is_valid(kafka_log: EventLog, tmp_path: Path, writer):
    await writer.write(kafka_log, 12)

    manifest = await export(kafka_log, tmp_path / "one", SMALL)
    await export(kafka_log, tmp_path / "two", SMALL)

    assert manifest.events == 60
    assert verify(tmp_path / "one").is_valid
    assert content(tmp_path / "one") == content(tmp_path / "two")


async def test_progress_reaches_the_end(log: MemoryLog, tmp_path: Path):
    seen: list[tuple[int, int]] = []

    await export(log, tmp_path / "out", SMALL, lambda done, total: seen.append((done, total)))

    assert seen == sorted(seen)
    assert {total for _, total in seen} == {sum([await log.end(p) for p in range(4)])}
    assert seen[-1][0] == seen[-1][1]


def test_the_manifest_survives_its_own_form(whole: Path):
    manifest = parse(whole / "manifest.json")

    assert Manifest.model_validate_json(manifest.dump()).stamped() == manifest
    assert manifest.contradictions() == []
