"""The query API: its routes, what they are handed, and the process that serves them."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog
import uvloop
from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from audit.evidence.signing import KeyRefused
from personal_data.postgres import PostgresKeys
from query_api import metrics, problems
from query_api.checkpoints import Checkpoints
from query_api.database import ROLE, Database, SchemaMissing
from query_api.exports import route
from query_api.exports.response import Exports
from query_api.exports.source import Exporting, Source
from query_api.metrics import Measured
from query_api.reading import Reader
from query_api.resources import Resources
from query_api.routes import documentation, orders, projections, reports, streams, timeline
from query_api.sse import Following, Streams
from runtime.health import health_routes, orderlog_version
from runtime.serving import FAILED, INCOMPATIBLE, serve, server
from runtime.settings import (
    AuditSettings,
    DatabaseSettings,
    HttpSettings,
    KeysSettings,
    LogSettings,
    QuerySettings,
)
from runtime.telemetry import configure_logging

_log = structlog.get_logger("orderlog.query")

_ORDERS = "/v1/orders/"
_ONE_ORDER = orders.OneOrder()

# In the order in which they are matched: a customer id may contain slashes.
_ROUTERS = (
    streams.router,
    timeline.router,
    orders.router,
    reports.router,
    projections.router,
    route.router,
)


class HotApp(FastAPI):
    """Answers the order that everyone asks for by its path, and all else as any application does.

    `OneOrder` is a route too, for whatever is not a plain GET.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "GET":
            before, _, order_id = scope["path"].partition(_ORDERS)
            if not before and order_id and "/" not in order_id:
                scope["path_params"] = {"order_id": order_id}
                began_s = time.perf_counter()
                await _ONE_ORDER.respond(
                    scope,
                    receive,
                    send,
                    lambda status: metrics.observe(_ONE_ORDER.path, status, began_s),
                )
                return
        await super().__call__(scope, receive, send)


def create_app(
    query: QuerySettings | None = None,
    database: DatabaseSettings | None = None,
    log: LogSettings | None = None,
    keys: KeysSettings | None = None,
) -> FastAPI:
    """Make the application; settings that are not given are read from the environment.

    Call `app.state.close()` when the process is to end: it ends streams and cuts exports.

    Raises:
        KeyRefused: ORDERLOG_AUDIT_KEY_FILE names no key.
    """
    query, database = query or QuerySettings(), database or DatabaseSettings()
    opener = _keys(keys or KeysSettings(), database)
    source = Database(database, query)
    checkpoints = Checkpoints(source)
    reader = Reader(source, checkpoints, opener, query.wait_ms_default)
    following = Following(checkpoints, Streams(query.query_streams_max))
    places = Exports(query.query_exports_max)
    exporting = Exporting(Source(log or LogSettings(), AuditSettings()), places)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Resources]:
        async with source.opened(), opener.opened(), checkpoints.running():
            yield Resources(reader=reader, following=following, exporting=exporting)

    def close() -> None:
        checkpoints.close()
        places.close()

    app = HotApp(
        title="orderlog query API",
        version=orderlog_version(),
        description=documentation.DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.close = close
    problems.install(app)
    checks = projections.checks(source, reader, query.query_stale_after_ms)
    one_order = Route(orders.OneOrder.path, _ONE_ORDER, methods=["GET"])
    plain = [one_order, *health_routes("query", checks)]
    app.router.routes[:0] = plain
    app.add_middleware(Measured, plain=plain)
    for router in _ROUTERS:
        app.include_router(router)
    documentation.install(app)
    return app


def _keys(settings: KeysSettings, database: DatabaseSettings) -> PostgresKeys:
    """Return the key store: beside the read models, unless it has an address of its own."""
    return PostgresKeys(settings.url_beside(database), settings.keys_timeout_ms / 1000, ROLE)


def run() -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    0: stopped in order. 1: the address is taken, or a setting is wrong. 4: the database is not
    migrated, or the login may not read; the log line has the remedy. While Postgres is away the
    process serves 503 and goes on trying.
    """
    configure_logging("query")
    return uvloop.run(_main(QuerySettings(), DatabaseSettings(), HttpSettings()))


async def _main(query: QuerySettings, database: DatabaseSettings, limits: HttpSettings) -> int:
    source = Database(database, query)
    try:
        async with source.opened():
            await source.check()
    except SchemaMissing as error:
        _log.error("incompatible", reason=str(error))
        return INCOMPATIBLE
    except ValueError as error:
        _log.error("wrong_setting", setting="ORDERLOG_DATABASE_URL", reason=str(error))
        return FAILED
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _log.warning("postgres_not_reachable", reason=repr(error))
    try:
        app = create_app(query, database)
    except KeyRefused as error:
        _log.error("wrong_setting", setting="ORDERLOG_AUDIT_KEY_FILE", reason=str(error))
        return FAILED
    serving = server(app, query.query_host, query.query_port, limits)
    return await serve(serving, on_stop=app.state.close)
