"""Commands between nodes: what one node sends to the owner of a partition, and what comes back.

A command is sent on as it was validated, with what its headers said, and is answered with the body
that its client gets. It is never sent on a second time.
"""

from typing import Any

import orjson
from msgspec.structs import asdict
from pydantic import Field

from command_api.bodies import COMMANDS, Body
from command_api.bodies.body import Beginning
from command_api.parts import Part
from command_api.problems import CODES, Problem
from command_api.reading import Asked
from domain.values import Actor

ROUTE = "/-/commands"
RELEASE_ROUTE = "/-/released/{partition:int}"


class Forwarded(Part):
    """One command on its way to the owner of its order."""

    command: str
    order_id: str | None
    data: dict[str, Any]
    idempotency_key: str
    expected_version: int | None
    correlation_id: str
    actor_kind: str
    actor_id: str
    traceparent: str | None
    is_dry_run: bool
    reason: str = ""

    def read(self) -> tuple[Body, str | None, Asked]:
        """Return the body, the order that it is for, and what its headers said."""
        body = COMMANDS[self.command].model_validate_json(orjson.dumps(self.data))
        return (
            body,
            self.order_id,
            Asked(
                self.idempotency_key,
                self.expected_version,
                self.correlation_id,
                Actor(self.actor_kind, self.actor_id),
                self.traceparent,
                self.is_dry_run,
                self.reason,
            ),
        )


class ForwardedBatch(Part):
    """What one request between nodes holds."""

    commands: list[Forwarded] = Field(min_length=1)


def written(body: Body, order_id: str | None, asked: Asked) -> dict[str, Any]:
    """Return a command as `Forwarded` reads it."""
    is_new = isinstance(body, Beginning)
    said = asdict(asked)
    actor: Actor = said.pop("actor")
    return {
        "command": body.command_name,
        "order_id": None if is_new else order_id,
        "data": body.model_dump(mode="json", exclude_defaults=True),
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        **said,
    }


def problem_in(result: dict[str, Any]) -> Problem:
    """Return the problem that another node has answered."""
    more = dict(result)
    for name in ("type", "title", "status"):
        more.pop(name, None)
    code, detail = more.pop("code"), more.pop("detail", "")
    retry_after_s = more.pop("retry_after", None)
    return Problem(
        code if code in CODES else "internal-error", detail, retry_after_s=retry_after_s, **more
    )
