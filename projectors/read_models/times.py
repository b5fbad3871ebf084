"""Microseconds UTC of the log -> `datetime` for columns and RFC 3339 for documents."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
FIRST_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _US
LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _US
"""The moments that a `datetime` can hold."""


def moment(at_us: int) -> datetime:
    """Return an aware `datetime` in UTC.

    Raises:
        OverflowError: the year is not between 1 and 9999.
    """
    return _EPOCH + timedelta(microseconds=at_us)


def rfc3339(at_us: int) -> str:
    """Return for example `2026-11-23T09:00:00Z`, with microseconds where there are any."""
    return moment(at_us).isoformat()[:-6] + "Z"


def microseconds(at: datetime) -> int:
    """Return the microseconds since 1970 UTC of an aware `datetime`."""
    return (at - _EPOCH) // _US
