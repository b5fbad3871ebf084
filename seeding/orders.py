"""An order of a data set: the commands that make it, and what the service must then show.

Order ids and idempotency keys follow from data set and name alone. Sending the same data set again
therefore finds what is already there, and adds nothing twice.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import Any, Protocol

_NAMESPACE = uuid.UUID("6f1c1a0e-8a0b-5d5e-9a54-0d4a8f6c2b11")


@dataclass(frozen=True, slots=True)
class Sums:
    """What one order, or a set of orders of one currency, comes to.

    `open_minor` is what customers still owe; negative: what they must still get back.
    """

    orders: int = 0
    lines: int = 0
    pieces: int = 0
    total_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    open_minor: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            *(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True))
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """What the read models must say of one order, known without asking the service.

    `placed_minor` is what it cost when it was placed; `sums` is where its life has brought it.
    """

    currency: str
    placed_at: datetime
    placed_minor: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class SeedOrder:
    """One order: `commands` in their order, each as `POST /v1/commands` takes it."""

    name: str
    order_id: str
    commands: tuple[Mapping[str, Any], ...]
    expected: Expected


@dataclass(slots=True)
class LeftOut:
    """Rows of a data set that no order was made of, for one reason."""

    rows: int = 0
    sales_minor: int = 0
    coupons_minor: int = 0


@dataclass(slots=True)
class Survey:
    """What was read so far; complete once the orders have been taken."""

    rows: int = 0
    baskets: int = 0
    baskets_without_order: int = 0
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    unused_coupons_minor: int = 0


class Dataset(Protocol):
    """A source of orders, always the same ones in the same sequence."""

    name: str
    survey: Survey

    def orders(self, count: int) -> Iterator[SeedOrder]:
        """Yield the first `count` orders; fewer when there are no more."""


def order_id(dataset: str, name: str) -> str:
    """Return the id of an order, the same in every run."""
    return str(uuid.uuid5(_NAMESPACE, f"{dataset}/{name}"))


def commands(
    dataset: str, name: str, steps: Sequence[tuple[str, Mapping[str, Any]]]
) -> tuple[Mapping[str, Any], ...]:
    """Return `steps` (command name and data) as commands on one order, each with its key."""
    return tuple(
        {
            "command": command,
            "order_id": order_id(dataset, name),
            "idempotency_key": f"seed/{dataset}/{name}/{number}",
            "data": data,
        }
        for number, (command, data) in enumerate(steps, 1)
    )


def utc(moment: datetime) -> str:
    """Write a time as the API takes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
