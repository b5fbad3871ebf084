"""The picture of docs/orders.md, drawn from the rules: every command to an order in every state."""

import json
import re
from dataclasses import replace
from functools import reduce
from pathlib import Path

from command_api.bodies import COMMANDS
from command_api.examples import EXAMPLES
from domain import commands as c
from domain.decide import decide
from domain.errors import Refused
from domain.order import Order, evolve
from domain.values import ImportedLine, Line, LineQuantity

PAGE = Path(__file__).resolve().parents[2] / "docs/orders.md"
PIECES = (LineQuantity("1", 2),)
PLACE = c.PlaceOrder("c-1", "EUR", (Line("A-1", 2, 1000),))
DONE = (
    PLACE,
    c.Accept(),
    c.RecordCapture("p-1", "k-1", "r-1", 2000),
    c.CreateShipment("s-1", PIECES),
    c.DispatchShipment("s-1"),
    c.RecordDelivery("s-1"),
)
WAYS = (
    (),
    (c.CreateDraft("c-1", "EUR"), c.AddLine("A-1", 2, 1000)),
    (PLACE,),
    (PLACE, c.Accept()),
    DONE,
    (*DONE, c.Complete()),
    (PLACE, c.Reject("no")),
    (PLACE, c.Expire()),
    (PLACE, c.Cancel()),
    (PLACE, c.Cancel(), c.Archive()),
)


def sent():
    """One of every command, as in the API's examples, and what those leave out."""
    for name, data in EXAMPLES.items():
        yield COMMANDS[name].model_validate_json(json.dumps(data)).command()
    yield c.CancelLines(PIECES)
    imported = c.ImportOrder("old", "PLACED", "c-1", "EUR", (Line("A-1", 2, 1000),))
    yield imported
    yield replace(imported, lifecycle="COMPLETED", past=(ImportedLine("1", 0, 2, 0),))
    yield replace(imported, lifecycle="CANCELLED", past=(ImportedLine("1", 2, 0, 0),))


def name_of(state):
    return "[*]" if state.lifecycle is None else state.lifecycle.value


def drawn():
    arrows = {}
    for way in WAYS:
        state = Order()
        for command in way:
            state = reduce(evolve, decide(state, command), state)
        for command in sent():
            try:
                after = reduce(evolve, decide(state, command), state)
            except Refused:
                continue
            if after.lifecycle is not state.lifecycle:
                arrow = (name_of(state), name_of(after))
                arrows.setdefault(arrow, set()).add(type(command).__name__)
    return arrows


def test_the_picture_is_what_the_rules_do():
    picture = PAGE.read_text().partition("```mermaid\n")[2].partition("```")[0]
    shown = re.findall(r"^ +(\S+) --> (\w+): (.+)$", picture, re.MULTILINE)

    assert {(a, b): set(names.split(", ")) for a, b, names in shown} == drawn()
