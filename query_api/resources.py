"""What routes are handed: opened once per process, in `app`."""

from typing import Annotated, TypeAlias, TypedDict

from fastapi import Depends
from starlette.requests import Request

from query_api.exports.source import Exporting
from query_api.problems import invalid
from query_api.reading import Reader
from query_api.sse import Following


class Resources(TypedDict):
    """What the lifespan yields; requests have it as their `state`."""

    reader: Reader
    following: Following
    exporting: Exporting


async def _reader(request: Request) -> Reader:
    reader: Reader = request.state.reader
    return reader


async def _following(request: Request) -> Following:
    following: Following = request.state.following
    return following


async def _exporting(request: Request) -> Exporting:
    exporting: Exporting = request.state.exporting
    return exporting


async def refuse_repeated(request: Request) -> None:
    """Refuse a parameter that is given twice: which one was meant is anybody's guess.

    Raises:
        Problem: `invalid-query`.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise invalid([(name, "must be given once") for name in repeated])


ReaderOf: TypeAlias = Annotated[Reader, Depends(_reader)]
FollowingOf: TypeAlias = Annotated[Following, Depends(_following)]
ExportingOf: TypeAlias = Annotated[Exporting, Depends(_exporting)]
Once = Depends(refuse_repeated)
