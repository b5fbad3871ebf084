"""The query parameters of an export: those of `orderlog audit export`."""

from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field, model_validator

from audit.access.log import ACTOR_MAX, ANONYMOUS, actor_of
from domain.values import Actor
from query_api.parameters import CustomerId, Moment, Whole
from query_api.problems import invalid

HEADER = "Orders-Actor"
_INT64_MAX = 2**63 - 1

Version = Annotated[Whole, Field(ge=1, le=_INT64_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=ACTOR_MAX, pattern=r"^[\x21-\x7e]+$")]
AskedBy = Annotated[
    str | None,
    Header(
        alias=HEADER,
        description="who asks, as kind:id; recorded before anything is sent. Default: "
        f"{ANONYMOUS.kind}:{ANONYMOUS.id}",
    ),
]


class Export(BaseModel):
    """Which events, and in what form. Times are those of recording."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["jsonl", "csv", "parquet"] = Field(
        "jsonl", description="`csv` and `parquet` need `archive=tar`"
    )
    compress: Literal["zstd"] | None = Field(
        None, description="of jsonl and csv files in an archive; parquet is always compressed"
    )
    archive: Literal["tar"] | None = Field(
        None, description="`tar`: the files of a folder that `orderlog audit export` would write"
    )
    order_id: UUID | None = None
    customer_id: CustomerId | None = None
    from_: Moment | None = Field(None, alias="from", description="recorded at this time or later")
    to: Moment | None = Field(None, description="recorded before this time")
    from_version: Version | None = None
    to_version: Version | None = None
    actor: Name | None = Field(None, description="`kind:id`, or an id alone")
    correlation_id: Name | None = None
    causation_id: Name | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.archive is None and (self.format != "jsonl" or self.compress):
            raise ValueError(
                "format=csv, format=parquet and compress need archive=tar: only plain JSON lines "
                "are sent without an archive"
            )
        if self.format == "parquet" and self.compress:
            raise ValueError("parquet is compressed by itself: leave compress out")
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise ValueError("`from` must be before `to`")
        if self.from_version and self.to_version and self.from_version > self.to_version:
            raise ValueError("from_version must not be above to_version")
        return self


def asked_by(header: str | None) -> Actor:
    """Return who asks.

    Raises:
        Problem: `invalid-query`, the header is malformed.
    """
    if header is None:
        return ANONYMOUS
    try:
        return actor_of(header)
    except ValueError as error:
        raise invalid([(HEADER, str(error))]) from error
