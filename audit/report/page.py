"""One order as a page that needs nothing else: the same bytes for the same events, every time."""

import os
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from audit.manifest import Tool
from audit.report import money, wording
from audit.report.history import chain
from audit.report.money import Movement
from domain.events import Recorded
from domain.order import Order
from eventlog.codec import to_json
from eventlog.log import LogIdentity

_TEMPLATE = "page.html"


class PageRefused(Exception):  # noqa: N818 - an answer to the caller, who chooses another file
    """The page cannot be written there; the message says why and what to do."""


def page(log: LogIdentity, events: Sequence[Recorded], tool: Tool) -> bytes:
    """Return the page of one order, of which `events` (at least one) are all, oldest first."""
    order = money.fold(events)
    links = list(chain(events))
    text = _template().render(
        order_id=wording.text(events[0].order_id),
        facts=_facts(log, events, order),
        sums=_sums(order),
        entries=[_entry(recorded, order.currency) for recorded in events],
        movements=[_movement(moved, order.currency) for moved in money.movements(events)],
        links=links,
        broken=sum(bool(link.trouble) for link in links),
        tool=f"{tool.name} {tool.version}",
    )
    return text.encode()


def require_new(path: Path, *, is_forced: bool) -> None:
    """Refuse to write over a file.

    Raises:
        PageRefused: it is there.
    """
    if path.exists() and not is_forced:
        raise PageRefused(f"{path} is there already: choose another file, or add --force")


def write(path: Path, content: bytes, *, is_forced: bool) -> None:
    """Write the page: the file is there whole, or as it was before.

    Raises:
        PageRefused: it is there, or cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            partial.write_bytes(content)
            require_new(path, is_forced=is_forced)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise PageRefused(f"{path} cannot be written: {error.strerror}") from error


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = resources.files("audit.report").joinpath(_TEMPLATE).read_text("utf-8")
    return environment.from_string(source)


def _facts(log: LogIdentity, events: Sequence[Recorded], order: Order) -> list[tuple[str, str]]:
    first, last = events[0], events[-1]
    lifecycle = "none" if order.lifecycle is None else order.lifecycle.value
    known = [
        ("Order", first.order_id),
        ("Tenant", first.tenant_id),
        ("Customer", order.customer_id),
        ("Lifecycle", lifecycle + (", on hold" if order.is_held else "")),
        ("Payment", money.paid(order).value),
        ("Fulfilment", money.fulfilled(order).value),
        ("Returns", money.returned(order).value),
        ("Version", str(last.version)),
        ("Events", str(len(events))),
        ("First recorded", wording.moment(first.recorded_at_us)),
        ("Last recorded", wording.moment(last.recorded_at_us)),
        ("Log", f"{log.topic}, id {log.topic_id}, cluster {log.cluster_id}"),
    ]
    return [(name, wording.text(value)) for name, value in known if value]


def _sums(order: Order) -> list[tuple[str, str]]:
    sums = order.money
    known = [
        ("Total as placed", sums.total_minor),
        ("Cancelled", sums.cancelled_minor),
        ("Returned", sums.returned_minor),
        ("Due", sums.due_minor),
        ("Authorised", sums.authorised_minor),
        ("Captured", sums.captured_minor),
        ("Refunded", sums.refunded_minor),
        ("Charged back", sums.charged_back_minor),
        ("Balance", sums.balance_minor),
    ]
    return [(name, wording.money(amount_minor, order.currency)) for name, amount_minor in known]


def _entry(recorded: Recorded, currency: str) -> dict[str, Any]:
    data = dict(to_json(recorded)["data"])
    reason = data.pop("reason", None)
    return {
        "version": recorded.version,
        "occurred": wording.moment(recorded.occurred_at_us),
        "recorded": wording.moment(recorded.recorded_at_us),
        "type": recorded.type,
        "details": wording.details(data, currency),
        "who": wording.text(f"{recorded.actor.kind}:{recorded.actor.id}"),
        "why": wording.text(" / ".join(filter(None, (recorded.reason, reason)))),
        "ids": [
            (name, wording.text(value))
            for name, value in (
                ("correlation", recorded.correlation_id),
                ("causation", recorded.causation_id),
                ("command", recorded.command_id),
            )
            if value
        ],
    }


def _movement(moved: Movement, currency: str) -> dict[str, Any]:
    before, after = moved.before, moved.after
    return {
        "version": moved.recorded.version,
        "recorded": wording.moment(moved.recorded.recorded_at_us),
        "type": moved.recorded.type,
        "payments": wording.text(moved.payments),
        "references": wording.text(moved.references),
        "changes": [
            wording.change(now - then, currency)
            for then, now in (
                (before.due_minor, after.due_minor),
                (before.authorised_minor, after.authorised_minor),
                (before.captured_minor, after.captured_minor),
                (before.given_back_minor, after.given_back_minor),
            )
        ],
        "balance": wording.money(after.balance_minor, currency),
    }
