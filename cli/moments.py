"""Times as people give them to verbs."""

from datetime import UTC, datetime

import typer

_MICROSECONDS = 1_000_000


def read_moment(value: str | None) -> datetime | None:
    """Read a day (its midnight UTC) or a time with zone.

    Raises:
        typer.BadParameter: it is neither.
    """
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise typer.BadParameter(
            f"{value!r} is no time; write 2026-11-24 or 2026-11-24T09:00:00Z"
        ) from error
    if moment.tzinfo is None and "T" in value:
        raise typer.BadParameter(f"{value!r} has no zone; add Z for UTC")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def us_of(moment: datetime | None) -> int | None:
    """Return microseconds since 1970 UTC."""
    if moment is None:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * _MICROSECONDS + since.microseconds
