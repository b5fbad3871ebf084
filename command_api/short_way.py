"""Commands on the short way: from a connection to the owner's queue in one call, and back.

Most commands need no more: their order is owned here, they bring nothing personal, and they are no
dry run. All others go the long way, by `command_api.endpoints`, and get the same answers.
"""

import asyncio
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from command_api import metrics
from command_api.bodies import Body
from command_api.endpoints import BUSY, Answer, Commands, answered
from command_api.problems import Problem, problem_of
from command_api.reading import asked, order_id_of, require_json
from command_api.routing import Router
from eventlog.submission import NotServing
from runtime.short_way import Answering, RawHeaders

_PLAIN = re.compile(rb"[\w/?=&.-]+")
"""Targets that mean what they say: whatever is escaped or has a fragment is for a real parser."""


def _told(problem: Problem) -> Answer:
    response = problem.response()
    return response.status_code, response.raw_headers, bytes(response.body)


_BUSY = _told(BUSY)


class ShortWay:
    """A `runtime.short_way.ShortWay`; it takes nothing as long as it has no router."""

    def __init__(self, commands: Commands) -> None:
        self.router: Router | None = None
        self._commands = commands
        self._limit = commands.limit

    def __call__(
        self, target: bytes, headers: RawHeaders, raw: bytes, answer: Answering
    ) -> Callable[[], object] | None:
        """Queue a command, or answer what is wrong with it."""
        router, commands = self.router, self._commands
        if router is None or len(raw) > commands.bytes_max or not _PLAIN.fullmatch(target):
            return None
        path, _, query = target.partition(b"?")
        found = commands.found(path.decode())
        if found is None:
            return None
        if not self._limit.left:
            answer(*_BUSY)
            return _nothing
        model, order_id = found
        try:
            known = dict(reversed(headers))
            given = asked(known, query)
            if order_id is not None:
                order_id = order_id_of(order_id)
            if raw:
                require_json(known)
            body = commands.validated(model, raw)
            started = time.perf_counter()
            queued = router.queued_at_once((body, order_id, given))
        except NotServing:
            return None  # It waits until the partition has an owner.
        except Exception as error:  # noqa: BLE001 - errors become answers, as in `Endpoint`
            answer(*_told(problem_of(error)))
            return _nothing
        if queued is None:
            return None
        self._limit.left -= 1
        queued.add_done_callback(partial(self._answer, router, body, answer, started))
        return queued.cancel

    def _answer(
        self,
        router: Router,
        body: Body,
        answer: Answering,
        started: float,
        queued: asyncio.Future[Any],
    ) -> None:
        """Say what came of it, unless nobody waits for that any more."""
        self._limit.left += 1
        if queued.cancelled():
            return
        told: dict[str, Any] | BaseException
        try:
            told = router.told(queued.result())
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            told = error
        if isinstance(told, BaseException):
            problem = problem_of(told)
            metrics.count(body.command_name, problem.code)
            answer(*_told(problem))
        else:
            metrics.count_answered(body.command_name, told, started)
            answer(*answered(told, body.creates))


def _nothing() -> None:
    """Take nothing along: it is answered already."""
