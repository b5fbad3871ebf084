"""What is sent is the folder: as lines or as a tar, piece by piece; a file of lines verifies."""

import io
import os
import random
import tarfile
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from audit.evidence.signing import make_key, private_key
from audit.export import Request, export, planned
from audit.findings import Kind
from audit.manifest import Encoding
from audit.sending import Form, Lines, Tar, sent
from audit.unpacking import verify_sent
from audit.verify import Trusted
from eventlog.memory import MemoryLog

REQUEST = Request(file_events_max=15)
MUTATIONS = 150


async def whole(log: MemoryLog, form: Form, request: Request = REQUEST, key=None) -> bytes:
    plan = await planned(log, request)
    return b"".join([piece async for piece in sent(log, plan, form, key)])


async def folder(log: MemoryLog, path: Path, request: Request = REQUEST, key=None) -> dict:
    await export(log, path, request, key=key)
    return {name: (path / name).read_bytes() for name in os.listdir(path)}  # noqa: PTH208


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
async def test_a_tar_is_the_folder_in_files_of_any_number(log, tmp_path: Path, format_):
    request = Request(encoding=Encoding(format=format_), file_events_max=15)
    make_key(tmp_path / "key")
    key = private_key(tmp_path / "key")

    raw = await whole(log, Tar(), request, key)

    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        members = tar.getmembers()
        found = {member.name: tar.extractfile(member).read() for member in members}
    assert found == await folder(log, tmp_path / "out", request, key)
    assert len(found) > 10
    assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in members} == {(0, 0, 0, "", 0o644)}
    assert members[-1].name == "manifest.json"


async def test_nothing_is_read_that_nobody_takes(log):
    """Back-pressure: a client that stops reading stops the reader."""
    asked = 0
    real = log.read

    async def counted(partition, start, end):
        nonlocal asked
        async for batch in real(partition, start, end):
            asked += 1
            yield batch

    log.read = counted
    plan = await planned(log, REQUEST)
    async with aclosing(sent(log, plan, Lines())) as pieces:
        await anext(pieces)

        assert asked == 1


@pytest.mark.parametrize("form", [Lines, Tar])
async def test_what_is_left_early_has_no_manifest_and_lets_go(log, form):
    sending, closed = form(), []
    real = log.read

    async def closing(partition, start, end):
        try:
            async for batch in real(partition, start, end):
                yield batch
        finally:
            closed.append(partition)

    log.read = closing
    pieces = sent(log, await planned(log, REQUEST), sending)
    taken = await anext(pieces) + await anext(pieces)
    await pieces.aclose()

    assert b"manifest" not in taken
    assert closed[-1] in {0, 1}


def check(path: Path):
    return verify_sent(path, Trusted(), lambda _done, _total: None, 1)


@pytest.fixture
async def lines(log, tmp_path: Path) -> Path:
    path = tmp_path / "trail.jsonl"
    path.write_bytes(await whole(log, Lines()))
    return path


async def test_a_file_of_lines_is_verified_as_it_is(lines):
    verdict = check(lines)

    assert (verdict.findings, verdict.events, verdict.orders) == ((), 150, 30)


def test_the_command_takes_it_too(run, lines):
    valid = run("verify", lines)
    assert valid.exit_code == 0, valid.output
    assert f"valid: 150 events of 30 orders in {lines}" in valid.stdout

    lines.write_bytes(lines.read_bytes()[:-1_000])
    cut = run("verify", lines)
    assert cut.exit_code == 5
    assert "trail.jsonl: truncated: trail.jsonl does not end with a manifest" in cut.stdout


def _without(raw: list[bytes], at: int) -> list[bytes]:
    return raw[:at] + raw[at + 1 :]


@pytest.mark.parametrize(
    ("attack", "kinds"),
    [
        (lambda raw: raw[:-1], {Kind.TRUNCATED}),
        (lambda raw: _without(raw, 70), set(Kind)),
        (lambda raw: [*raw[:-1], raw[5], raw[-1]], set(Kind)),
        (lambda raw: [raw[1], raw[0], *raw[2:]], set(Kind)),
        (lambda raw: [*raw, b"\n"], {Kind.TRUNCATED}),
        (lambda raw: [*raw[:-1], raw[-1].replace(b'"events":150', b'"events":151')], set(Kind)),
        (lambda raw: [*raw[:-1], raw[-1].replace(b'"manifest":', b'"manifest": ')], set(Kind)),
        (
            lambda raw: [*raw[:-1], raw[-1].replace(b'"descriptors":"C', b'"descriptors":"D')],
            set(Kind),
        ),
        (lambda raw: raw[-1:], set(Kind)),
        (lambda _: [], {Kind.TRUNCATED}),
        (lambda _: [b"{}\n"], {Kind.TRUNCATED}),
        (lambda _: [b"\x00" * 5_000], {Kind.TRUNCATED}),
        (lambda raw: [b"".join(raw).replace(b"\n", b"\r\n")], set(Kind)),
    ],
)
async def test_a_changed_file_of_lines_is_found_out(lines, attack: Callable, kinds):
    raw = lines.read_bytes().splitlines(keepends=True)
    lines.write_bytes(b"".join(attack(raw)))

    verdict = check(lines)

    assert verdict.findings
    assert verdict.findings[0].kind in kinds


@pytest.mark.parametrize("seed", range(3))
async def test_any_byte_that_is_changed_removed_or_added_is_found(lines, seed):
    chance, raw = random.Random(seed), lines.read_bytes()
    for _ in range(MUTATIONS // 3):
        at = chance.randrange(len(raw))
        byte = bytes([raw[at] ^ (1 << chance.randrange(8))])
        inserted = bytes([chance.randrange(256)])
        changed = chance.choice(
            [
                raw[:at] + byte + raw[at + 1 :],
                raw[:at] + raw[at + 1 :],
                raw[:at] + inserted + raw[at:],
                raw[:at],
            ]
        )
        lines.write_bytes(changed)

        assert check(lines).findings, (seed, at)
