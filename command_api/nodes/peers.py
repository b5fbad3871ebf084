"""The other command nodes: commands are sent on to them, and they are asked to let go.

Connections are kept alive. Commands of one partition go one request after the other, so they keep
their sequence; while one is under way the next ones gather, as they do in the owner's queue.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx2
import orjson

from command_api.nodes.forwarded import ROUTE, problem_in
from command_api.problems import Problem
from eventlog.submission import NotServing, PartitionUnavailable

_BATCH_MAX = 1_000
BATCH_BYTES_MAX = 2 * 1024 * 1024
_CONNECT_S = 1.0
_RELEASE_S = 3.0
_HTTP_OK = 200
UNDECIDED = "is_undecided"
"""In a 503 between nodes: nothing was decided, so that another node may be asked."""


@dataclass(slots=True)
class _Lane:
    """What waits for one partition's owner at one URL."""

    waiting: deque[tuple[bytes, asyncio.Future[Any]]] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None

    def take(self) -> list[tuple[bytes, asyncio.Future[Any]]]:
        """Take what fits into one request, but nothing that its client does not wait for."""
        group: list[tuple[bytes, asyncio.Future[Any]]] = []
        size = 0
        while self.waiting and len(group) < _BATCH_MAX:
            command, answer = self.waiting[0]
            if not answer.cancelled():
                size += len(command)
                if group and size > BATCH_BYTES_MAX:
                    break
                group.append((command, answer))
            self.waiting.popleft()
        return group


class Peers:
    """An async context manager. `timeout_s` bounds how long an answer may take."""

    def __init__(self, timeout_s: float) -> None:
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(timeout_s, connect=_CONNECT_S),
            limits=httpx2.Limits(max_connections=None, keepalive_expiry=4),
        )
        self._lanes: dict[tuple[str, int], _Lane] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def send(self, url: str, partition: int, command: bytes) -> dict[str, Any]:
        """Send one command on; return the body of its answer.

        Raises:
            Problem: the owner's answer is a refusal.
            NotServing: it does not serve the partition either, and decided nothing.
            PartitionUnavailable: no answer; the outcome is unknown.
        """
        lane = self._lanes.setdefault((url, partition), _Lane())
        answer: asyncio.Future[dict[str, Any] | Exception]
        answer = asyncio.get_running_loop().create_future()
        lane.waiting.append((command, answer))
        if lane.task is None or lane.task.done():
            lane.task = asyncio.create_task(self._drain(url, lane))
        said = await answer
        if isinstance(said, Exception):
            raise said
        return said

    async def ask_release(self, url: str, partition: int) -> None:
        """Wait until the node at `url` has let a partition go; raises when it does not answer."""
        answer = await self._client.post(f"{url}/-/released/{partition}", timeout=_RELEASE_S)
        answer.raise_for_status()

    async def _drain(self, url: str, lane: _Lane) -> None:
        while lane.waiting:
            group = lane.take()
            if not group:
                return
            try:
                said = await self._ask(url, [command for command, _ in group])
            except Exception as error:  # noqa: BLE001 - every waiter must hear of it
                said = [error] * len(group)
            for (_, answer), one in zip(group, said, strict=True):
                if not answer.done():
                    answer.set_result(one)

    async def _ask(self, url: str, commands: list[bytes]) -> list[dict[str, Any] | Exception]:
        body = b'{"commands":[' + b",".join(commands) + b"]}"
        try:
            answer = await self._client.post(
                url + ROUTE, content=body, headers={"content-type": "application/json"}
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise NotServing(f"the owner at {url} cannot be reached", 1) from error
        except Exception as error:
            # Not only `HTTPError`: whatever breaks on the way, it may have arrived.
            raise PartitionUnavailable(f"no answer from the owner at {url}", 1) from error
        if answer.status_code != _HTTP_OK:
            raise PartitionUnavailable(f"the owner at {url} answers {answer.status_code}", 1)
        results = orjson.loads(answer.content)["results"]
        return [_meant(result) for result in results]


def _meant(result: dict[str, Any]) -> dict[str, Any] | Exception:
    if "status" not in result:
        return result
    if result.pop(UNDECIDED, False):
        return NotServing(str(result.get("detail", "")), 1)
    problem: Problem = problem_in(result)
    return problem
