"""What a filter takes, in the export and again when it is verified."""

from itertools import count, cycle
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest
from msgspec.structs import replace

from audit.export import Request, export
from audit.filters import Filter
from audit.verify import verify
from domain.commands import AddLine, AddNote, CreateDraft, OrderCommand, Place, PlaceOrder
from domain.decide import DECIDER
from domain.values import Actor, Line
from eventlog.codec import decode, is_event
from eventlog.memory import MemoryLog
from eventlog.ownership import Partitions
from eventlog.partitioner import partition_of
from runtime.settings import LogSettings
from tests.submissions import submission

from . import second_verifier
from .forging import Opened


@pytest.fixture
async def log_of_many() -> MemoryLog:
    """Six orders of two customers, half of them drafts at first, by three people."""
    log = MemoryLog(partitions=4)
    moments = count(1_700_000_000_000_000, 1_000_000)
    people = cycle(["mira", "jo", "kim", "mira"])
    async with await Partitions.open(
        log,
        DECIDER,
        settings=LogSettings(partitions=4),
        node="node-1",
        clock_us=lambda: next(moments),
        new_event_id=lambda: str(uuid4()),
    ) as owner:
        await owner.wait_ready(30)
        for number in range(6):
            order_id = str(UUID(int=number + 2**100))
            for at, command in enumerate(_life(number)):
                asked = replace(
                    submission(command, order_id, f"{number}-{at}"),
                    correlation_id=f"cor-{number}",
                    causation_id=f"cau-{at}",
                    reason=f"request {at} of {number}",
                    actor=Actor("user", next(people)),
                )
                await owner.submit(asked)
    return log


def _life(number: int) -> list[OrderCommand]:
    customer = f"c-{number % 2}"
    notes = [AddNote(f"n-{at}", "ring twice") for at in range(4)]
    if number % 3:
        return [PlaceOrder(customer, "EUR", (Line("A-1", 2, 1299),)), *notes]
    return [CreateDraft(customer, "EUR"), AddLine("A-1", 2, 1299), Place(), *notes]


def lines_of(path: Path) -> list[dict]:
    return [
        orjson.loads(line)
        for file in sorted(path.glob("events-*"))
        for line in file.read_bytes().splitlines()
    ]


def stored(log: MemoryLog) -> list:
    return [decode(r) for p in range(4) for r in log.records(p) if is_event(r.key)]


async def test_one_order_alone(log: MemoryLog, tmp_path: Path, whole: Path):
    order_id = str(lines_of(whole)[40]["order_id"])

    manifest = await export(log, tmp_path / "out", Request(Filter(order_id=order_id)))

    lines = lines_of(tmp_path / "out")
    assert [line["version"] for line in lines] == list(range(1, len(lines) + 1))
    assert {line["order_id"] for line in lines} == {order_id}
    assert [entry.partition for entry in manifest.partitions] == [partition_of(order_id, 4)]
    assert verify(tmp_path / "out").is_valid


async def test_a_time_range_takes_from_and_leaves_to(log: MemoryLog, tmp_path: Path, whole: Path):
    times = sorted(int(str(line["recorded_at_us"])) for line in lines_of(whole))
    first, last = times[30], times[100]

    await export(log, tmp_path / "out", Request(Filter(from_us=first, to_us=last)))

    found = sorted(int(str(line["recorded_at_us"])) for line in lines_of(tmp_path / "out"))
    assert found == times[30:100]
    assert verify(tmp_path / "out").is_valid


@pytest.mark.parametrize(
    ("chosen", "takes"),
    [
        (Filter(from_version=2), lambda r: r.version >= 2),
        (Filter(to_version=2), lambda r: r.version <= 2),
        (Filter(from_version=2, to_version=3), lambda r: 2 <= r.version <= 3),
        (Filter(correlation_id="cor-3"), lambda r: r.correlation_id == "cor-3"),
        (Filter(causation_id="cau-3"), lambda r: r.causation_id == "cau-3"),
        (Filter(reason="request 3"), lambda r: r.reason.startswith("request 3 of ")),
        (Filter(actor_kind="user", actor_id="mira"), lambda r: r.actor.id == "mira"),
        (Filter(actor_id="mira"), lambda r: r.actor.id == "mira"),
        (Filter(actor_kind="system", actor_id="mira"), lambda _: False),
    ],
)
async def test_what_an_event_says_itself(log_of_many: MemoryLog, tmp_path: Path, chosen, takes):
    await export(log_of_many, tmp_path / "out", Request(chosen))

    wanted = [r for r in stored(log_of_many) if takes(r)]
    assert [(line["order_id"], line["version"]) for line in lines_of(tmp_path / "out")] == [
        (r.order_id, r.version) for r in wanted
    ]
    assert wanted or chosen.actor_kind == "system"
    assert verify(tmp_path / "out").findings == ()
    second_verifier.verify(tmp_path / "out")


@pytest.mark.parametrize("more", [{}, {"from_version": 2}, {"actor_id": "mira"}], ids=str)
async def test_a_customer_is_that_of_the_orders_first_event(
    log_of_many: MemoryLog, tmp_path: Path, more: dict
):
    """Also of drafts, and of events that do not name a customer."""
    chosen = Filter(customer_id="c-1", **more)
    await export(log_of_many, tmp_path / "out", Request(chosen))

    everything = stored(log_of_many)
    orders = {r.order_id for r in everything if r.version == 1 and r.event.customer_id == "c-1"}
    wanted = [
        r
        for r in everything
        if r.order_id in orders
        and r.version >= more.get("from_version", 1)
        and r.actor.id == more.get("actor_id", r.actor.id)
    ]
    assert [(line["order_id"], line["version"]) for line in lines_of(tmp_path / "out")] == [
        (r.order_id, r.version) for r in wanted
    ]
    assert any(r.type == "LineAdded" for r in everything if r.order_id in orders)
    assert verify(tmp_path / "out").findings == ()
    second_verifier.verify(tmp_path / "out")


@pytest.mark.parametrize(
    "chosen",
    [
        Filter(from_version=2),
        Filter(to_version=2),
        Filter(customer_id="c-1"),
        Filter(correlation_id="cor-3"),
        Filter(actor_id="mira"),
    ],
)
async def test_what_a_filter_does_not_take_was_put_in(
    log_of_many: MemoryLog, tmp_path: Path, chosen: Filter
):
    """All of the log under a manifest that says it is a part of it."""
    await export(log_of_many, tmp_path / "out", Request(Filter(from_us=1)))
    opened = Opened(tmp_path / "out")
    opened.said["filter"] = chosen.model_dump()
    opened.stamp(heads=True)

    verdict = verify(tmp_path / "out")

    assert {finding.kind for finding in verdict.findings} == {"inserted"}
    assert "filter" in verdict.findings[0].what
    with pytest.raises(AssertionError, match="filter"):
        second_verifier.verify(tmp_path / "out")


async def test_a_gap_in_a_range_of_versions_is_missed(log_of_many: MemoryLog, tmp_path: Path):
    await export(log_of_many, tmp_path / "out", Request(Filter(from_version=2)))
    opened = Opened(tmp_path / "out")
    rows = next(rows for rows in opened.files.values() if any(r["version"] == 2 for r in rows))
    gone = next(
        row
        for row in rows
        if row["version"] == 2
        and any((r["order_id"], r["version"]) == (row["order_id"], 3) for r in rows)
    )
    rows.remove(gone)
    opened.stamp(heads=True)

    finding = verify(tmp_path / "out").findings[0]

    assert (finding.kind, finding.order_id, finding.version) == ("missing", gone["order_id"], 3)
    with pytest.raises(AssertionError, match="missing"):
        second_verifier.verify(tmp_path / "out")
