"""What a verification found wrong, and where."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What was done, as far as that can be told; the sentence says what looks alike."""

    EDITED = "edited"
    MISSING = "missing"
    INSERTED = "inserted"
    REORDERED = "reordered"
    REPEATED = "repeated"
    TRUNCATED = "truncated"
    FORKED = "forked"
    BAD_SIGNATURE = "bad-signature"
    NOT_COMPARABLE = "not-comparable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. What is not known of the place is None.

    `row` counts the events of a file, from 1.
    """

    kind: Kind
    what: str
    file: str
    row: int | None = None
    order_id: str | None = None
    version: int | None = None
    partition: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file}:{self.row}"
        named = [
            f"{name} {value}"
            for name, value in (
                ("order", self.order_id),
                ("version", self.version),
                ("partition", self.partition),
                ("offset", self.offset),
            )
            if value is not None
        ]
        return ": ".join([place, self.kind, *([", ".join(named)] if named else []), self.what])

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return asdict(self)
