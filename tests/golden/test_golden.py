"""Bytes that a release stored must be read by every later one, and mean the same."""

import json
from pathlib import Path
from typing import get_args

import pytest

from domain.events import OrderEvent
from eventlog import codec
from eventlog.log import StoredRecord
from runtime.health import orderlog_version

HERE = Path(__file__).parent
GOLDEN = sorted(HERE.glob("*/*.json"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_stored_bytes_are_read_as_they_were_meant(path):
    golden = json.loads(path.read_text())
    value = bytes.fromhex(golden["value"])

    recorded = codec.decode(StoredRecord(0, 0, 0, golden["key"].encode(), value))

    found = json.loads(json.dumps(codec.to_json(recorded)))
    # A later release may add fields; what was said then must still be said.
    assert found["data"].items() >= golden["event"].pop("data").items()
    found.pop("data")
    assert found.items() >= golden["event"].items()
    assert recorded.value == value


@pytest.mark.parametrize("event", get_args(OrderEvent), ids=lambda event: event.__name__)
def test_this_release_has_golden_bytes_of_every_fact(event):
    """A new fact is recorded by `python tests/golden/record.py`."""
    assert (HERE / orderlog_version() / f"{event.__name__}.full.json").exists()
