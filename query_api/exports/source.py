"""Where exports come from: the log, opened by the first one, and the log of accesses beside it."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.access.log import AccessLog, AccessNotRecorded, Question, asked_for, recorded
from audit.access.topic import access_log
from audit.evidence.signing import private_key
from audit.export import Request, planned
from audit.filters import Filter
from audit.manifest import Encoding
from audit.sending import Lines, Tar, sent
from domain.values import Actor
from eventlog.kafka import KafkaLog
from eventlog.log import LogError
from query_api.exports.parameters import Export
from query_api.exports.response import Exports
from query_api.problems import Problem
from runtime.settings import AuditSettings, LogSettings

_log = structlog.get_logger("orderlog.query")
_RETRY_AFTER_S = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Source:
    """The log of the settings; nothing is connected before somebody asks for an export.

    Raises:
        KeyRefused: `ORDERLOG_AUDIT_KEY_FILE` names no key.
    """

    def __init__(self, settings: LogSettings, audit: AuditSettings) -> None:
        self._settings = settings
        self._key = _key(audit)
        self._opened: tuple[KafkaLog, AccessLog] | None = None

    def _logs(self) -> tuple[KafkaLog, AccessLog]:
        if self._opened is None:
            self._opened = KafkaLog(self._settings), access_log(self._settings)
        return self._opened

    @asynccontextmanager
    async def begun(
        self, query: Export, actor: Actor
    ) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """Fix the range, record the access, and hand out the bytes; record how it ended.

        Raises:
            Problem: `log-unavailable` or `access-not-recorded`; nothing was given out.
        """
        log, accesses = self._logs()
        try:
            plan = await planned(log, request_of(query))
        except LogError as error:
            raise self._problem("log-unavailable", error) from error
        form = Lines() if query.archive is None else Tar()
        what: Mapping[str, Any] = {"archive": query.archive} if query.archive else {}
        question = Question(actor, "http", {**what, **asked_for(plan)})
        try:
            async with (
                recorded(accesses, question, lambda: form.events, _complain),
                aclosing(sent(log, plan, form, self._key)) as pieces,
            ):
                yield pieces
        except AccessNotRecorded as error:
            raise self._problem("access-not-recorded", error) from error
        except LogError as error:  # What was begun already is cut.
            raise self._problem("log-unavailable", error) from error

    def _problem(self, code: str, error: Exception) -> Problem:
        """Say why there is no export; where Kafka is, is nothing for clients."""
        _log.warning(code.replace("-", "_"), reason=repr(error))
        detail = str(error).replace(self._settings.kafka_bootstrap, "…")
        return Problem(code, detail, retry_after_s=_RETRY_AFTER_S)


@dataclass(frozen=True, slots=True)
class Exporting:
    """What the route is handed: where exports come from, and how many there may be."""

    source: Source
    places: Exports


def request_of(query: Export) -> Request:
    """Return what is asked for, as the command line asks for it."""
    kind, colon, actor_id = (query.actor or "").partition(":")
    chosen = Filter(
        order_id=None if query.order_id is None else str(query.order_id),
        customer_id=query.customer_id,
        from_us=_us(query.from_),
        to_us=_us(query.to),
        from_version=query.from_version,
        to_version=query.to_version,
        actor_kind=kind if colon else None,
        actor_id=actor_id if colon else query.actor,
        correlation_id=query.correlation_id,
        causation_id=query.causation_id,
        reason=query.reason,
    )
    return Request(chosen, Encoding(format=query.format, compression=query.compress))


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def _key(audit: AuditSettings) -> Ed25519PrivateKey | None:
    return private_key(Path(audit.audit_key_file)) if audit.audit_key_file else None


def _complain(text: str) -> None:
    _log.error("access_end_not_recorded", reason=text)
