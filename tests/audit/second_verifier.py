"""Verifies exports (JSON lines) and heads; written from docs/audit-format.md alone."""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

MANIFEST = "tool log filter encoding descriptors file_events_max events root_hash partitions files"
NAMED = "tenant_id order_id version occurred_at_us recorded_at_us command_id fingerprint"
CAUSED = "correlation_id causation_id reason actor prev_hash command_index command_size"
ROOT, ROOTED = "tool log events root_hash", {"format": "orderlog-root/1"}
BY_EVENT = ("actor_kind", "actor_id", "correlation_id", "causation_id", "reason")


def sha256(*data):
    return hashlib.sha256(b"".join(data)).digest()


def dumped(value, **options):
    return json.dumps(value, ensure_ascii=False, **options).encode()


def canonical(value, **options):
    return dumped(value, separators=(",", ":"), **{"sort_keys": True, **options})


def document(path, form, fields, signed, pem, is_own=True):
    raw = Path(path).read_bytes()
    said = json.loads(raw)
    assert raw == dumped(said, indent=2) + b"\n", f"{path} is not as it is written"
    assert [*said] == ["format", *fields.split(), "stamp"], f"the fields of {path}"
    assert said["format"] == form, f"the format of {path}"
    stamp = said["stamp"]
    assert [*stamp] == ["content_sha256", "public_key", "signature"], "the fields of the stamp"
    content = canonical({name: value for name, value in said.items() if name != "stamp"})
    assert not is_own or sha256(content).hex() == stamp["content_sha256"], "content_sha256"
    if pem is not None:
        key = load_pem_public_key(Path(pem).read_bytes()).public_bytes_raw().hex()
        assert stamp["public_key"] == key, "not signed with the trusted key"
    if stamp["public_key"] is not None or stamp["signature"] is not None:
        statement = {name: said[name] for name in signed.split()} | {"format": form}
        statement |= {"content_sha256": stamp["content_sha256"]}
        statement |= ROOTED if signed else {}
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(stamp["public_key"]))
        key.verify(bytes.fromhex(stamp["signature"]), canonical(statement))
    return said


def event_type(path):
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(Path(path).read_bytes()).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("orders.v1.Event"))


def decoded(value):
    if not hasattr(value, "DESCRIPTOR"):
        return value
    fields = {}
    for field in value.DESCRIPTOR.fields:
        part = getattr(value, field.name)
        if field.is_repeated:
            fields[field.name] = [decoded(one) for one in part]
        else:
            is_unset = field.has_presence and not value.HasField(field.name)
            fields[field.name] = None if is_unset else decoded(part)
    return fields.pop("sealed", None) or fields


def described(kind, said):
    stored = base64.b64decode(said["stored"])
    event = kind.FromString(stored)
    body = getattr(event, event.WhichOneof("body"))
    line = {name: said[name] for name in ("partition", "offset")} | {"hash": sha256(stored).hex()}
    line |= {"event_id": event.event_id, "type": body.DESCRIPTOR.name}
    for name in f"{NAMED} {CAUSED}".split():
        value = getattr(event, name)
        line[name] = value.hex() if isinstance(value, bytes) else decoded(value)
    return {**line, "data": decoded(body), "stored": base64.b64encode(stored).decode()}


def leaf(line):
    place = [line[name].to_bytes(8, "big") for name in ("partition", "offset")]
    return sha256(b"\0", *place, bytes.fromhex(line["hash"]))


def root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256()
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1", root(leaves[:left]), root(leaves[left:]))


def takes(chosen, line):
    flat = line | {f"actor_{name}": value for name, value in line["actor"].items()}
    first = line["version"] == 1
    flat["customer_id"] = line["data"].get("customer_id") if first else chosen["customer_id"]
    exact = [name for name in chosen if not name.startswith(("from_", "to_", "reason"))]
    recorded, version = line["recorded_at_us"], line["version"]
    us = chosen["from_us"], chosen["to_us"]
    versions = chosen["from_version"], chosen["to_version"]
    assert all(chosen[name] in (None, flat[name]) for name in exact), "the filter"
    assert (chosen["reason"] or "") in line["reason"], "the filter of reasons"
    assert (us[0] or recorded) <= recorded < (us[1] or recorded + 1), "the filter of times"
    assert (versions[0] or 1) <= version <= (versions[1] or version), "the filter of versions"


def verify(folder, head=None, pem=None):
    said = document(folder / "manifest.json", "orderlog-audit/1", MANIFEST, ROOT, pem)
    raw, files = (folder / "events.binpb").read_bytes(), said["files"]
    described_as = ["events.binpb", len(raw), sha256(raw).hex()]
    assert [*said["descriptors"].values()] == described_as, "events.binpb is another one"
    there = {path.name for path in folder.glob("events-*") if path.suffix != ".partial"}
    assert {file["name"] for file in files} == there, "files are missing, or there are others"
    known = {} if head is None else known_from(head, said, pem)
    kind, leaves = event_type(folder / "events.binpb"), []
    for entry in said["partitions"]:
        leaves += walk(kind, folder, said, entry, known.get(entry["partition"]))
    assert (len(leaves), root(leaves).hex()) == (said["events"], said["root_hash"]), "the root"
    assert said["filter"]["order_id"] or [*said["log"].values()][-1] == len(said["partitions"])


def known_from(head, manifest, pem):
    form = ("orderlog-audit/1", MANIFEST, ROOT)
    if b'"orderlog-head/1"' in Path(head).read_bytes():
        form = ("orderlog-head/1", "log events partitions", "")
    said, chosen = document(head, *form, pem), manifest["filter"]
    assert said["log"] == manifest["log"], "another log"
    assert said.get("filter", dict.fromkeys(chosen)) == chosen, "another filter"
    assert sum(one["events"] for one in said["partitions"]) == said["events"], "the sum of events"
    return {one["partition"]: one for one in said["partitions"]}


def walk(kind, folder, said, entry, known):
    log, chosen, partition = said["log"], said["filter"], entry["partition"]
    names = [said["format"], *(log[k] for k in ("cluster_id", "topic", "topic_id")), str(partition)]
    head = before_known = sha256("\n".join(names).encode())
    leaves, orders, offsets, known_events = [], {}, [], 0
    files = [file for file in said["files"] if file["partition"] == partition]
    for number, file in enumerate(files, 1):
        raw = (folder / file["name"]).read_bytes()
        lines = raw.splitlines(keepends=True)
        for text in lines:
            line = described(kind, json.loads(text))
            offset, version = line["offset"], line["version"]
            head = sha256(head, offset.to_bytes(8, "big"), bytes.fromhex(line["hash"]))
            again = canonical({**line, "head": head.hex()}, sort_keys=False) + b"\n"
            assert text == again, f"the stored bytes at offset {offset} say something else"
            assert line["partition"] == partition, f"offset {offset} is of another partition"
            assert max(offsets[-1:], default=-1) < offset < entry["end_offset"], "the order"
            takes(chosen, line)
            before, value_hash = orders.get(line["order_id"], (0, "0" * 64))
            begins = chosen["from_us"] is not None or version == chosen["from_version"]
            skips = any(chosen[name] for name in BY_EVENT) or (before == 0 and begins)
            assert version == before + 1 or (version > before and skips), "events are missing"
            assert version != before + 1 or line["prev_hash"] == value_hash, "`prev_hash`"
            orders[line["order_id"]] = (version, line["hash"])
            leaves.append(leaf(line))
            offsets.append(offset)
            if known and offset < known["end_offset"]:
                before_known, known_events = head, known_events + 1
        mine = offsets[-len(lines) :]
        room = said["file_events_max"] - len(mine)
        assert room == 0 or (number == len(files) and room > 0), "cut into other files"
        name = f"events-{partition:04d}-{number:06d}.jsonl"
        again = [name, partition, len(mine), mine[0], mine[-1], len(raw), sha256(raw).hex()]
        assert [*file.values()] == again, f"{file['name']} is not as the manifest says"
    first, last = (offsets[0], offsets[-1]) if offsets else (None, None)
    again = [partition, entry["start_offset"], entry["end_offset"], len(offsets), first, last]
    assert [*entry.values()] == [*again, head.hex()], f"partition {partition}: the manifest"
    if known:
        assert entry["end_offset"] >= known["end_offset"], "cut off before the head"
        assert (known_events, before_known.hex()) == (known["events"], known["head_hash"]), "forked"
    return leaves
