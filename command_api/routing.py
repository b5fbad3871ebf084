"""The way of a command to its owner: here, at another node, or wait until it is known where."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import orjson
from msgspec import Struct

from command_api.bodies import Body
from command_api.nodes.forwarded import written
from command_api.nodes.peers import Peers
from command_api.reading import Asked
from command_api.sealing import Sealing
from command_api.submissions import Answers, submission
from domain.commands import EraseCustomerData
from domain.personal import is_personal
from eventlog.ownership import Partitions
from eventlog.submission import NotServing, Outcome, Overloaded, Submission
from personal_data.keys import KeysUnavailable

_LOOK_AGAIN_S = 0.25


Command: TypeAlias = tuple[Body, str | None, Asked]
"""A validated body, the order that it is for unless it begins one, and what the headers said."""


class Sent(Struct, frozen=True):
    """One command on its way. Without a key for its personal data it goes no further."""

    body: Body
    asked: Asked
    submission: Submission | KeysUnavailable

    def ready(self) -> Submission:
        """Return what the owner needs.

        Raises:
            KeysUnavailable: nothing was decided: send it again later.
        """
        if isinstance(self.submission, KeysUnavailable):
            raise self.submission
        return self.submission


class Router:
    """Hands commands to the owners of their orders.

    While a partition moves nobody decides its commands: they wait, `wait_s` at most, and then go to
    the new owner. A command whose outcome is unknown is never sent a second time: only its client
    may do that.
    """

    def __init__(
        self,
        partitions: Partitions,
        answers: Answers,
        peers: Peers,
        sealing: Sealing,
        *,
        tenant: str,
        wait_s: float,
    ) -> None:
        self.partitions = partitions
        self._sealing = sealing
        self._answers = answers
        self._peers = peers
        self._tenant = tenant
        self._wait_s = wait_s

    async def sent(self, commands: Sequence[Command | Exception]) -> list[Sent | Exception]:
        """Put together what the owners need, keys included; what is wrong stays in its place.

        All at once: what comes behind this is queued in its sequence, without a pause in between.
        """
        plain = [
            submission(*command, self._tenant)
            for command in commands
            if not isinstance(command, Exception)
        ]
        keyed = iter(await self._sealing.keyed(plain))
        return [
            command if isinstance(command, Exception) else Sent(command[0], command[2], next(keyed))
            for command in commands
        ]

    async def answer(self, sent: Sent) -> dict[str, Any]:
        """Return the body of the answer, from whichever node.

        Raises:
            domain.errors.Refused, Problem: the command's own answer.
            eventlog.submission.Overloaded, KeysUnavailable: send it again, with the same key.
        """
        given = sent.ready()
        partition = self.partitions.partition_of(given.order_id)
        waited_until: float | None = None
        while True:
            changed = self.partitions.changed(partition)
            try:
                url = self.partitions.elsewhere(partition)
                if url is None:
                    return self._answer(await self._queued(given))
                command = orjson.dumps(written(sent.body, given.order_id, sent.asked))
                return await self._peers.send(url, partition, command)
            except NotServing:
                now_s = time.monotonic()
                waited_until = waited_until or now_s + self._wait_s
                left_s = waited_until - now_s
                if left_s <= 0:
                    raise
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, _LOOK_AGAIN_S)):
                        await changed.wait()

    async def answers(
        self, sent: Sequence[Sent | Exception]
    ) -> list[dict[str, Any] | BaseException]:
        """Return per command what `answer` would return or raise.

        Those whose owner is here are queued at once, without a task for each.
        """
        begun = [self._begun(one) for one in sent if not isinstance(one, Exception)]
        ended = iter(await asyncio.gather(*begun, return_exceptions=True))
        return [one if isinstance(one, Exception) else self.told(next(ended)) for one in sent]

    def _begun(self, sent: Sent) -> asyncio.Future[Any]:
        try:
            given = sent.ready()
            if self.partitions.elsewhere(self.partitions.partition_of(given.order_id)) is None:
                return self._queued(given)
        except NotServing:
            pass  # It waits for the owner of then.
        except (Overloaded, KeysUnavailable) as error:
            refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            refused.set_result(error)
            return refused
        return asyncio.ensure_future(self.answer(sent))

    def queued_at_once(self, command: Command) -> asyncio.Future[Outcome | Exception] | None:
        """Queue a command on an order that is owned here; None: it needs more than a queue.

        Raises:
            NotServing: nothing was queued; the owner may be another node.
            eventlog.submission.Overloaded, PartitionHalted: send it again, with the same key.
        """
        given = submission(*command, self._tenant)
        if given.is_dry_run or is_personal(given.command) or _erases(given):
            return None
        return self.partitions.queue(given)

    async def answer_here(self, sent: Sent) -> dict[str, Any]:
        """Return the body of the answer, from this node and no other."""
        return self._answer(await self._queued(sent.ready()))

    def _queued(self, sent: Submission) -> asyncio.Future[Any]:
        """Queue a command here; what is awaited is an outcome, a body, or why there is none."""
        queued = self.partitions.queue(sent)
        if sent.is_dry_run or _erases(sent):
            return asyncio.ensure_future(self._settled(sent, queued))
        return queued

    async def _settled(self, sent: Submission, queued: asyncio.Future[Any]) -> dict[str, Any]:
        return await self._sealing.settled(sent, self._answer(await queued))

    def _answer(self, ended: Any) -> dict[str, Any]:
        told = self.told(ended)
        if isinstance(told, BaseException):
            raise told
        return told

    def told(self, ended: Any) -> dict[str, Any] | BaseException:
        """Return the body of an outcome; whatever else it is stays as it is."""
        return self._answers.result(ended) if isinstance(ended, Outcome) else ended


def _erases(given: Submission) -> bool:
    return type(given.command) is EraseCustomerData
