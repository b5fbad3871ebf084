"""Given a history, when a command comes, then these events or this rule."""

from collections.abc import Callable, Iterable
from functools import reduce

import pytest

from domain.commands import OrderCommand
from domain.decide import decide
from domain.errors import Rejected
from domain.events import OrderEvent
from domain.order import Order, evolve

Answer = list[OrderEvent] | str


@pytest.fixture(scope="session")
def fold() -> Callable[[Iterable[OrderEvent]], Order]:
    return lambda history: reduce(evolve, history, Order())


@pytest.fixture(scope="session")
def when(fold: Callable[[Iterable[OrderEvent]], Order]) -> Callable[..., Answer]:
    """Answer `when(history, command)`: the new events, or the name of the rule that says no."""

    def answer(history: Iterable[OrderEvent], command: OrderCommand) -> Answer:
        try:
            return decide(fold(history), command)
        except Rejected as error:
            refusal = error
        assert str(refusal) == refusal.sentence
        assert refusal.sentence.endswith(".")
        return refusal.rule

    return answer
