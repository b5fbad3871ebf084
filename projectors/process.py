"""The projector process: settings, health, signals, and the exit code."""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping

import structlog
import uvicorn
import uvloop
from starlette.applications import Starlette

from projectors.checkpoints import CheckpointTaken
from projectors.database import Incompatible
from projectors.live import Live
from runtime.collecting import collect_seldom
from runtime.health import health_routes
from runtime.settings import DatabaseSettings, LogSettings, ProjectorSettings
from runtime.telemetry import configure_logging

_log = structlog.get_logger("orderlog.projectors")

_DONE = 0
_FAILED = 1
_INCOMPATIBLE = 4
_STOP_S = 2


def run() -> int:
    """Project until SIGTERM or SIGINT; return the exit code.

    0: stopped in order. 1: other processes took all projections. 4: schema or log is not what is
    needed; the log line says what to do.
    """
    configure_logging("projectors")
    collect_seldom()
    return uvloop.run(_main(LogSettings(), DatabaseSettings(), ProjectorSettings()))


async def _main(log: LogSettings, database: DatabaseSettings, projector: ProjectorSettings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    live = Live(log, database, projector)

    async def checks() -> Mapping[str, str | None]:
        return live.status()

    with_health = _Health(projector, checks)
    with_health.start()
    try:
        await live.run(stop)
    except Incompatible as error:
        _log.error("incompatible", reason=str(error))
        return _INCOMPATIBLE
    except CheckpointTaken as error:
        _log.error("taken_over", reason=str(error))
        return _FAILED
    finally:
        with_health.stop()
    return _DONE


class _Health:
    """Serves health and metrics from a thread, so that they answer while batches are applied."""

    def __init__(
        self,
        projector: ProjectorSettings,
        checks: Callable[[], Awaitable[Mapping[str, str | None]]],
    ) -> None:
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=health_routes("projectors", checks)),
                host=projector.metrics_host,
                port=projector.metrics_port,
                log_config=None,
                access_log=False,
                lifespan="off",
            )
        )
        self._thread = threading.Thread(target=self._server.run, name="health", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(_STOP_S)
