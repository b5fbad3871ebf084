"""The query parameters of every route: bounded, and nothing else is let in."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import Header, Path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from domain.statuses import FulfilmentStatus, Lifecycle, PaymentStatus
from query_api.positions import HEADER
from query_api.reading import WAIT_MS_MAX

LIMIT_MAX = 200
EVENTS_MAX = 1_000
_CURSOR_MAX = 1_000
_INT64_MAX = 2**63 - 1
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,20}", re.ASCII)


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must be text that UTF-8 can hold") from error
    return text


def _rfc3339(value: Any) -> Any:
    if isinstance(value, str) and not _TIME.fullmatch(value):
        raise ValueError("must be a time with its offset, for example 2026-11-23T09:00:00Z")
    return value


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must lie in the years 1 to 9999 UTC") from error


def _iso_day(value: Any) -> Any:
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("must be a day, for example 2026-11-23")
    return value


def _digits(value: Any) -> Any:
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError("must be a whole number")
    return value


Whole = Annotated[int, BeforeValidator(_digits)]
Minor = Annotated[Whole, Field(ge=-_INT64_MAX, le=_INT64_MAX)]
Moment = Annotated[
    datetime,
    BeforeValidator(_rfc3339, json_schema_input_type=str),
    AfterValidator(_utc),
    Field(examples=["2026-11-23T09:00:00Z"]),
]
Day = Annotated[date, BeforeValidator(_iso_day), Field(examples=["2026-11-23"])]
CustomerId = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]
Sort = Literal[
    "placed_at", "-placed_at", "total_minor", "-total_minor", "updated_at", "-updated_at"
]

AtLeast = Annotated[
    str | None,
    Header(
        alias=HEADER,
        description="the `position` of a command's answer (or the `Orders-Position` of any): the "
        "answer waits until it contains it",
    ),
]
CustomerPath = Annotated[
    str, Path(min_length=1, max_length=200, examples=["c-1"]), AfterValidator(_storable)
]


class Waiting(BaseModel):
    """What every route takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wait_ms: Annotated[Whole, Field(ge=0, le=WAIT_MS_MAX)] | None = Field(
        None, description=f"how long to wait for {HEADER}; 2000 unless configured otherwise"
    )


class AsOf(Waiting):
    """Which state of an order; without any of these, the one that is known now."""

    as_of_version: Annotated[Whole, Field(ge=1, le=2**31)] | None = Field(
        None, description="as it was when it was at this version"
    )
    as_of: Moment | None = Field(None, description="as it was at this time, itself included")
    as_of_by: Literal["recorded", "occurred"] = Field(
        "recorded",
        description="`recorded`: as the log had it at `as_of`; `occurred`: what had happened by "
        "`as_of`, whenever it was recorded",
    )

    @field_validator("as_of")
    @classmethod
    def _one_of_both(cls, as_of: Moment | None, known: ValidationInfo) -> Moment | None:
        if as_of is not None and known.data.get("as_of_version") is not None:
            raise ValueError("must be left out when as_of_version is given")
        return as_of

    @property
    def is_history(self) -> bool:
        """Tell whether another state than the present one is asked for."""
        return self.as_of is not None or self.as_of_version is not None


class Page(Waiting):
    """What routes take that answer page by page."""

    limit: Annotated[Whole, Field(ge=1, le=LIMIT_MAX)] = 50
    cursor: Annotated[str, Field(max_length=_CURSOR_MAX)] | None = Field(
        None, description="the `next_cursor` of the page before, with all else as it was"
    )


class CustomerOrders(Page):
    """Which orders of a customer, and in what order."""

    lifecycle: Lifecycle | None = None
    payment_status: PaymentStatus | None = None
    fulfilment_status: FulfilmentStatus | None = None
    currency: Currency | None = None
    placed_from: Moment | None = Field(None, description="placed at this time or later")
    placed_to: Moment | None = Field(None, description="placed before this time")
    min_total_minor: Minor | None = None
    max_total_minor: Minor | None = None
    sort: Sort = Field("-placed_at", description="`-` puts the latest or largest first")

    def filters(self) -> dict[str, Any]:
        """Return the filters that are set, by name."""
        return self.model_dump(exclude={"wait_ms", "limit", "cursor", "sort"}, exclude_none=True)


class Orders(CustomerOrders):
    """Which orders, and in what order."""

    customer_id: CustomerId | None = None


class Timeline(Page):
    """Which part of a timeline."""

    limit: Annotated[Whole, Field(ge=1, le=EVENTS_MAX)] = EVENTS_MAX


class Revenue(Waiting):
    """Which days, both included, and which currency."""

    from_day: Day | None = Field(None, alias="from")
    to_day: Day | None = Field(None, alias="to", description="the last day, itself included")
    currency: Currency | None = None


class Stream(Waiting):
    """Where the stream of all events begins when there is no `Last-Event-ID`."""

    begin: Literal["now", "start"] = Field(
        "now", alias="from", description="`start`: with the first event of the log"
    )
