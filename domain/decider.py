"""The three names that make an aggregate: an initial state, `decide`, `evolve`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from domain.values import Sealed

State = TypeVar("State")
Command = TypeVar("Command")
Event = TypeVar("Event")


def _nothing_personal(command: Command, _: Callable[[Any], Sealed]) -> Command:
    return command


@dataclass(frozen=True, slots=True)
class Decider(Generic[State, Command, Event]):
    """What the writer is handed, so that it works for any aggregate.

    `decide` returns new facts, `[]` when it is already so, or raises `domain.errors.Refused`.
    `evolve` is total: it never raises and never validates. `sealed` returns a command with what is
    personal in it sealed by the function that it is given.
    """

    initial: State
    decide: Callable[[State, Command], Sequence[Event]]
    evolve: Callable[[State, Event], State]
    sealed: Callable[[Command, Callable[[Any], Sealed]], Command] = _nothing_personal
