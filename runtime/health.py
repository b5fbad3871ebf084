"""The four routes that every process of ours serves alike: alive, ready, metrics, versions."""

import asyncio
import platform
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

CHECK_DEADLINE_S = 5.0
LIBRARIES = ("aiokafka", "asyncpg", "confluent-kafka", "fastapi", "protobuf", "uvicorn")

Checks = Callable[[], Awaitable[Mapping[str, str | None]]]


def health_routes(service: str, checks: Checks) -> list[Route]:
    """Make `/livez`, `/readyz`, `/metrics` and `/-/versions` for one process.

    `checks` answers one entry per dependency: its name, and None when it is well or a sentence
    that says what is wrong. `/readyz` is 200 when all are None and 503 otherwise, also when
    `checks` raises or takes longer than `CHECK_DEADLINE_S`.
    """

    async def livez(_: Request) -> Response:
        return _json({"service": service, "status": "alive"})

    async def readyz(_: Request) -> Response:
        found = await _ask(checks)
        is_ready = not any(found.values())
        body = {
            "service": service,
            "status": "ready" if is_ready else "not ready",
            "dependencies": {name: wrong or "ok" for name, wrong in found.items()},
        }
        return _json(body, 200 if is_ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def versions(_: Request) -> Response:
        return _json({"service": service, **installed_versions()})

    return [
        Route("/livez", livez, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
        Route("/-/versions", versions, methods=["GET"]),
    ]


def installed_versions() -> dict[str, str]:
    """Name the versions that matter in a report: ours, Python's, and of the libraries in use."""
    found = {"orderlog": orderlog_version(), "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def orderlog_version() -> str:
    """Return the installed version of orderlog, or `unknown` in a tree that is not installed."""
    try:
        return version("orderlog")
    except PackageNotFoundError:
        return "unknown"


async def _ask(checks: Checks) -> Mapping[str, str | None]:
    try:
        async with asyncio.timeout(CHECK_DEADLINE_S) as deadline:
            return await checks()
    except TimeoutError as error:
        if not deadline.expired():
            return {"checks": f"TimeoutError: {error}"}
        return {"checks": f"no answer within {CHECK_DEADLINE_S:g} s"}
    except Exception as error:  # noqa: BLE001 - a probe that fails is an answer, not a crash
        return {"checks": f"{type(error).__name__}: {error}"}


def _json(body: Mapping[str, object], status: int = 200) -> Response:
    return Response(
        orjson.dumps(body), status, {"Cache-Control": "no-store"}, media_type="application/json"
    )
