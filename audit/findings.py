"""What a verification found wrong, and where."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. What is not known of the place is None; `line` counts from 1."""

    what: str
    file: str
    line: int | None = None
    order_id: str | None = None
    version: int | None = None
    partition: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
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
        return f"{place}: {', '.join(named)}: {self.what}" if named else f"{place}: {self.what}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return asdict(self)
