"""The formats say the same, take any text, and give it back."""

import base64
import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import formats
from audit.formats import comma, jsonl
from audit.lines import EventLine, row
from audit.manifest import Encoding
from domain.events import NoteAdded
from domain.values import Actor
from eventlog import codec
from eventlog.log import StoredRecord

from .forging import bytes_of, rows_of
from .second_verifier import described, dumped, event_type

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*/*.json"))
ENCODINGS = [
    Encoding(format="jsonl"),
    Encoding(format="jsonl", compression="zstd"),
    Encoding(format="csv"),
    Encoding(format="csv", compression="zstd"),
    Encoding(format="parquet"),
]
ODD = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'x", "''=", 'a "b", c', "x\r\ny\n", "ü€𝄞\0", ""]


def line_of(envelope: dict, event=None) -> EventLine:
    """A line of an event with these texts."""
    fields = {
        "event_id": "e",
        "tenant_id": "default",
        "order_id": "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f",
        "version": 1,
        "occurred_at_us": -1,
        "recorded_at_us": 2**62,
        "command_id": "c",
        "fingerprint": b"\x01",
        "correlation_id": "",
        "causation_id": "",
        "reason": "",
        "actor": Actor("user", "u"),
        "prev_hash": bytes(32),
        "command_index": 0,
        "command_size": 1,
    }
    wrapped = codec.Envelope(**{**fields, **envelope})
    stored = codec.encode(wrapped, event or NoteAdded("n", "text"))
    key = codec.event_key(wrapped.order_id, 1)
    recorded = codec.decode(StoredRecord(3, 7, 0, key, stored))
    return EventLine(recorded, codec.event_hash(stored), bytes(range(32)))


def written(encoding: Encoding, lines: list[EventLine]) -> bytes:
    out = io.BytesIO()
    writer = formats.writer(encoding, out)
    for line in lines:
        writer.add(line)
    writer.close()
    return out.getvalue()


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.suffix)
def test_any_text_comes_back(encoding: Encoding):
    lines = [
        line_of(
            dict.fromkeys(("correlation_id", "reason", "causation_id"), text)
            | {"actor": Actor(text, text)},
            NoteAdded(text, text),
        )
        for text in ODD
    ]
    raw = written(encoding, lines)

    assert list(formats.read(encoding, io.BytesIO(raw), is_same_release=True)) == lines
    assert [tuple(one.values()) for one in rows_of(raw, encoding)] == [row(line) for line in lines]
    assert bytes_of(rows_of(raw, encoding), encoding) == raw


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_comes_back_from_csv(text: str, note: str):
    """As Python's own reader has it; one apostrophe in front of what looks like a formula."""
    line = line_of({"command_id": text}, NoteAdded(note, note))
    raw = comma.HEADER + comma.written(line)

    (found,) = csv.DictReader(io.StringIO(raw.decode(), newline=""), strict=True)

    is_escaped = text[:1] in {*"=+-@\t\r'"} and text != ""
    assert found["command_id"] == ("'" + text if is_escaped else text)
    assert json.loads(found["data"]) == {"note_id": note, "text": note}
    assert list(comma.read(io.BytesIO(raw), is_same_release=True)) == [line]


def test_no_cell_of_csv_looks_like_a_formula():
    raw = comma.written(line_of({"command_id": "=HYPERLINK(1)", "correlation_id": "@SUM(1)"}))

    cells = next(csv.reader([raw.decode()]))

    assert not [cell for cell in cells if cell[:1] in set("=+-@\t\r") and not cell[1:].isdigit()]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_page_about_the_format_tells_how_every_event_is_decoded(path: Path, tmp_path: Path):
    """What is made from the schema file alone is the line that an export has."""
    golden = json.loads(path.read_text())
    stored = bytes.fromhex(golden["value"])
    recorded = codec.decode(StoredRecord(3, 7, 0, golden["key"].encode(), stored))
    (tmp_path / "events.binpb").write_bytes(codec.descriptors())
    said = {"partition": 3, "offset": 7, "stored": base64.b64encode(stored)}
    line = described(event_type(tmp_path / "events.binpb"), said)

    again = dumped({**line, "head": "00" * 32}, separators=(",", ":")) + b"\n"

    assert again == jsonl.written(EventLine(recorded, codec.event_hash(stored), bytes(32)))


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.suffix)
def test_a_writer_that_is_given_up_writes_nothing_more(encoding: Encoding):
    """A client that has left must not get the end of the file as if it were whole."""
    out = io.BytesIO()
    writer = formats.writer(encoding, out)
    writer.add(line_of({}))
    size = out.tell()
    del writer

    assert out.tell() == size


def test_parquet_is_written_in_groups_of_bounded_size(monkeypatch):
    from audit.formats import parquet  # noqa: PLC0415 - as the others do

    monkeypatch.setattr(parquet, "GROUP_EVENTS_MAX", 3)
    lines = [line_of({"command_id": f"c-{number}"}) for number in range(8)]
    raw = written(ENCODINGS[4], lines)

    opened = parquet.parquet.ParquetFile(io.BytesIO(raw))
    groups = [opened.metadata.row_group(at).num_rows for at in range(opened.num_row_groups)]
    assert groups == [3, 3, 2]
    assert list(parquet.read(io.BytesIO(raw), is_same_release=True)) == lines


def test_a_group_of_large_events_is_written_early(monkeypatch):
    from audit.formats import parquet  # noqa: PLC0415

    monkeypatch.setattr(parquet, "GROUP_BYTES_MAX", 1_000)
    event = NoteAdded("n", "x" * 900)
    raw = written(ENCODINGS[4], [line_of({}, replace(event, note_id=f"{n}")) for n in range(3)])

    assert parquet.parquet.ParquetFile(io.BytesIO(raw)).num_row_groups == 3


PLACED = b'{"partition":0,"offset":%s,"order_id":"x","version":1,"stored":"%s","head":"%s"}\n'
ZEROS = b"00" * 32
CELLS = b"0,0,,,,,x,%s,%s,0,,,,,,,,0,0,{},,%s\r\n"


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("jsonl", b'{"x":' + b"[" * 100_000 + b"\n"),
        ("jsonl", b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"),
        ("jsonl", b'{"x":' + b"[" * 900 + b"]" * 900 + b"," + PLACED[1:] % (b"0", b"", ZEROS)),
        ("jsonl", PLACED % (b"1e400", b"AA==", ZEROS)),
        ("jsonl", PLACED % (b"9" * 30, b"AA==", ZEROS)),
        ("jsonl", PLACED % (b"-1", b"AA==", ZEROS)),
        ("jsonl", PLACED % (b"0", b"A", ZEROS)),
        ("jsonl", PLACED % (b"0", b"AA==", b"00")),
        ("jsonl", PLACED % (b"0", b"AA==", b"\\ud800")),
        ("csv", comma.HEADER + b'"' * 11 + b"\n"),
        ("csv", comma.HEADER[:-2] + b"\n"),
        ("csv", b"\0\0,\r\n" * 5),
        ("csv", comma.HEADER + CELLS % (b"1", b"9" * 30, ZEROS)),
        ("csv", comma.HEADER + CELLS % (b"9" * 30, b"0", ZEROS)),
        ("csv", comma.HEADER + CELLS % (b"9" * 5_000, b"0", ZEROS)),
        ("csv", comma.HEADER + CELLS % (b"1", b"0", b"\xff")),
        ("parquet", b""),
        ("parquet", b"PAR1" + b"\xff" * 100 + b"PAR1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_odd_bytes_are_found_and_told(name: str, raw: bytes):
    found = list(formats.read(Encoding(format=name), io.BytesIO(raw), is_same_release=True))

    assert found
    for one in found:
        assert isinstance(one, formats.BadLine)
        orjson.dumps([str(one), one.known])


def test_values_that_json_cannot_show_are_told():
    line = line_of({})
    raw = comma.HEADER + comma.written(line).replace(b",-1,", b"," + b"9" * 30 + b",")

    (found,) = comma.read(io.BytesIO(raw), is_same_release=True)

    assert "`occurred_at_us` is something else" in str(found)


@pytest.mark.parametrize("encoding", ENCODINGS[:4], ids=lambda encoding: encoding.suffix)
def test_a_row_without_end_is_not_read_into_memory(encoding: Encoding, monkeypatch):
    for module in (jsonl, comma):
        monkeypatch.setattr(module, "LINE_BYTES_MAX", 1_000)
    raw = bytes_of([], Encoding(format=encoding.format)) + b'"' + b"x" * 100_000
    if encoding.compression:
        out = io.BytesIO()
        frame = formats.Compressing(out)
        frame.write(raw)
        frame.close()
        raw = out.getvalue()

    found = list(formats.read(encoding, io.BytesIO(raw), is_same_release=True))

    assert found
    assert all(isinstance(one, formats.BadLine) for one in found)
