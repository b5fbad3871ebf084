"""Given a history, when a command comes, then these events or this rule."""

import re
from collections.abc import Callable, Iterable
from functools import reduce
from pathlib import Path

import pytest

from domain.commands import OrderCommand
from domain.decide import decide
from domain.errors import Rejected
from domain.events import OrderEvent
from domain.order import Order, evolve

Answer = list[OrderEvent] | str
PAGE = Path(__file__).resolve().parents[2] / "docs/rules.md"


@pytest.fixture(scope="session")
def sentences() -> dict[str, list[re.Pattern[str]]]:
    """What docs/rules.md has each rule say; `…` stands for anything."""
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    return {
        rule: [
            re.compile(".+".join(map(re.escape, sentence.split("…"))))
            for sentence in said.split("<br>")
        ]
        for rule, said in rows
    }


@pytest.fixture(scope="session")
def fold() -> Callable[[Iterable[OrderEvent]], Order]:
    return lambda history: reduce(evolve, history, Order())


@pytest.fixture(scope="session")
def when(
    fold: Callable[[Iterable[OrderEvent]], Order], sentences: dict[str, list[re.Pattern[str]]]
) -> Callable[..., Answer]:
    """Answer `when(history, command)`: the new events, or the name of the rule that says no.

    A refusal must say a sentence that docs/rules.md has for its rule.
    """

    def answer(history: Iterable[OrderEvent], command: OrderCommand) -> Answer:
        try:
            return decide(fold(history), command)
        except Rejected as error:
            refusal = error
        assert str(refusal) == refusal.sentence
        assert any(known.fullmatch(refusal.sentence) for known in sentences[refusal.rule])
        assert "None" not in refusal.sentence
        return refusal.rule

    return answer
