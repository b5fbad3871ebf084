"""What an attacker does to an export, by chance: each leaves it changed."""

import base64
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from audit.lines import describe
from audit.manifest import parse
from eventlog._gen.orders.v1.events_pb2 import Event
from eventlog.codec import event_key
from eventlog.log import StoredRecord

Lines = list[bytes]


def files(path: Path) -> list[Path]:
    return [path / file.name for file in parse(path / "manifest.json").files]


def read(path: Path) -> Lines:
    return path.read_bytes().splitlines(keepends=True)


def place(chance: random.Random, path: Path, lines_min: int = 1) -> tuple[Path, Lines, int]:
    """Choose a file, and a line in it."""
    file = chance.choice([file for file in files(path) if len(read(file)) >= lines_min])
    lines = read(file)
    return file, lines, chance.randrange(len(lines))


def rewritten(line: bytes, change: Callable[[Event], None]) -> bytes:
    """The line of an event that was changed with everything about itself made right."""
    said = orjson.loads(line)
    event = Event.FromString(base64.b64decode(said["stored"]))
    change(event)
    record = StoredRecord(
        said["partition"],
        said["offset"],
        0,
        event_key(event.order_id, event.version),
        event.SerializeToString(deterministic=True),
    )
    return orjson.dumps({**describe(record), "head": said["head"]}) + b"\n"


def edit_field(chance: random.Random, path: Path) -> None:
    file, lines, at = place(chance, path)
    said = orjson.loads(lines[at])
    name = chance.choice(list(said))
    said[name] = {"changed": True} if name in {"data", "actor"} else _other(chance, said[name])
    lines[at] = orjson.dumps(said) + b"\n"
    file.write_bytes(b"".join(lines))


def _other(chance: random.Random, value: Any) -> Any:
    if isinstance(value, int):
        return value + chance.choice([-1, 1, 1000])
    return value[:-1] + ("0" if value[-1:] != "0" else "1") if value else "x"


def edit_data(chance: random.Random, path: Path) -> None:
    file, lines, at = place(chance, path)
    said = orjson.loads(lines[at])
    said["data"]["amount_minor"] = said["data"].get("amount_minor", 0) + 1
    lines[at] = orjson.dumps(said) + b"\n"
    file.write_bytes(b"".join(lines))


def drop_field(chance: random.Random, path: Path) -> None:
    file, lines, at = place(chance, path)
    said = orjson.loads(lines[at])
    del said[chance.choice(list(said))]
    lines[at] = orjson.dumps(said) + b"\n"
    file.write_bytes(b"".join(lines))


def rewrite_event(chance: random.Random, path: Path) -> None:
    file, lines, at = place(chance, path)
    lines[at] = rewritten(lines[at], lambda event: setattr(event, "command_id", "other"))
    file.write_bytes(b"".join(lines))


def remove_line(chance: random.Random, path: Path) -> None:
    file, lines, at = place(chance, path, 2)
    del lines[at]
    file.write_bytes(b"".join(lines))


def repeat_line(chance: random.Random, path: Path) -> None:
    file, lines, at = place(chance, path)
    lines.insert(chance.randint(0, len(lines)), lines[at])
    file.write_bytes(b"".join(lines))


def insert_event(chance: random.Random, path: Path) -> None:
    file, lines, at = place(chance, path)

    def forge(event: Event) -> None:
        event.event_id = "00000000-0000-7000-8000-00000000beef"
        event.version += chance.choice([0, 1])

    said = orjson.loads(rewritten(lines[at], forge)) | {
        "offset": orjson.loads(lines[at])["offset"] + 1
    }
    lines.insert(at + 1, orjson.dumps(said) + b"\n")
    file.write_bytes(b"".join(lines))


def swap_lines(chance: random.Random, path: Path) -> None:
    file, lines, at = place(chance, path, 2)
    other = (at + 1) % len(lines)
    lines[at], lines[other] = lines[other], lines[at]
    file.write_bytes(b"".join(lines))


def swap_places(chance: random.Random, path: Path) -> None:
    """Two events change their offsets, so that the file still looks ascending."""
    file, lines, at = place(chance, path, 2)
    other = (at + 1) % len(lines)
    one, two = orjson.loads(lines[at]), orjson.loads(lines[other])
    one["offset"], two["offset"] = two["offset"], one["offset"]
    lines[at], lines[other] = orjson.dumps(two) + b"\n", orjson.dumps(one) + b"\n"
    file.write_bytes(b"".join(lines))


def truncate(chance: random.Random, path: Path) -> None:
    file, lines, _ = place(chance, path, 2)
    raw = b"".join(lines)
    file.write_bytes(raw[: chance.randrange(len(raw))])


def truncate_events(chance: random.Random, path: Path) -> None:
    file, lines, at = place(chance, path, 2)
    file.write_bytes(b"".join(lines[: max(at, 1)]))


def flip_byte(chance: random.Random, path: Path) -> None:
    file = chance.choice([*files(path), path / "manifest.json"])
    raw = bytearray(file.read_bytes())
    raw[chance.randrange(len(raw))] ^= chance.randint(1, 255)
    file.write_bytes(raw)


def remove_file(chance: random.Random, path: Path) -> None:
    chance.choice([*files(path), path / "manifest.json"]).unlink()


def swap_files(chance: random.Random, path: Path) -> None:
    one, two = chance.sample(files(path), 2)
    one_bytes, two_bytes = one.read_bytes(), two.read_bytes()
    one.write_bytes(two_bytes)
    two.write_bytes(one_bytes)


def add_file(chance: random.Random, path: Path) -> None:
    shutil.copy(chance.choice(files(path)), path / "events-0000-000999.jsonl")


def edit_manifest(chance: random.Random, path: Path) -> None:
    said = orjson.loads((path / "manifest.json").read_bytes())
    holder, name = chance.choice(list(_leaves(said)))
    value = holder[name]
    holder[name] = _other(chance, value) if value is not None else "x"
    (path / "manifest.json").write_bytes(
        orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )


def _leaves(value: Any) -> Any:
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(part, dict | list):
            yield from _leaves(part)
        else:
            yield value, key


ON_EVENTS = (
    edit_field,
    edit_data,
    drop_field,
    rewrite_event,
    remove_line,
    repeat_line,
    insert_event,
    swap_lines,
    swap_places,
    truncate_events,
)
ON_FILES = (truncate, flip_byte, remove_file, swap_files, add_file, edit_manifest)
