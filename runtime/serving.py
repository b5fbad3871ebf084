"""An ASGI application as a process: signals, a graceful end, an exit code."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator

import structlog
import uvicorn
from starlette.types import ASGIApp

from runtime.collecting import collect_seldom
from runtime.connections import Pulse
from runtime.settings import HttpSettings
from runtime.short_way import ShortWay, connections

_log = structlog.get_logger("orderlog.serving")

DONE = 0
FAILED = 1
INCOMPATIBLE = 4

_DRAIN_S = 7  # Docker kills ten seconds after SIGTERM.


class Server(uvicorn.Server):
    """Leaves signals to the event loop; uvicorn would raise them again after the end."""

    def __init__(self, config: uvicorn.Config, pulse: Pulse) -> None:
        super().__init__(config)
        self._pulse = pulse

    async def on_tick(self, counter: int) -> bool:
        """Say ten times a second that the loop goes on."""
        self._pulse.beat()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def server(
    app: ASGIApp,
    host: str,
    port: int,
    limits: HttpSettings | None = None,
    *,
    short_way: ShortWay | None = None,
) -> Server:
    """Make the server; `server.should_exit = True` ends it once requests are answered.

    `limits` that are not given are read from the environment. Requests that `short_way` takes
    never come to `app`.
    """
    limits, pulse = limits or HttpSettings(), Pulse()
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=connections(limits, short_way, pulse),
            timeout_keep_alive=limits.http_keep_alive_ms // 1000,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # Nobody asks who the client is.
            timeout_graceful_shutdown=_DRAIN_S,
        ),
        pulse,
    )


async def serve(
    serving: Server,
    *,
    on_stop: Callable[[], None] = lambda: None,
    leave: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; `on_stop` is called first, to end what would not end.

    Requests are still answered while `leave` runs; a second signal does not wait for it.

    Returns the exit code: 0, or 1 when the address cannot be had; nothing was begun then.
    """
    config = serving.config
    reason = _why_not(config.host, config.port)
    if reason is not None:
        _log.error(
            "address_not_available",
            address=f"{config.host}:{config.port}",
            reason=reason,
            remedy="end what listens there, or choose another address: --port, --host",
        )
        return FAILED
    collect_seldom()
    loop = asyncio.get_running_loop()
    leaving: list[asyncio.Task[None]] = []

    async def leave_first(to_leave: Callable[[], Awaitable[None]]) -> None:
        try:
            await to_leave()
        finally:
            serving.should_exit = True

    def stop() -> None:
        on_stop()
        if leave is None or leaving:
            serving.should_exit = True
        else:
            leaving.append(loop.create_task(leave_first(leave)))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await serving.serve()
    except SystemExit:  # uvicorn's way to say that it cannot listen; it has logged why.
        return FAILED
    return DONE if serving.started else FAILED


def _why_not(host: str, port: int) -> str | None:
    """Return why nobody can listen there. Whoever asks later may have taken partitions already."""
    try:
        for family, kind, number, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, number) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
    except OSError as error:
        return str(error)
    return None
