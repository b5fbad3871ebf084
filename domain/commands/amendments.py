"""Changing what was ordered, after it was placed."""

from dataclasses import dataclass
from typing import TypeAlias

from domain.values import Line, LineQuantity


@dataclass(frozen=True, slots=True)
class ProposeAmendment:
    """Propose new lines, and other quantities (0: none at all) for those that are there."""

    amendment_id: str
    add_lines: tuple[Line, ...] = ()
    quantities: tuple[LineQuantity, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ApproveAmendment:
    """Let the proposal apply, whole."""

    amendment_id: str


@dataclass(frozen=True, slots=True)
class DeclineAmendment:
    """Say no to the proposal."""

    amendment_id: str


@dataclass(frozen=True, slots=True)
class WithdrawAmendment:
    """Take the proposal back."""

    amendment_id: str


AmendmentCommand: TypeAlias = (
    ProposeAmendment | ApproveAmendment | DeclineAmendment | WithdrawAmendment
)
