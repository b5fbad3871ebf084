"""What the query API counts, for Prometheus, per route template."""

import time
from collections.abc import Iterable
from typing import Any

from prometheus_client import Gauge, Histogram
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.telemetry import LATENCY_BUCKETS_S

SECONDS = Histogram(
    "orderlog_query_request_seconds",
    "From the request to the beginning of its answer, waiting for positions included.",
    ["route", "status"],
    buckets=LATENCY_BUCKETS_S,
)
WAITING = Gauge("orderlog_query_waiting", "Requests that wait for a position.")
STREAMS = Gauge("orderlog_query_streams", "Streams that are open.")
EXPORTS = Gauge("orderlog_query_exports", "Exports of the audit trail that are under way.")

_FAILED = 500


def observe(route: str, status: int, began_s: float) -> None:
    """Count one request that began at `time.perf_counter() == began_s`."""
    SECONDS.labels(route, status).observe(time.perf_counter() - began_s)


class Measured:
    """Observes every HTTP request, once; `plain` are routes of Starlette."""

    def __init__(self, app: ASGIApp, plain: Iterable[Route]) -> None:
        self._app = app
        # FastAPI says which route it took, Starlette only which endpoint.
        self._templates: dict[Any, str] = {route.endpoint: route.path for route in plain}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._observe(scope, status, began)
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception:
            if not status:
                self._observe(scope, _FAILED, began)
            raise

    def _observe(self, scope: Scope, status: int, began: float) -> None:
        # Paths that no route has are one entry: clients must not be able to make up labels.
        template = self._templates.get(scope.get("endpoint"), "none")
        route = getattr(scope.get("route"), "path", template)
        observe(route, status, began)
