"""The query API: its routes, what they are handed, and the process that serves them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route

from query_api import documentation, orders, problems, projections, reports, streams, timeline
from query_api.checkpoints import Checkpoints
from query_api.database import Database, open_database
from query_api.metrics import Measured
from query_api.process import serve
from query_api.reading import Reader
from query_api.resources import Resources
from query_api.sse import Following, Streams
from runtime.health import health_routes, orderlog_version
from runtime.settings import DatabaseSettings, QuerySettings

_ROUTERS = (
    streams.router,
    timeline.router,
    orders.router,
    reports.router,
    projections.router,
)
"""In the order in which they are matched: a customer id may contain slashes."""


def create_app(
    query: QuerySettings | None = None, database: DatabaseSettings | None = None
) -> FastAPI:
    """Make the application; settings that are not given are read from the environment."""
    query, database = query or QuerySettings(), database or DatabaseSettings()
    app = FastAPI(
        title="orderlog query API",
        version=orderlog_version(),
        description=documentation.DESCRIPTION,
        lifespan=_lifespan(query, database),
        redirect_slashes=False,
    )
    problems.install(app)
    app.add_middleware(Measured)
    # Plain routes first: the order that everyone asks for passes through the fewest hands.
    app.router.routes.insert(0, Route("/v1/orders/{order_id}", orders.get_order, methods=["GET"]))
    for router in _ROUTERS:
        app.include_router(router)
    documentation.install(app)
    return app


def _lifespan(
    query: QuerySettings, settings: DatabaseSettings
) -> Callable[[FastAPI], AbstractAsyncContextManager[Resources]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Resources]:
        async with open_database(settings, query) as database:
            checkpoints = Checkpoints(database)
            async with checkpoints.running():
                reader = Reader(database, checkpoints, query.wait_ms_default)
                app.state.checkpoints = checkpoints
                yield Resources(
                    reader=reader,
                    following=Following(checkpoints, Streams(query.query_streams_max)),
                )

    return lifespan
