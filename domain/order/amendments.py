"""How facts about amendments change an order."""

from dataclasses import replace

from domain.events import (
    AmendmentApplied,
    AmendmentDeclined,
    AmendmentEvent,
    AmendmentProposed,
    AmendmentWithdrawn,
)
from domain.order.state import Amendment, AmendmentStage, Order, OrderLine


def evolve(state: Order, event: AmendmentEvent) -> Order:
    """Apply one fact about an amendment."""
    match event:
        case AmendmentProposed(amendment_id=amendment_id):
            proposed = Amendment(event.lines, event.difference_minor, event.reason)
            return replace(state, amendments={**state.amendments, amendment_id: proposed})
        case AmendmentApplied(amendment_id=amendment_id):
            return _answered(_applied(state, event), amendment_id, AmendmentStage.APPLIED)
        case AmendmentDeclined(amendment_id=amendment_id):
            return _answered(state, amendment_id, AmendmentStage.DECLINED)
        case AmendmentWithdrawn(amendment_id=amendment_id):
            return _answered(state, amendment_id, AmendmentStage.WITHDRAWN)


def _answered(state: Order, amendment_id: str, stage: AmendmentStage) -> Order:
    amendment = state.amendments.get(amendment_id)
    if amendment is None:
        return state
    answered = {**state.amendments, amendment_id: replace(amendment, stage=stage)}
    return replace(state, amendments=answered)


def _applied(state: Order, event: AmendmentApplied) -> Order:
    lines = dict(state.lines)
    for placed in event.lines:
        line = lines.get(placed.line_id)
        lines[placed.line_id] = replace(line, placed=placed) if line else OrderLine(placed)
    return replace(state, lines=lines, total_minor=state.total_minor + event.difference_minor)
