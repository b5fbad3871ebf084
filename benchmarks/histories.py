"""Real histories at the speed of a file: lives of orders, decided by the domain, as records.

The orders are those of the demo shop, each with a whole life (`seeding`), but for more customers
and at closer times. Many are open at once: what follows one another in the log is of other orders.
"""

import hashlib
import random
import uuid
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from command_api.bodies import COMMANDS, kebab
from domain.decide import DECIDER
from domain.order.state import Order
from domain.values import Actor
from eventlog.deciding import Deciding
from eventlog.log import Record
from eventlog.partitioner import partition_of
from eventlog.state.stream import Stream
from eventlog.submission import Submission
from seeding.demo import Demo
from seeding.lives import WithLives
from seeding.orders import SeedOrder, Survey, utc

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_BETWEEN_ORDERS = timedelta(minutes=3)
_BETWEEN_COMMANDS_US = 14_000_000
_CUSTOMERS = 20_000
_OPEN_MAX = 2_000
_BEGIN_SHARE = 0.3
_WITHOUT_END = 10**9
_BYTES_MAX = 900_000


class _Shop:
    """Implements `Dataset`: the demo's orders in some of the partitions, by more customers."""

    def __init__(self, partitions: int, own: Container[int]) -> None:
        self.name = Demo.name
        self.survey = Survey()
        self._partitions, self._own = partitions, own

    def orders(self, count: int) -> Iterator[SeedOrder]:
        for number, order in enumerate(Demo().orders(count)):
            if partition_of(order.order_id, self._partitions) not in self._own:
                continue
            placed = dict(order.commands[0])
            placed["data"] = {
                **placed["data"],
                "customer_id": f"c-{number * 7_919 % _CUSTOMERS}",
                "placed_at": utc(_FIRST + number * _BETWEEN_ORDERS),
            }
            yield replace(order, commands=(placed,))


class Histories:
    """Decides one command after the other; the same ones in every run."""

    def __init__(self, partitions: int, own: Container[int]) -> None:
        self._partitions = partitions
        self._lives = WithLives(_Shop(partitions, own)).orders(_WITHOUT_END)
        self._rng = random.Random(partitions)  # noqa: S311 - the same histories in every run
        self._open: list[tuple[str, Iterator[Mapping[str, Any]]]] = []
        self._streams: dict[str, Stream[Order]] = {}
        self._now_us = int(_FIRST.timestamp()) * 1_000_000
        self.orders = 0

    def groups(self) -> Iterator[tuple[int, tuple[Record, ...]]]:
        """Yield without end what one command after the other appends: (partition, records)."""
        deciding: dict[int, Deciding[Order]] = {
            partition: Deciding(
                DECIDER,
                partition,
                "/orderlog/bench",
                lambda: self._now_us,
                self._new_event_id,
                _BYTES_MAX,
            )
            for partition in range(self._partitions)
        }
        blank = Stream(DECIDER.initial)
        while True:
            command = self._next()
            order_id = command["order_id"]
            stream = self._streams.get(order_id, blank)
            self._now_us += _BETWEEN_COMMANDS_US
            partition = partition_of(order_id, self._partitions)
            decision = deciding[partition].decide(
                stream, _submission(command), index=0, was_doubtful=False
            )
            if isinstance(decision.answer, Exception):
                raise decision.answer  # No life has a command that is refused.
            if decision.after is not None:
                self._streams[order_id] = decision.after
                yield partition, decision.records

    def _next(self) -> Mapping[str, Any]:
        """Return the next command of some order, mostly one that has begun."""
        rng, lives = self._rng, self._open
        while True:
            if not lives or (len(lives) < _OPEN_MAX and rng.random() < _BEGIN_SHARE):
                order = next(self._lives)
                lives.append((order.order_id, iter(order.commands)))
                self.orders += 1
                place = len(lives) - 1
            else:
                place = rng.randrange(len(lives))
            order_id, commands = lives[place]
            command = next(commands, None)
            if command is not None:
                return command
            self._streams.pop(order_id, None)
            lives[place] = lives[-1]
            del lives[-1]

    def _new_event_id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))


def _submission(command: Mapping[str, Any]) -> Submission:
    body = COMMANDS[kebab(command["command"])].model_validate_json(orjson.dumps(command["data"]))
    key = command["idempotency_key"]
    return Submission(
        order_id=command["order_id"],
        command=body.command(),
        command_name=body.command_name,
        command_id=key,
        fingerprint=hashlib.sha256(key.encode()).digest(),
        expected_version=None,
        occurred_at_us=body.occurred_at_us,
        correlation_id=key,
        causation_id=key,
        actor=Actor("system", "bench"),
        tenant_id="default",
    )
