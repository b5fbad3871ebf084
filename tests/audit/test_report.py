"""The page of one order: what it says, that nobody's words become markup, and that it repeats."""

import asyncio
import re
from dataclasses import replace
from functools import reduce
from pathlib import Path

import html5lib
import pytest

from audit.manifest import Tool
from audit.report import money, wording
from audit.report.history import chain, history
from audit.report.page import PageRefused, page, require_new, write
from domain import commands as c
from domain.events import Recorded
from domain.values import Address, Contact, Line
from eventlog import codec
from eventlog.log import LogIdentity
from eventlog.memory import MemoryLog
from projectors.read_models.order_document import derived, evolve
from tests.projectors.histories import Histories

LOG = LogIdentity("cluster", "orders.events", "topic-id", 4)
TOOL = Tool(name="orderlog", version="1")
HOSTILE = "</td><script>alert(1)</script><img src=x onerror='a()'>\" & \x00\x1b[31m\u202egnp"
PREFIX = "{http://www.w3.org/1999/xhtml}"


def order(writer, *given: c.OrderCommand) -> tuple[Recorded, ...]:
    """One order's events, written by the real writer."""

    async def run() -> tuple[Recorded, ...]:
        log = MemoryLog(partitions=4)
        order_id = await writer.write_one(log, given)
        return await history(log, order_id)

    return asyncio.run(run())


def paid(writer, name: str = "Cup") -> tuple[Recorded, ...]:
    return order(
        writer,
        c.PlaceOrder("c-1", "EUR", (Line("A-1", 2, 1299, name=name),)),
        c.Accept(),
        c.RequestAuthorisation("p-1", 2598),
        c.RecordAuthorisation("p-1", "psp-a", 2598),
        c.RequestCapture("p-1", "k-1", 2598),
        c.RecordCapture("p-1", "k-1", "psp-c", 2598),
        c.RequestRefund("r-1", "p-1", 598, "broken"),
        c.RecordRefund("r-1", "psp-r", 598),
    )


def parsed(content: bytes):
    """The tree of the page; any violation of HTML's grammar is an error."""
    return html5lib.HTMLParser(strict=True).parse(content.decode())


def rows(tree, heading: str) -> list[list[str]]:
    section = next(s for s in tree.iter(f"{PREFIX}section") if s.get("aria-labelledby") == heading)
    return [
        [" ".join(" ".join(cell.itertext()).split()) for cell in row]
        for row in section.iter(f"{PREFIX}tr")
    ]


def test_it_says_what_happened_who_when_and_why(writer):
    entries = rows(parsed(page(LOG, paid(writer), TOOL)), "timeline")

    assert len(entries) == 1 + 8
    version, occurred, recorded, what, who, why, ids = entries[7]
    assert (version, who, why) == ("7", "user:u-1", "broken")
    assert recorded.startswith("2023-11-14 22:13:")
    assert occurred.endswith(" UTC")
    assert what.startswith("RefundRequested")
    assert "amount_minor 5.98 EUR" in what
    assert "correlation corr causation cause command" in ids


def test_it_adds_the_money_up_as_the_domain_does(writer):
    tree = parsed(page(LOG, paid(writer), TOOL))
    moved = {row[2]: row for row in rows(tree, "money")}

    assert moved["OrderPlaced"][5:] == ["+25.98 EUR", "", "", "", "25.98 EUR"]
    assert moved["PaymentAuthorised"][3:] == ["p-1", "psp-a", "", "+25.98 EUR", "", "", "25.98 EUR"]
    assert moved["PaymentCaptured"][4:] == ["psp-c", "", "", "+25.98 EUR", "", "0.00 EUR"]
    assert moved["RefundCompleted"][4:] == ["psp-r", "", "", "", "+5.98 EUR", "5.98 EUR"]
    facts = dict(tuple(row) for row in rows(tree, "facts"))
    assert facts["Payment"] == "PARTIALLY_REFUNDED"
    assert (facts["Captured"], facts["Refunded"]) == ("25.98 EUR", "5.98 EUR")


def test_a_chain_that_holds_says_so_with_every_place_and_hash(writer):
    events = paid(writer)
    tree = parsed(page(LOG, events, TOOL))

    links = rows(tree, "chain")[1:]
    assert [link[2] for link in links] == [str(event.offset) for event in events]
    assert [link[3] for link in links] == [codec.event_hash(e.value).hex() for e in events]
    assert [link[4] for link in links[1:]] == [link[3] for link in links[:-1]]
    assert {link[5] for link in links} == {"yes"}


def test_a_broken_chain_is_shown_where_it_is_broken(writer):
    events = paid(writer)
    without = (*events[:2], *events[3:])
    changed = (*events[:4], events[4]._replace(value=events[4].value + b"\x00"), *events[5:])

    assert [link.recorded.version for link in chain(without) if link.trouble] == [4]
    assert [link.recorded.version for link in chain(changed) if link.trouble] == [6]
    assert [link.recorded.version for link in chain(events[1:]) if link.trouble] == [2]
    assert "The chain is broken at 1 of 8 events" in page(LOG, changed, TOOL).decode()


def test_the_same_events_are_the_same_page_to_the_byte(writer):
    events = paid(writer)

    assert page(LOG, events, TOOL) == page(LOG, list(events), TOOL)


def test_nobody_s_words_become_markup(writer):
    events = order(
        writer,
        c.PlaceOrder(
            HOSTILE,
            "EUR",
            (Line(HOSTILE, 1, 100, name=HOSTILE),),
            contact=Contact(HOSTILE, HOSTILE, HOSTILE),
            ship_to=Address(HOSTILE, (HOSTILE,), HOSTILE, HOSTILE, HOSTILE, "DE"),
        ),
        c.AddNote("n-1", HOSTILE),
        c.Hold("h-1", "fraud", HOSTILE),
    )
    foreign = tuple(
        event._replace(
            correlation_id=HOSTILE,
            causation_id=HOSTILE,
            command_id=HOSTILE,
            tenant_id=HOSTILE,
            actor=replace(event.actor, kind=HOSTILE, id=HOSTILE),
        )
        for event in events
    )
    content = page(LogIdentity(HOSTILE, HOSTILE, HOSTILE, 4), foreign, TOOL)

    tree = parsed(content)
    names = {
        element.tag.removeprefix(PREFIX) for element in tree.iter() if isinstance(element.tag, str)
    }
    assert not names & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert not [name for element in tree.iter() for name in element.attrib if name.startswith("on")]
    assert not set("\x00\x1b\u202e") & set(content.decode())
    assert "alert(1)" in "".join(tree.itertext())


def test_it_needs_nothing_from_anywhere(writer):
    text = page(LOG, paid(writer), TOOL).decode()

    assert not re.findall(r"(src=|href=|url\(|@import|https?:)", text)


def test_it_can_be_read_by_everybody(writer):
    tree = parsed(page(LOG, paid(writer), TOOL))
    root = tree if tree.tag == f"{PREFIX}html" else tree.find(f"{PREFIX}html")

    assert root.get("lang") == "en"
    assert len(list(tree.iter(f"{PREFIX}h1"))) == 1
    assert all(cell.get("scope") in {"col", "row"} for cell in tree.iter(f"{PREFIX}th"))
    assert len(list(tree.iter(f"{PREFIX}caption"))) == len(list(tree.iter(f"{PREFIX}table"))) == 5
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_what_is_sealed_is_said_to_be(writer):
    events = paid(writer, name="sealed1:AAECAwQF")
    text = page(LOG, events, TOOL).decode()

    assert "sealed1:" not in text
    assert "<dd>sealed</dd>" in text


@pytest.mark.parametrize(
    ("at_us", "said"),
    [
        (1_700_000_000_000_001, "2023-11-14 22:13:20.000001 UTC"),
        (2**62, f"{2**62} µs since 1970 UTC"),
        (-(2**62), f"{-(2**62)} µs since 1970 UTC"),
    ],
)
def test_times_are_told_to_the_microsecond(at_us, said):
    assert wording.moment(at_us) == said


@pytest.mark.parametrize("seed", range(30))
def test_statuses_and_sums_are_those_that_are_served(seed):
    """The page folds with the domain's own `evolve`; read models have a fold of their own."""
    lives: dict[str, list[Recorded]] = {}
    for batch in Histories(seed).batches(400, orders_max=12):
        for record in batch.records:
            if codec.is_event(record.key):
                recorded = codec.decode(record)
                lives.setdefault(recorded.order_id, []).append(recorded)

    for events in lives.values():
        served = derived(reduce(evolve, events, None))
        folded = money.fold(events)
        assert served["payment_status"] == money.paid(folded)
        assert served["fulfilment_status"] == money.fulfilled(folded)
        assert served["return_status"] == money.returned(folded)
        if served["is_placed"]:
            assert served["balance_minor"] == folded.money.balance_minor
            assert served["total_minor"] == folded.money.total_minor
        assert parsed(page(LOG, events, TOOL)) is not None


def test_a_file_that_is_there_stays_unless_it_is_forced(tmp_path: Path):
    path = tmp_path / "order.html"
    write(path, b"one", is_forced=False)

    with pytest.raises(PageRefused, match="--force"):
        require_new(path, is_forced=False)
    with pytest.raises(PageRefused, match="--force"):
        write(path, b"two", is_forced=False)
    assert path.read_bytes() == b"one"
    write(path, b"two", is_forced=True)

    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(PageRefused, match="cannot be written: No such file"):
        write(tmp_path / "nowhere" / "order.html", b"x", is_forced=False)
