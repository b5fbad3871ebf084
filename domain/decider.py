"""The three names that make an aggregate: an initial state, `decide`, `evolve`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State")
Command = TypeVar("Command")
Event = TypeVar("Event")


@dataclass(frozen=True, slots=True)
class Decider(Generic[State, Command, Event]):
    """What the writer is handed, so that it works for any aggregate.

    `decide` returns new facts, `[]` when it is already so, or raises `domain.errors.Refused`.
    `evolve` is total: it never raises and never validates.
    """

    initial: State
    decide: Callable[[State, Command], Sequence[Event]]
    evolve: Callable[[State, Event], State]
