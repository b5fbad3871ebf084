"""What all shapes of answers share."""

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Moment: TypeAlias = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339, UTC")
]
Minor: TypeAlias = Annotated[int, Field(description="in minor units of the order's currency")]


class Answer(BaseModel):
    """All fields are always there; those that may be unknown are null."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
