"""What an attacker does to an export, by chance: each leaves it changed."""

import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from audit.lines import COLUMNS
from eventlog._gen.orders.v1.events_pb2 import Event

from .forging import Opened, Row, rewritten

Attack = Callable[[random.Random, Opened], None]


def place(chance: random.Random, export: Opened, rows_min: int = 1) -> tuple[list[Row], int]:
    """Choose a file, and a row in it."""
    rows = chance.choice([rows for rows in export.files.values() if len(rows) >= rows_min])
    return rows, chance.randrange(len(rows))


def other(chance: random.Random, value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + chance.choice([-1, 1, 1000])
    if isinstance(value, bytes):
        at = chance.randrange(len(value))
        return value[:at] + bytes([value[at] ^ chance.randint(1, 255)]) + value[at + 1 :]
    return value[:-1] + ("0" if value[-1:] != "0" else "1") if value else "x"


def edit_field(chance: random.Random, export: Opened) -> None:
    rows, at = place(chance, export)
    name = chance.choice([name for name in COLUMNS if name != "data"])
    rows[at][name] = other(chance, rows[at][name])


def edit_data(chance: random.Random, export: Opened) -> None:
    rows, at = place(chance, export)
    data = orjson.loads(rows[at]["data"])
    leaves = [(holder, name) for holder, name in _leaves(data) if holder[name] is not None]
    if leaves:
        holder, name = chance.choice(leaves)
        holder[name] = other(chance, holder[name])
    else:
        data["amount_minor"] = 1
    rows[at]["data"] = orjson.dumps(data).decode()


def _leaves(value: Any) -> Any:
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(part, dict | list):
            yield from _leaves(part)
        else:
            yield value, key


def rewrite_event(chance: random.Random, export: Opened) -> None:
    rows, at = place(chance, export)
    rows[at] = rewritten(rows[at], lambda event: setattr(event, "command_id", "another"))


def rewrite_order(chance: random.Random, export: Opened) -> None:
    """The order's own chain is made right as well, from the change on."""
    rows, at = place(chance, export)
    order_id, version = rows[at]["order_id"], rows[at]["version"]
    prev_hash: bytes | None = None
    for held in export.files.values():
        for index, one in enumerate(held):
            if one["order_id"] != order_id or one["version"] < version:
                continue

            def change(event: Event, prev_hash: bytes | None = prev_hash) -> None:
                if prev_hash is None:
                    event.actor.id = "somebody"
                else:
                    event.prev_hash = prev_hash

            held[index] = rewritten(one, change)
            prev_hash = hashlib.sha256(held[index]["stored"]).digest()


def remove_row(chance: random.Random, export: Opened) -> None:
    rows, at = place(chance, export, 2)
    del rows[at]


def remove_order(chance: random.Random, export: Opened) -> None:
    """No chain of an order is left to miss anything."""
    rows, at = place(chance, export)
    order_id = rows[at]["order_id"]
    for held in export.files.values():
        held[:] = [one for one in held if one["order_id"] != order_id]


def repeat_row(chance: random.Random, export: Opened) -> None:
    rows, at = place(chance, export)
    rows.insert(chance.randint(0, len(rows)), dict(rows[at]))


def insert_event(chance: random.Random, export: Opened) -> None:
    rows, at = place(chance, export)

    def forge(event: Event) -> None:
        event.event_id = "00000000-0000-7000-8000-00000000beef"
        event.version += chance.choice([0, 1])

    rows.insert(at + 1, {**rewritten(rows[at], forge), "offset": rows[at]["offset"] + 1})


def swap_rows(chance: random.Random, export: Opened) -> None:
    rows, at = place(chance, export, 2)
    to = (at + 1) % len(rows)
    rows[at], rows[to] = rows[to], rows[at]


def move_row(chance: random.Random, export: Opened) -> None:
    """Into another file, too."""
    rows, at = place(chance, export, 2)
    one = rows.pop(at)
    to = chance.choice(list(export.files.values()))
    index = chance.randint(0, len(to))
    if to is rows and index == at:
        index = (at + 1) % (len(rows) + 1)
    to.insert(index, one)


def swap_places(chance: random.Random, export: Opened) -> None:
    """Two events change their offsets, so that the file still looks ascending."""
    rows, at = place(chance, export, 2)
    to = (at + 1) % len(rows)
    rows[at]["offset"], rows[to]["offset"] = rows[to]["offset"], rows[at]["offset"]
    rows[at], rows[to] = rows[to], rows[at]


def truncate_file(chance: random.Random, export: Opened) -> None:
    rows, at = place(chance, export, 2)
    del rows[max(at, 1) :]


def truncate_partition(chance: random.Random, export: Opened) -> None:
    """From some file of a partition on, the rest of it is gone."""
    names = list(export.files)
    name = chance.choice(names)
    for later in names[names.index(name) :]:
        if later.split("-")[1] == name.split("-")[1]:
            export.files[later].clear()


def swap_files(chance: random.Random, export: Opened) -> None:
    one, two = chance.sample(list(export.files), 2)
    export.files[one], export.files[two] = export.files[two], export.files[one]


ON_ROWS: tuple[Attack, ...] = (
    edit_field,
    edit_data,
    rewrite_event,
    rewrite_order,
    remove_row,
    remove_order,
    repeat_row,
    insert_event,
    swap_rows,
    move_row,
    swap_places,
    truncate_file,
    truncate_partition,
    swap_files,
)
CAUGHT_BY_ORDERS: tuple[Attack, ...] = (edit_field, edit_data, swap_rows, repeat_row)
"""What is found without anything from elsewhere, even when all other hashes were made right."""

OnFiles = Callable[[random.Random, Path], None]


def _file(chance: random.Random, path: Path) -> Path:
    return chance.choice(sorted(path.iterdir()))


def flip_byte(chance: random.Random, path: Path) -> None:
    file = _file(chance, path)
    raw = bytearray(file.read_bytes())
    raw[chance.randrange(len(raw))] ^= chance.randint(1, 255)
    file.write_bytes(raw)


def cut_end(chance: random.Random, path: Path) -> None:
    file = _file(chance, path)
    raw = file.read_bytes()
    file.write_bytes(raw[: chance.randrange(len(raw))])


def cut_bytes(chance: random.Random, path: Path) -> None:
    file = _file(chance, path)
    raw = file.read_bytes()
    at = chance.randrange(len(raw))
    file.write_bytes(raw[:at] + raw[at + chance.randint(1, 100) :])


def add_bytes(chance: random.Random, path: Path) -> None:
    file = _file(chance, path)
    raw = file.read_bytes()
    at = chance.randint(0, len(raw))
    file.write_bytes(raw[:at] + chance.randbytes(chance.randint(1, 100)) + raw[at:])


def remove_file(chance: random.Random, path: Path) -> None:
    _file(chance, path).unlink()


def add_file(chance: random.Random, path: Path) -> None:
    file = chance.choice(sorted(path.glob("events-*")))
    shutil.copy(file, path / f"events-0000-000999{''.join(file.suffixes)}")


def edit_json(chance: random.Random, file: Path) -> None:
    """A number or a text of a document, or one of its fields less; everything else is left."""
    said = orjson.loads(file.read_bytes())
    holder, name = chance.choice(list(_leaves(said)))
    if chance.random() < 0.1 and isinstance(holder, dict):
        del holder[name]
    else:
        holder[name] = other(chance, holder[name]) if holder[name] is not None else "x"
    file.write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def edit_manifest(chance: random.Random, path: Path) -> None:
    edit_json(chance, path / "manifest.json")


ON_FILES: tuple[OnFiles, ...] = (
    flip_byte,
    cut_end,
    cut_bytes,
    add_bytes,
    remove_file,
    add_file,
    edit_manifest,
)
