"""What clients remember of a run: every request, and every answer that meant something."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A definite answer: accepted (2xx) or refused (4xx). Times are monotonic seconds."""

    status: int
    body: dict[str, Any]
    sent_s: float
    at_s: float

    @property
    def is_accepted(self) -> bool:
        return self.status < 400


@dataclass
class Operation:
    """One command under one idempotency key, sent until it was answered, and sometimes again."""

    client: int
    key: str
    order_id: str
    command: str
    data: dict[str, Any]
    expected_version: int | None
    sent_s: float
    answers: list[Answer] = field(default_factory=list)
    unknown_s: list[float] = field(default_factory=list)
    """When it was sent without a definite answer: cut off, timed out, 5xx."""

    @property
    def accepted(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.is_accepted]


def write(operations: list[Operation], file: Path) -> None:
    """Keep a history as one JSON object a line."""
    with file.open("w") as lines:
        for operation in operations:
            lines.write(json.dumps(asdict(operation)) + "\n")
