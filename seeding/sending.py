"""The way of a data set through the command API: in batches, again when told to, never doubled."""

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx2
import orjson

from runtime.position import Position
from seeding.orders import Expected, SeedOrder

_BATCH_BYTES_MAX = 2 * 1024 * 1024
_HTTP_TOO_MANY = 429
_HTTP_SERVER_FAULT = 500
_HTTP_REFUSED = 400
_PAUSE_FIRST_S = 0.1
_PAUSE_MAX_S = 5.0
_REFUSED_SHOWN_MAX = 20


class SendingFailed(Exception):  # noqa: N818 - says what happened
    """The service cannot be reached or does not take commands: run the same command again."""


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How fast to send. `rate` is commands per second; None: as fast as answers come."""

    rate: float | None = None
    concurrency: int = 4
    batch_commands_max: int = 250
    attempts_max: int = 12


@dataclass(frozen=True, slots=True)
class RefusedCommand:
    """A command that the service said no to; what was to follow on its order was not sent."""

    order: str
    command: str
    status: int
    code: str
    detail: str


@dataclass(slots=True)
class Sent:
    """What became of the orders: those that are placed, by id; the rest was refused.

    An order is replayed when it had been placed before. `repeats` counts batches that were sent
    once more, `seconds` is how long sending took.
    """

    orders: dict[str, Expected] = field(default_factory=dict)
    replayed: int = 0
    commands: int = 0
    repeats: int = 0
    refused: int = 0
    refusals: list[RefusedCommand] = field(default_factory=list)
    position: Position | None = None
    seconds: float = 0.0

    def contain(self, token: str) -> None:
        """Move the position on to where this answer is contained too."""
        new = Position.decode(token)
        if self.position is None or self.position.log_id != new.log_id:
            self.position = new
            return
        offsets = dict(self.position.offsets)
        for partition, offset in new.offsets.items():
            offsets[partition] = max(offsets.get(partition, 0), offset)
        self.position = Position(new.log_id, offsets)


class Sender:
    """Sends orders through `client`, whose base address is that of the command API."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        options: SendOptions,
        report: Callable[[int], None] = lambda _orders: None,
    ) -> None:
        self._client = client
        self._options = options
        self._report = report
        self._pace = _Pace(options.rate)
        self._sent = Sent()

    async def send(self, orders: Iterable[SeedOrder]) -> Sent:
        """Send all orders; commands on one order keep their sequence.

        Raises:
            SendingFailed: no use in going on now. Sending the same orders again continues.
        """
        started = monotonic()
        batches = _batches(orders, self._batch_commands())
        workers = [
            asyncio.create_task(self._work(batches)) for _ in range(self._options.concurrency)
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        self._sent.seconds = monotonic() - started
        return self._sent

    def _batch_commands(self) -> int:
        """Keep batches small at a low rate, so that they come evenly."""
        rate, largest = self._options.rate, self._options.batch_commands_max
        return largest if rate is None else max(1, min(largest, int(rate / 4)))

    async def _work(self, batches: Iterator[list[SeedOrder]]) -> None:
        for batch in batches:
            await self._pace.wait(sum(len(order.commands) for order in batch))
            await self._deliver(batch)

    async def _deliver(self, batch: list[SeedOrder]) -> None:
        """Send the commands of all orders in turn: one only when that before it was taken."""
        turns = [_Turn(order) for order in batch]
        attempts = 0
        while turns:
            if attempts:
                self._sent.repeats += 1
            put_off = await self._attempt(turns)
            attempts = attempts + 1 if put_off.turns == len(turns) else min(put_off.turns, 1)
            if attempts == self._options.attempts_max:
                raise SendingFailed(f"the command API does not take the orders: {put_off.why}")
            turns = [turn for turn in turns if not turn.is_over]
            if attempts:
                await asyncio.sleep(max(put_off.pause_s, _backoff_s(attempts)))

    async def _attempt(self, turns: Sequence["_Turn"]) -> "_PutOff":
        """Send one command of every order, and take the answers."""
        try:
            answer = await self._client.post(
                "/v1/commands",
                content=orjson.dumps([turn.command for turn in turns]),
                headers={"content-type": "application/json"},
            )
        except httpx2.TransportError as error:
            return _PutOff(len(turns), why=f"{type(error).__name__} {error}".strip())
        if _is_passing(answer.status_code):
            pause_s = _pause_s(answer.headers.get("retry-after"))
            return _PutOff(len(turns), pause_s, _problem(answer))
        if answer.status_code >= _HTTP_REFUSED:
            raise SendingFailed(f"the command API refused a batch: {_problem(answer)}")
        put_off = _PutOff()
        for turn, result in zip(turns, orjson.loads(answer.content)["results"], strict=True):
            if _is_passing(result["status"]):
                put_off.add(result)
            else:
                self._take(turn, result)
        return put_off

    def _take(self, turn: "_Turn", result: Mapping[str, Any]) -> None:
        """Note the answer to a command; a refusal ends the order's turns."""
        sent, order = self._sent, turn.order
        sent.commands += 1
        if result["status"] >= _HTTP_REFUSED:
            self._refuse(order, turn.command["command"], result)
            turn.next = len(order.commands)
            return
        if turn.next == 0:
            sent.orders[order.order_id] = order.expected
            sent.replayed += bool(result["replayed"])
            self._report(len(sent.orders))
        if result.get("position"):
            sent.contain(result["position"])
        turn.next += 1

    def _refuse(self, order: SeedOrder, command: str, result: Mapping[str, Any]) -> None:
        self._sent.refused += 1
        if len(self._sent.refusals) < _REFUSED_SHOWN_MAX:
            detail = str(result.get("detail") or result.get("title") or "")
            self._sent.refusals.append(
                RefusedCommand(
                    order.name, command, result["status"], str(result.get("code", "")), detail
                )
            )


@dataclass(slots=True)
class _Turn:
    """How far an order has come: `next` is the index of the command to send."""

    order: SeedOrder
    next: int = 0

    @property
    def command(self) -> Mapping[str, Any]:
        return self.order.commands[self.next]

    @property
    def is_over(self) -> bool:
        return self.next >= len(self.order.commands)


@dataclass(slots=True)
class _PutOff:
    """How many commands must come again, after which pause, and why."""

    turns: int = 0
    pause_s: float = 0.0
    why: str = ""

    def add(self, result: Mapping[str, Any]) -> None:
        self.turns += 1
        self.pause_s = max(self.pause_s, float(result.get("retry_after") or 0))
        self.why = f"{result['status']} {result.get('detail') or result.get('code')}"


class _Pace:
    """Lets commands pass at a steady rate."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._free_at = monotonic()

    async def wait(self, commands: int) -> None:
        """Wait for the turn of so many commands."""
        if self._rate is None:
            return
        starts_at = max(self._free_at, monotonic())
        self._free_at = starts_at + commands / self._rate
        await asyncio.sleep(max(0.0, starts_at - monotonic()))


def _batches(orders: Iterable[SeedOrder], commands_max: int) -> Iterator[list[SeedOrder]]:
    """Put whole orders together, up to the limits of a batch; one order is never split."""
    batch: list[SeedOrder] = []
    commands = size = 0
    for order in orders:
        order_size = len(orjson.dumps(order.commands))
        if batch and (
            commands + len(order.commands) > commands_max or size + order_size > _BATCH_BYTES_MAX
        ):
            yield batch
            batch, commands, size = [], 0, 0
        batch.append(order)
        commands += len(order.commands)
        size += order_size
    if batch:
        yield batch


def _is_passing(status: int) -> bool:
    """Tell an answer that may be another one soon: sending again with the same keys is safe."""
    return status == _HTTP_TOO_MANY or status >= _HTTP_SERVER_FAULT


def _pause_s(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdecimal() else 0.0


def _backoff_s(attempts: int) -> float:
    longest: float = min(_PAUSE_MAX_S, _PAUSE_FIRST_S * 2**attempts)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads, hides nothing


def _problem(answer: httpx2.Response) -> str:
    """Return the status and what the problem document says, on one line."""
    try:
        said = orjson.loads(answer.content)
        detail = said.get("detail") or said.get("title") or ""
    except (orjson.JSONDecodeError, AttributeError):
        detail = answer.text[:200]
    return f"{answer.status_code} {detail}".strip()
