"""Commands as their owner gets them, without HTTP."""

import hashlib
import uuid

from domain.commands import OrderCommand
from domain.values import Actor
from eventlog.submission import Submission


def submission(
    command: OrderCommand,
    order_id: str,
    key: str | None = None,
    *,
    expected_version: int | None = None,
    occurred_at_us: int | None = None,
    is_dry_run: bool = False,
) -> Submission:
    """A submission of that command; a random key unless one is given."""
    return Submission(
        order_id=order_id,
        command=command,
        command_name=type(command).__name__,
        command_id=key or str(uuid.uuid4()),
        fingerprint=hashlib.sha256(repr(command).encode()).digest(),
        expected_version=expected_version,
        occurred_at_us=occurred_at_us,
        correlation_id="corr",
        causation_id="cause",
        actor=Actor("user", "u-1"),
        tenant_id="default",
        is_dry_run=is_dry_run,
    )
