"""The kinds of field that bodies are made of: strict, bounded, and said in words when wrong."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from domain.currencies import EXPONENTS
from domain.values import INT64_MAX

_LINE_OF_TEXT = r"^[^\x00-\x1f\x7f]*$"
_PARAGRAPHS = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
_RATE = r"^[0-9]{1,3}(\.[0-9]{1,6})?$"
_COUNTRY = r"^[A-Z]{2}$"
_UUID = r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"
_EMAIL = r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$"

SAID = {
    _LINE_OF_TEXT: "must be one line without control characters",
    _PARAGRAPHS: "must not contain control characters other than line breaks and tabs",
    _RATE: "must be a decimal number as text, for example 0.19",
    _COUNTRY: "must be two capital letters (ISO 3166-1 alpha-2)",
    _EMAIL: "must be an e-mail address",
    _UUID: "must be a UUID",
}
"""What a pattern means, for people."""

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _known_currency(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError("must be an ISO 4217 currency code, for example EUR")
    return code


def _rfc3339(value: object) -> object:
    """Let only RFC 3339 pass: pydantic also takes seconds since 1970 for a time."""
    if not isinstance(value, str) or _RFC3339.fullmatch(value) is None:
        raise ValueError("must be a time with its zone (RFC 3339), like 2026-11-23T09:00:00Z")
    return value


def _within_bounds(moment: datetime) -> datetime:
    """Refuse what readers could not write down in UTC; an offset can move it past the year 9999."""
    if moment < _EPOCH:
        raise ValueError("must not lie before 1970")
    if moment > _LAST:
        raise ValueError("must not lie after 9999")
    return moment


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def _text(least: int, most: int, pattern: str = _LINE_OF_TEXT) -> StringConstraints:
    return StringConstraints(min_length=least, max_length=most, pattern=pattern)


Id = Annotated[str, _text(1, 100)]
CustomerId = Annotated[str, _text(1, 200)]
Name = Annotated[str, _text(1, 200)]
OptionalText = Annotated[str, _text(0, 200)]
Reason = Annotated[str, _text(1, 1_000, _PARAGRAPHS)]
Note = Annotated[str, _text(1, 10_000, _PARAGRAPHS)]
Rate = Annotated[str, StringConstraints(pattern=_RATE)]
Country = Annotated[str, StringConstraints(pattern=_COUNTRY)]
Email = Annotated[str, _text(3, 320, _EMAIL)]
Currency = Annotated[str, AfterValidator(_known_currency), Field(examples=["EUR"])]
OrderId = Annotated[
    str,
    StringConstraints(
        to_lower=True, pattern=r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"
    ),
    Field(description="a UUID; version 7 is recommended"),
]
Quantity = Annotated[int, Field(ge=1, le=INT64_MAX)]
Minor = Annotated[int, Field(ge=0, le=INT64_MAX, description="in minor units, for example cents")]
Positive = Annotated[int, Field(ge=1, le=INT64_MAX, description="in minor units")]
# Not strict, for strict takes no text from a validator before it; `_rfc3339` is stricter.
Moment = Annotated[
    AwareDatetime,
    Field(strict=False),
    BeforeValidator(_rfc3339),
    AfterValidator(_within_bounds),
]
