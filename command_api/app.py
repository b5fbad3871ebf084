"""The command API's composition: settings, the log, its partitions, the application, the server."""

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypedDict

import structlog
import uvloop
from fastapi import FastAPI
from prometheus_client import REGISTRY
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from command_api.endpoints import Commands, HotApp
from command_api.metrics import PartitionCollector
from command_api.nodes.neighbours import Neighbours
from command_api.nodes.peers import Peers
from command_api.openapi import describe
from command_api.problems import Problem, problem_of
from command_api.routing import Router
from command_api.sealing import Sealing
from command_api.short_way import ShortWay
from command_api.submissions import Answers
from domain.decide import DECIDER
from eventlog import topics
from eventlog.group.membership import Membership
from eventlog.kafka import KafkaLog
from eventlog.log import LogUnavailable, TopicMismatch
from eventlog.ownership import Partitions
from personal_data.keys import Keys, NoKeys
from personal_data.postgres import PostgresKeys
from runtime import failpoints
from runtime.health import health_routes, orderlog_version
from runtime.serving import FAILED, INCOMPATIBLE, serve, server
from runtime.settings import CommandSettings, HttpSettings, KeysSettings, LogSettings
from runtime.telemetry import configure_logging

_log = structlog.get_logger("orderlog.command_api")

_EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - these name no machine
_ERRORS = {404: "not-found", 405: "method-not-allowed"}

OpenPartitions = Callable[[Peers], AbstractAsyncContextManager[Partitions]]
OpenKeys = Callable[[], AbstractAsyncContextManager[Keys]]


class State(TypedDict):
    """What requests find at `request.state`."""

    router: Router


class _Opened:
    """The partitions while the application runs, for requests, probes and the end."""

    def __init__(
        self,
        open_partitions: OpenPartitions,
        open_keys: OpenKeys,
        settings: CommandSettings,
        short_way: ShortWay,
    ) -> None:
        self._short_way = short_way
        self._open_partitions = open_partitions
        self._open_keys = open_keys
        self._settings = settings
        self._partitions: Partitions | None = None

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[State]:
        """Open the partitions, and close them in the end."""
        settings = self._settings
        timeout_s = settings.peer_timeout_ms / 1000
        async with (
            self._open_keys() as keys,
            Peers(timeout_s) as peers,
            self._open_partitions(peers) as partitions,
        ):
            router = Router(
                partitions,
                Answers(partitions.identity),
                peers,
                Sealing(keys),
                tenant=settings.tenant,
                wait_s=settings.handover_wait_ms / 1000,
            )
            collector = PartitionCollector(partitions)
            REGISTRY.register(collector)
            self._partitions, self._short_way.router = partitions, router
            try:
                yield State(router=router)
            finally:
                self._partitions = self._short_way.router = None
                REGISTRY.unregister(collector)

    async def checks(self) -> Mapping[str, str | None]:
        """Say of each partition that is owned here what is wrong with it, for `/readyz`."""
        if self._partitions is None:
            return {"kafka": "starting"}
        if self._partitions.refused is not None:
            return {"group": self._partitions.refused}
        if not self._partitions.has_joined:
            return {"group": "joining"}
        return {
            f"partition {partition}": None if state == "serving" else state
            for partition, state in self._partitions.health().items()
        }

    async def leave(self) -> None:
        """Have the partitions taken over by other nodes."""
        if self._partitions is not None:
            await self._partitions.leave()


@asynccontextmanager
async def no_keys() -> AsyncIterator[Keys]:
    """Open no key store: personal data is refused."""
    yield NoKeys()


def create_app(
    open_partitions: OpenPartitions, settings: CommandSettings, open_keys: OpenKeys = no_keys
) -> FastAPI:
    """Put the application together; partitions and key store are open while it runs.

    `await app.state.leave()` before it ends: the partitions then have other owners already.
    `app.state.short_way` is for the server, which does without the application where it can.
    """
    commands = Commands(settings)
    short_way = ShortWay(commands)
    opened = _Opened(open_partitions, open_keys, settings, short_way)
    app = HotApp(
        title="orderlog command API",
        version=orderlog_version(),
        lifespan=opened.lifespan,
        redirect_slashes=False,
        exception_handlers={HTTPException: _no_route, Exception: _fault},
    )
    app.commands = commands
    # Before FastAPI's own routes: the busiest is found first.
    app.router.routes[:0] = [
        *app.commands.routes(),
        *Neighbours(settings).routes(),
        *health_routes("command", opened.checks),
    ]
    app.state.leave = opened.leave
    app.state.short_way = short_way
    describe(app, settings)
    return app


async def _no_route(_: Request, error: Exception) -> Response:
    """Answer what no route takes."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    answer = Problem(_ERRORS.get(status, "not-found"), "The routes are listed at /docs.").response()
    if isinstance(error, HTTPException):
        answer.headers.update(error.headers or {})  # Allow: what the route does take.
    return answer


async def _fault(_: Request, error: Exception) -> Response:
    return problem_of(error).response()


@asynccontextmanager
async def kafka_partitions(
    log: LogSettings, node: str, url: str, peers: Peers
) -> AsyncIterator[Partitions]:
    """Join the group of command nodes and own a share of the topic; leave in order."""
    async with (
        KafkaLog(log) as kafka,
        await Partitions.open(
            kafka, DECIDER, settings=log, node=node, let_go=peers.ask_release
        ) as partitions,
    ):
        membership = Membership(log, url, partitions.owned, partitions.assigned, partitions.refuse)
        try:
            await membership.start()
            partitions.leave = membership.leave
            yield partitions
        finally:
            await membership.stop()


@asynccontextmanager
async def open_keys(settings: KeysSettings) -> AsyncIterator[Keys]:
    """Open the key store of the settings; without one, personal data is refused."""
    url = settings.keys_database_url.get_secret_value()
    if not url:
        async with no_keys() as none:
            yield none
        return
    keys = PostgresKeys(url, settings.keys_timeout_ms / 1000, "orderlog_command")
    async with keys.opened():
        yield keys


def node_url(settings: CommandSettings) -> str:
    """Return where other nodes reach this one; no two nodes may have the same."""
    if settings.node_url:
        return settings.node_url
    is_everywhere = settings.command_host in _EVERYWHERE
    host = socket.gethostname() if is_everywhere else settings.command_host
    return f"http://{host}:{settings.command_port}"


def run(**options: Any) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code. `options` go before the environment.

    0: stopped in order. 1: Kafka does not answer, or the port is taken. 4: the topic is not what
    is needed; the log line says what to do.
    """
    configure_logging("command")
    log, settings, limits = LogSettings(), CommandSettings(**options), HttpSettings()
    keys = KeysSettings()
    try:
        topics.check(log)
    except TopicMismatch as error:
        _log.error("incompatible", reason=str(error), remedy="orderlog topics ensure")
        return INCOMPATIBLE
    except LogUnavailable as error:
        _log.error("kafka_unavailable", reason=str(error))
        return FAILED
    failpoints.arm(log.failpoints)
    url = node_url(settings)
    node = settings.node or url.partition("://")[2]
    app = create_app(
        lambda peers: kafka_partitions(log, node, url, peers), settings, lambda: open_keys(keys)
    )
    address = (settings.command_host, settings.command_port)
    serving = server(app, *address, limits, short_way=app.state.short_way)
    return uvloop.run(serve(serving, leave=app.state.leave))
