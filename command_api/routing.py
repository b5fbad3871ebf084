"""The way of a command to its owner: here, at another node, or wait until it is known where."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import orjson

from command_api.bodies import Body
from command_api.forwarded import written
from command_api.peers import Peers
from command_api.reading import Asked
from command_api.submissions import Answers, submission
from eventlog.ownership import Partitions
from eventlog.submission import NotServing, Submission

_LOOK_AGAIN_S = 0.25


class Router:
    """Hands commands to the owners of their orders.

    While a partition moves nobody decides its commands: they wait, `wait_s` at most, and then go to
    the new owner. A command whose outcome is unknown is never sent a second time: only its client
    may do that.
    """

    def __init__(
        self, partitions: Partitions, answers: Answers, peers: Peers, *, tenant: str, wait_s: float
    ) -> None:
        self.partitions = partitions
        self._answers = answers
        self._peers = peers
        self._tenant = tenant
        self._wait_s = wait_s

    def submission(self, body: Body, order_id: str | None, asked: Asked) -> Submission:
        """Put together what the owner needs."""
        return submission(body, order_id, asked, self._tenant)

    async def answer(self, sent: Submission, body: Body, asked: Asked) -> dict[str, Any]:
        """Return the body of the answer, from whichever node.

        Raises:
            domain.errors.Refused, Problem: the command's own answer.
            eventlog.submission.Overloaded: send it again, with the same key.
        """
        partition = self.partitions.partition_of(sent.order_id)
        waited_until: float | None = None
        while True:
            changed = self.partitions.changed(partition)
            try:
                url = self.partitions.elsewhere(partition)
                if url is None:
                    return await self.answer_here(sent)
                command = orjson.dumps(written(body, sent.order_id, asked))
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

    async def answer_here(self, sent: Submission) -> dict[str, Any]:
        """Return the body of the answer, from this node and no other."""
        return self._answers.result(await self.partitions.submit(sent))
