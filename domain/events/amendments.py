"""Changes of what was ordered, after it was placed (invariant I7)."""

from dataclasses import dataclass
from typing import TypeAlias

from domain.values import PlacedLine


@dataclass(frozen=True, slots=True)
class AmendmentProposed:
    """These lines would be as given, and the order would cost `difference_minor` more (or less)."""

    amendment_id: str
    lines: tuple[PlacedLine, ...]
    difference_minor: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class AmendmentApplied:
    """The proposed lines are now the order's; each replaces its line, or is a new one."""

    amendment_id: str
    lines: tuple[PlacedLine, ...]
    difference_minor: int
    currency: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class AmendmentDeclined:
    """The shop or the customer said no; nothing has changed."""

    amendment_id: str


@dataclass(frozen=True, slots=True)
class AmendmentWithdrawn:
    """Whoever proposed it took it back; nothing has changed."""

    amendment_id: str


AmendmentEvent: TypeAlias = (
    AmendmentProposed | AmendmentApplied | AmendmentDeclined | AmendmentWithdrawn
)
