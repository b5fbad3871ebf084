"""Keys, signed heads, and proofs of one event."""

import stat
from pathlib import Path

import orjson
import pytest

from audit.evidence.heads import Head, HeadRefused, read_head
from audit.evidence.proofs import ProofRefused, prove, verify_proof
from audit.evidence.signing import (
    DocumentError,
    KeyRefused,
    make_key,
    private_key,
    public_hex,
    public_key,
    read_document,
)
from audit.export import Request, export
from audit.filters import Filter
from audit.manifest import parse
from audit.verify import Trusted, verify
from eventlog.log import LogIdentity, Record, Undecodable
from eventlog.memory import MemoryLog

from .forging import Opened


@pytest.fixture
def key(keys):
    return private_key(keys[0])


@pytest.fixture
def pem(keys) -> str:
    return public_key(keys[1])


def test_a_key_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path):
    pem = make_key(tmp_path / "audit.key")
    before = (tmp_path / "audit.key").read_bytes()

    assert stat.S_IMODE((tmp_path / "audit.key").stat().st_mode) == 0o600
    assert before.startswith(b"-----BEGIN PRIVATE KEY-----")
    (tmp_path / "audit.pub").write_text(pem)
    signer = private_key(tmp_path / "audit.key")
    assert public_key(tmp_path / "audit.pub") == public_hex(signer.public_key())
    with pytest.raises(KeyRefused, match="left as it is"):
        make_key(tmp_path / "audit.key")
    assert (tmp_path / "audit.key").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "odd").write_bytes(content)

    with pytest.raises(KeyRefused):
        private_key(tmp_path / "odd")
    with pytest.raises(KeyRefused):
        public_key(tmp_path / "odd")
    with pytest.raises(KeyRefused, match="there is no nowhere"):
        private_key(tmp_path / "nowhere")


def test_a_private_key_is_no_public_key(keys):
    with pytest.raises(KeyRefused):
        public_key(keys[0])
    with pytest.raises(KeyRefused):
        private_key(keys[1])


async def test_a_head_is_what_an_export_of_the_whole_log_says(log: MemoryLog, tmp_path: Path):
    manifest = await export(log, tmp_path / "out", Request())
    head = await read_head(log)

    assert head.events == manifest.events
    assert [(e.partition, e.end_offset, e.events, e.head_hash) for e in head.partitions] == [
        (e.partition, e.end_offset, e.events, e.head_hash) for e in manifest.partitions
    ]


async def test_a_head_goes_on_from_an_earlier_one(log: MemoryLog, writer):
    earlier = await read_head(log)
    await writer.write(log, 9)
    read_from = []
    read = log.read

    def seen(partition: int, start: int, end: int):
        read_from.append(start)
        return read(partition, start, end)

    log.read = seen  # type: ignore[method-assign]
    later = await read_head(log, earlier)

    assert read_from == [entry.end_offset for entry in earlier.partitions]
    assert later == await read_head(log)
    assert later != earlier


async def test_a_head_does_not_go_on_in_another_or_shorter_log(log: MemoryLog, writer):
    head = await read_head(log)
    shorter = MemoryLog(partitions=4)
    await writer.write(shorter, 2)

    with pytest.raises(HeadRefused, match="cut off"):
        await read_head(shorter, head)

    async def identity() -> LogIdentity:
        return LogIdentity("memory", "orders.events", "made again", 4)

    shorter.identity = identity  # type: ignore[method-assign]
    with pytest.raises(HeadRefused, match="another log"):
        await read_head(shorter, head)


async def test_a_tombstone_is_in_no_head(log: MemoryLog):
    log.commit(1, [Record(b"0193/0000000001", None)])  # type: ignore[arg-type]

    with pytest.raises(Undecodable, match="partition 1"):
        await read_head(log)


async def test_the_same_head_is_signed_the_same(log: MemoryLog, tmp_path: Path, key, pem):
    head = await read_head(log)
    (tmp_path / "head.json").write_bytes(head.stamped(key).dump())

    assert head.stamped(key).dump() == (tmp_path / "head.json").read_bytes()
    assert read_document(tmp_path / "head.json", Head) == head.stamped(key)
    assert head.stamped(key).stamp.public_key == pem


async def test_an_export_is_held_against_an_earlier_head(
    log: MemoryLog, tmp_path: Path, writer, key, pem
):
    (tmp_path / "head.json").write_bytes((await read_head(log)).stamped(key).dump())
    trusted = Trusted(tmp_path / "head.json", pem)
    await export(log, tmp_path / "one", Request(file_events_max=15), key=key)
    await writer.write(log, 9)
    await export(log, tmp_path / "two", Request(), key=key)

    assert verify(tmp_path / "one", trusted).findings == ()
    assert verify(tmp_path / "two", trusted).findings == ()

    opened = Opened(tmp_path / "one")
    opened.files[max(opened.files)].pop()
    opened.stamp(heads=True, key=key)

    assert "truncated" in {finding.kind for finding in verify(tmp_path / "one", trusted).findings}


async def test_a_head_of_another_log_or_form_is_told(log: MemoryLog, tmp_path: Path, whole: Path):
    head = await read_head(log)
    other = head.model_copy(update={"log": head.log.model_copy(update={"topic_id": "other"})})
    (tmp_path / "other.json").write_bytes(other.stamped().dump())
    (tmp_path / "unstamped.json").write_bytes(head.dump())
    (tmp_path / "text.json").write_text("[]")

    kinds = [
        verify(whole, Trusted(tmp_path / f"{name}.json")).findings[0].kind
        for name in ("other", "unstamped", "text")
    ]

    assert kinds == ["forked", "edited", "edited"]


def test_a_head_that_is_not_as_it_is_written_is_refused(tmp_path: Path):
    with pytest.raises(DocumentError, match="there is no"):
        read_document(tmp_path / "nowhere", Head)
    for raw in (b"{", b"{}", b"[1]", b'{"format":"orderlog-head/2"}', b"\xff"):
        (tmp_path / "odd").write_bytes(raw)
        with pytest.raises(DocumentError):
            read_document(tmp_path / "odd", Head)


async def test_every_event_can_be_proved_alone(log: MemoryLog, tmp_path: Path, key, pem):
    chosen = Request(Filter(from_version=2), file_events_max=4)
    manifest = await export(log, tmp_path / "out", chosen, key=key)
    rows = [row for rows in Opened(tmp_path / "out").files.values() for row in rows]
    trusted = Trusted(tmp_path / "out" / "manifest.json", pem)
    for index in (0, 1, 7, 8, len(rows) // 2, len(rows) - 1):
        proof = prove(tmp_path / "out", rows[index]["order_id"], rows[index]["version"])
        (tmp_path / "proof.json").write_bytes(proof.dump())

        assert verify_proof(tmp_path / "proof.json", trusted)[1] == []
        assert (proof.index, proof.events, proof.root_hash) == (
            index,
            len(rows),
            manifest.root_hash,
        )
        others = {row["order_id"] for row in rows} - {rows[index]["order_id"]}
        assert not any(one.encode() in proof.dump() for one in others)


def test_a_proof_of_another_event_is_found(whole: Path, tmp_path: Path):
    rows = [row for rows in Opened(whole).files.values() for row in rows]
    one, other = (prove(whole, rows[at]["order_id"], rows[at]["version"]) for at in (3, 4))
    swapped = one.model_copy(update={"event": other.event})
    (tmp_path / "proof.json").write_bytes(swapped.dump())

    finding = verify_proof(tmp_path / "proof.json", Trusted())[1][0]

    assert finding.order_id == rows[4]["order_id"]
    assert "does not lead from the event to the root" in finding.what


def test_a_proof_is_of_one_export_alone(whole: Path, tmp_path: Path, copy: Path):
    rows = next(iter(Opened(whole).files.values()))
    proof = prove(whole, rows[0]["order_id"], rows[0]["version"])
    (tmp_path / "proof.json").write_bytes(proof.dump())
    opened = Opened(copy)
    opened.files[max(opened.files)].pop()
    opened.stamp(heads=True)
    manifest = copy / "manifest.json"

    findings = verify_proof(tmp_path / "proof.json", Trusted(manifest, None))[1]

    assert [finding.kind for finding in findings] == ["forked"]
    unsigned = verify_proof(tmp_path / "proof.json", Trusted(None, "0" * 64))[1]
    assert [finding.kind for finding in unsigned] == ["bad-signature"]


def test_what_is_not_there_or_was_changed_is_not_proved(whole: Path, tmp_path: Path, copy: Path):
    rows = next(iter(Opened(whole).files.values()))
    order_id = rows[0]["order_id"]
    with pytest.raises(ProofRefused, match="version 99 of order"):
        prove(whole, order_id, 99)
    with pytest.raises(ProofRefused, match="there is no manifest"):
        prove(tmp_path, order_id, 1)

    file = copy / max(parse(copy / "manifest.json").files, key=lambda file: file.name).name
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(ProofRefused, match="was changed"):
        prove(copy, order_id, 1)
    said = orjson.loads(lines[-1])
    file.write_bytes(b"".join(lines[:-1]) + orjson.dumps(said | {"type": "Other"}) + b"\n")
    with pytest.raises(ProofRefused, match="was changed"):
        prove(copy, order_id, 1)
