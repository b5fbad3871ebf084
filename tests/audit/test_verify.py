"""Whatever is done to an export is found; what was not touched gives no alarm."""

import random
import shutil
from pathlib import Path

import orjson
import pytest

from audit.export import Request, export
from audit.manifest import Filter, Manifest, parse
from audit.verify import Verdict, verify
from eventlog.memory import MemoryLog

from .attacks import (
    ON_EVENTS,
    ON_FILES,
    files,
    insert_event,
    read,
    remove_line,
    repeat_line,
    rewrite_event,
)


def test_an_untouched_export_gives_no_alarm(whole: Path):
    assert verify(whole) == Verdict(parse(whole / "manifest.json"), 150, 30, ())


@pytest.mark.parametrize("change", [*ON_EVENTS, *ON_FILES], ids=lambda change: change.__name__)
def test_whatever_is_changed_is_found(change, whole: Path, tmp_path: Path):
    for seed in range(25):
        path = Path(shutil.copytree(whole, tmp_path / str(seed)))
        change(random.Random(f"{change.__name__}{seed}"), path)

        assert not verify(path).is_valid, f"{change.__name__} with seed {seed} was not found"


@pytest.mark.parametrize("change", ON_EVENTS, ids=lambda change: change.__name__)
def test_an_attacker_who_makes_hashes_of_files_right_is_found(
    change, whole: Path, tmp_path: Path, reseal
):
    """And the first finding names an event, unless the last ones of a partition are gone."""
    for seed in range(25):
        path = Path(shutil.copytree(whole, tmp_path / str(seed)))
        change(random.Random(f"{change.__name__}{seed}"), path)
        try:
            reseal(path)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue  # The change itself made the file too odd to be made right.
        verdict = verify(path)

        assert not verdict.is_valid, f"{change.__name__} with seed {seed} was not found"
        what = verdict.findings[0]
        assert what.line is not None or "lead to head" in what.what, str(what)


@pytest.mark.parametrize("change", [remove_line, rewrite_event, repeat_line, insert_event])
def test_the_orders_own_chain_is_left_when_all_other_hashes_are_made_right(
    change, whole: Path, tmp_path: Path, reseal
):
    """Only the last event of an order has no successor that betrays the change."""
    for seed in range(25):
        path = Path(shutil.copytree(whole, tmp_path / str(seed)))
        chance = random.Random(f"{change.__name__}{seed}")
        change(chance, path)
        reseal(path, heads=True)
        touched = _last_touched(whole, path)
        verdict = verify(path)

        assert verdict.is_valid == touched, f"{change.__name__} with seed {seed}"
        assert not verify(path, earlier=parse(whole / "manifest.json")).is_valid


def _last_touched(whole: Path, path: Path) -> bool:
    """Tell whether only last events of orders differ between the two exports."""
    before, after = _versions(whole), _versions(path)
    for order_id, hashes in before.items():
        now = after.get(order_id, [])
        if now != hashes and now[: len(hashes) - 1] != hashes[:-1]:
            return False
        if len(now) > len(hashes):
            return False
    return True


def _versions(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in files(path):
        for line in read(file):
            said = orjson.loads(line)
            found.setdefault(said["order_id"], []).append(said["hash"])
    return found


def test_the_broken_event_is_named(copy: Path):
    file = files(copy)[0]
    lines = read(file)
    said = orjson.loads(lines[4])
    lines[4] = lines[4].replace(said["command_id"].encode(), b"another", 1)
    file.write_bytes(b"".join(lines))

    finding = verify(copy).findings[0]

    assert (finding.file, finding.line) == (file.name, 5)
    assert (finding.order_id, finding.version) == (said["order_id"], said["version"])
    assert (finding.partition, finding.offset) == (said["partition"], said["offset"])
    assert "`command_id`" in finding.what
    assert str(finding).startswith(f"{file.name}:5: order {said['order_id']}, version ")


def test_a_missing_version_is_told_by_its_successor(copy: Path):
    file, at = next(
        (file, at)
        for file in files(copy)
        for at, line in enumerate(read(file))
        if orjson.loads(line)["version"] == 2
    )
    lines = read(file)
    gone = orjson.loads(lines.pop(at))
    file.write_bytes(b"".join(lines))

    found = [f for f in verify(copy).findings if f.order_id == gone["order_id"] and f.version == 3]

    assert "follows version 1" in found[0].what


def test_bytes_that_are_no_export_are_findings_and_no_crash(copy: Path):
    chance = random.Random(3)
    for file in files(copy):
        file.write_bytes(chance.randbytes(2000) + b"\n[]\n{}\n" + b'{"offset":true}\n')

    assert not verify(copy).is_valid


def test_a_folder_without_manifest_is_unfinished(tmp_path: Path):
    assert "not finished" in verify(tmp_path).findings[0].what


async def test_events_before_a_time_are_not_missed(log: MemoryLog, tmp_path: Path, whole: Path):
    times = sorted(orjson.loads(line)["recorded_at_us"] for f in files(whole) for line in read(f))
    await export(log, tmp_path / "out", Request(Filter(from_us=times[75])))
    assert verify(tmp_path / "out").is_valid

    file = files(tmp_path / "out")[0]
    file.write_bytes(b"".join(read(file)[1:]))

    assert not verify(tmp_path / "out").is_valid


async def test_a_later_export_contains_an_earlier_one(log: MemoryLog, tmp_path: Path, writer):
    earlier = await export(log, tmp_path / "one", Request())
    await writer.write(log, 9)
    later = await export(log, tmp_path / "two", Request())

    assert verify(tmp_path / "two", earlier=earlier).is_valid
    assert not verify(tmp_path / "one", earlier=later).is_valid


async def test_a_log_made_anew_is_told_from_the_earlier_one(log: MemoryLog, tmp_path: Path, writer):
    """Valid in itself: every hash was computed afresh. Only the kept manifest tells."""
    earlier = await export(log, tmp_path / "one", Request())
    other = MemoryLog(partitions=4)
    await writer.write(other, 60)
    await export(other, tmp_path / "two", Request())

    assert verify(tmp_path / "two").is_valid
    assert "the past was changed" in verify(tmp_path / "two", earlier=earlier).findings[0].what


def test_an_export_of_another_release_may_lack_fields_that_are_empty(copy: Path, reseal):
    said = orjson.loads((copy / "manifest.json").read_bytes())
    said["tool"]["version"] = "0.0.1"
    (copy / "manifest.json").write_bytes(
        Manifest.model_validate_json(orjson.dumps(said)).sealed().dump()
    )
    for file in files(copy):
        lines = [orjson.loads(line) for line in read(file)]
        for line in lines:
            line["data"] = {name: v for name, v in line["data"].items() if v is not None}
        file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    reseal(copy)
    assert verify(copy).is_valid

    file = files(copy)[0]
    lines = read(file)
    lines[0] = lines[0].replace(b'"customer_id":"c-', b'"customer_id":"d-')
    file.write_bytes(b"".join(lines))
    reseal(copy)

    assert verify(copy).findings[0].line == 1
