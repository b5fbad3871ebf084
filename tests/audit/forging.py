"""An export taken apart into rows, and put together again as an attacker would."""

import base64
import csv
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pyarrow import parquet

from audit.evidence.merkle import Tree
from audit.formats.parquet import ParquetWriter
from audit.formats.sink import Compressing
from audit.lines import COLUMNS, first_head, leaf, next_head, restored, row
from audit.manifest import Encoding, Log, Manifest
from eventlog._gen.orders.v1.events_pb2 import Event

Row = dict[str, Any]
TEXTS = [name for name, kind in COLUMNS.items() if kind is str and name != "data"]


def rows_of(raw: bytes, encoding: Encoding) -> list[Row]:
    """Read a file without our readers; `data` is text, `stored` is bytes."""
    if encoding.compression:
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    if encoding.format == "parquet":
        return parquet.read_table(pa.BufferReader(raw)).to_pylist()
    if encoding.format == "jsonl":
        return [_flat(orjson.loads(line)) for line in raw.splitlines()]
    rows = list(csv.DictReader(io.StringIO(raw.decode(), newline="")))
    for one in rows:
        for name, kind in COLUMNS.items():
            if kind is int:
                one[name] = int(one[name])
            elif name in TEXTS and one[name].startswith("'"):
                one[name] = one[name][1:]
        one["stored"] = base64.b64decode(one["stored"])
    return rows


def _flat(said: Row) -> Row:
    actor = said.pop("actor")
    said |= {"actor_kind": actor["kind"], "actor_id": actor["id"]}
    said["data"] = orjson.dumps(said["data"]).decode()
    said["stored"] = base64.b64decode(said["stored"])
    return {name: said[name] for name in COLUMNS}


def bytes_of(rows: list[Row], encoding: Encoding) -> bytes:
    """Write rows as a file, without our writers of JSON lines and CSV."""
    out = io.BytesIO()
    if encoding.format == "parquet":
        writer = ParquetWriter(out)
        writer._rows = [tuple(one[name] for name in COLUMNS) for one in rows]
        writer.close()
        return out.getvalue()
    raw = _json_lines(rows) if encoding.format == "jsonl" else _csv(rows)
    if not encoding.compression:
        return raw
    frame = Compressing(out)
    frame.write(raw)
    frame.close()
    return out.getvalue()


def _json_lines(rows: list[Row]) -> bytes:
    return b"".join(orjson.dumps(_nested(one)) + b"\n" for one in rows)


def _nested(one: Row) -> Row:
    said: Row = {}
    for name, value in one.items():
        if name == "actor_kind":
            said["actor"] = {"kind": value, "id": one["actor_id"]}
        elif name == "data":
            said["data"] = orjson.loads(value)
        elif name == "stored":
            said["stored"] = base64.b64encode(value).decode()
        elif name != "actor_id":
            said[name] = value
    return said


def _csv(rows: list[Row]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in rows:
        cells = {**one, "stored": base64.b64encode(one["stored"]).decode()}
        for name in TEXTS:
            if str(cells[name]).startswith(("=", "+", "-", "@", "\t", "\r", "'")):
                cells[name] = "'" + cells[name]
        writer.writerow([cells[name] for name in COLUMNS])
    return out.getvalue().encode()


class Opened:
    """An export whose rows can be changed; `save` and `stamp` put it together again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: dict[str, Any] = orjson.loads((path / "manifest.json").read_bytes())
        self.encoding = Encoding.model_validate(self.said["encoding"])
        self.log = Log.model_validate(self.said["log"]).identity
        self.files = {
            file["name"]: rows_of((path / file["name"]).read_bytes(), self.encoding)
            for file in self.said["files"]
        }

    def save(self) -> None:
        """Write the rows; the manifest stays as it was."""
        for name, rows in self.files.items():
            (self.path / name).write_bytes(bytes_of(rows, self.encoding))

    def stamp(self, *, heads: bool, key: Ed25519PrivateKey | None = None) -> None:
        """Write all with counts and hashes of files made right; with `heads`, chains and root."""
        tree = Tree()
        files = []
        for entry in self.said["partitions"]:
            mine = [f for f in self.said["files"] if f["partition"] == entry["partition"]]
            mine = [f for f in mine if self.files.get(f["name"])]
            head = first_head(self.log, entry["partition"])
            for file in mine:
                for one in self.files[file["name"]]:
                    value_hash = bytes.fromhex(one["hash"])
                    head = next_head(head, one["offset"], value_hash)
                    tree.append(leaf(one["partition"], one["offset"], value_hash))
                    if heads:
                        one["head"] = head.hex()
                self._describe(file)
            entry["events"] = sum(file["events"] for file in mine)
            entry["first_offset"] = mine[0]["first_offset"] if mine else None
            entry["last_offset"] = mine[-1]["last_offset"] if mine else None
            if heads:
                entry["head_hash"] = head.hex()
            files += mine
        for file in self.said["files"]:
            if file not in files:
                (self.path / file["name"]).unlink(missing_ok=True)
        self.said["files"] = files
        self.said["events"] = tree.end
        if heads:
            self.said["root_hash"] = tree.root().hex()
        self.write_manifest(key)

    def _describe(self, file: Row) -> None:
        rows = self.files[file["name"]]
        raw = bytes_of(rows, self.encoding)
        (self.path / file["name"]).write_bytes(raw)
        file |= {
            "events": len(rows),
            "bytes": len(raw),
            "sha256": hashlib.sha256(raw).hexdigest(),
            "first_offset": rows[0]["offset"],
            "last_offset": rows[-1]["offset"],
        }

    def write_manifest(self, key: Ed25519PrivateKey | None = None) -> None:
        """Write the manifest with its own hash made right; signed with `key`, or not at all."""
        manifest = Manifest.model_validate_json(orjson.dumps(self.said)).stamped(key)
        (self.path / "manifest.json").write_bytes(manifest.dump())


def rewritten(one: Row, change: Callable[[Event], None]) -> Row:
    """The row of an event that was changed, with everything about itself made right but `head`."""
    event = Event.FromString(one["stored"])
    change(event)
    line = restored(
        (one["partition"], one["offset"]),
        (event.order_id, event.version),
        event.SerializeToString(deterministic=True),
        bytes.fromhex(one["head"]),
    )
    return dict(zip(COLUMNS, row(line), strict=True))
