"""The query parameters of an export: those of `orderlog audit export`."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field

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
    reason: Name | None = Field(None, description="a part of the event's reason")


def refuse_what_does_not_fit(query: Export) -> None:
    """Refuse parameters that are each right, and not together.

    Raises:
        Problem: `invalid-query`.
    """
    if query.archive is None and query.format != "jsonl":
        raise invalid([("format", f"{query.format} is sent in an archive: add archive=tar")])
    if query.archive is None and query.compress is not None:
        raise invalid([("compress", "files are compressed in an archive: add archive=tar")])
    if query.format == "parquet" and query.compress is not None:
        raise invalid([("compress", "must be left out: parquet is compressed by itself")])
    if query.from_ is not None and query.to is not None and query.from_ >= query.to:
        raise invalid([("to", "must be after `from`")])
    if query.from_version and query.to_version and query.from_version > query.to_version:
        raise invalid([("to_version", "must not be below from_version")])


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
