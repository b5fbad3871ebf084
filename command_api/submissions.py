"""From a validated body to a submission, and from its outcome to what the client is told."""

import hashlib
from typing import Any

import orjson
import uuid_utils

from command_api.bodies import Beginning, Body
from command_api.reading import Asked
from eventlog.log import LogIdentity
from eventlog.submission import Outcome, Submission
from runtime.position import Position, log_id

_ORDER_IDS = uuid_utils.UUID("d2b1f0a4-58a9-5d8f-8a6e-6f6472646c67")


def submission(body: Body, order_id: str | None, asked: Asked, tenant: str) -> Submission:
    """Put together what the owner of the order needs.

    An order that is to begin has the id that its body says, or one that follows from tenant
    and idempotency key, so that a repeat finds its order.
    """
    given = order_id
    if isinstance(body, Beginning):
        given = body.order_id
        order_id = given or str(uuid_utils.uuid5(_ORDER_IDS, f"{tenant}/{asked.idempotency_key}"))
    return Submission(
        order_id=order_id or "",
        command=body.command(),
        command_name=body.command_name,
        command_id=asked.idempotency_key,
        fingerprint=fingerprint(body, given),
        expected_version=asked.expected_version,
        occurred_at_us=body.occurred_at_us,
        correlation_id=asked.correlation_id,
        causation_id=asked.idempotency_key,
        actor=asked.actor,
        tenant_id=tenant,
        traceparent=asked.traceparent,
        is_dry_run=asked.is_dry_run,
        reason=asked.reason,
    )


def fingerprint(body: Body, order_id: str | None) -> bytes:
    """Return the SHA-256 of what was asked, whatever its spelling.

    Fields at their default are left out: a later release may add optional fields, and a request
    that is sent again after the upgrade is still the same request.
    """
    data = body.model_dump(mode="json", exclude_defaults=True, exclude={"order_id"})
    what = {"command": body.command_name, "order_id": order_id, "data": data}
    return hashlib.sha256(orjson.dumps(what, option=orjson.OPT_SORT_KEYS)).digest()


class Answers:
    """Makes answers about one log."""

    def __init__(self, identity: LogIdentity) -> None:
        self._log_id = log_id(identity.cluster_id, identity.topic_id)

    def result(self, outcome: Outcome) -> dict[str, Any]:
        """Return the body of a command that was accepted; a dry run shows its events' data."""
        facts = outcome.facts
        return {
            "order_id": outcome.order_id,
            "version": outcome.version,
            "replayed": outcome.replayed,
            "events": [
                {"event_id": event.event_id, "type": event.type, "version": event.version}
                | ({"data": facts[place]} if facts else {})
                for place, event in enumerate(outcome.events)
            ],
            "position": Position(self._log_id, {outcome.partition: outcome.next_offset}).encode(),
        }
