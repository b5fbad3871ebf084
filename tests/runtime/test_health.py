"""The four routes that every process has."""

import asyncio

import httpx2
import pytest
from starlette.applications import Starlette

from runtime import health


async def get(path: str, checks) -> httpx2.Response:
    app = Starlette(routes=health.health_routes("test", checks))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


async def fine() -> dict:
    return {"kafka": None, "postgres": None}


async def ill() -> dict:
    return {"kafka": "no answer", "postgres": None}


async def raising() -> dict:
    raise OSError("gone")


async def timing_out() -> dict:
    raise TimeoutError("the database took 2 s")


async def hanging() -> dict:
    await asyncio.Event().wait()
    return {}


async def test_ready_names_every_dependency():
    answer = await get("/readyz", fine)

    assert answer.status_code == 200
    assert answer.json()["dependencies"] == {"kafka": "ok", "postgres": "ok"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        pytest.param(ill, {"kafka": "no answer", "postgres": "ok"}, id="one is ill"),
        pytest.param(raising, {"checks": "OSError: gone"}, id="the check fails"),
        pytest.param(
            timing_out, {"checks": "TimeoutError: the database took 2 s"}, id="it gives up itself"
        ),
        pytest.param(hanging, {"checks": "no answer within 0.05 s"}, id="the check hangs"),
    ],
)
async def test_not_ready_is_503_and_says_why(monkeypatch, checks, said):
    monkeypatch.setattr(health, "CHECK_DEADLINE_S", 0.05)

    answer = await get("/readyz", checks)

    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    assert answer.json()["dependencies"] == said


async def test_a_client_that_goes_away_is_not_an_answer():
    """Cancellation passes through; it is no fault of a dependency."""
    asked = asyncio.create_task(get("/readyz", hanging))
    await asyncio.sleep(0)
    asked.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asked


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/-/versions"])
async def test_no_answer_is_kept_by_a_cache(path):
    assert (await get(path, fine)).headers["cache-control"] == "no-store"


async def test_every_answer_names_the_process():
    for path in ("/livez", "/readyz", "/-/versions"):
        assert (await get(path, fine)).json()["service"] == "test"


async def test_alive_does_not_depend_on_anything():
    answer = await get("/livez", hanging)

    assert (answer.status_code, answer.json()["status"]) == (200, "alive")


async def test_metrics_are_for_prometheus():
    answer = await get("/metrics", fine)

    assert answer.status_code == 200
    assert "python_info" in answer.text


async def test_versions_name_what_runs():
    found = (await get("/-/versions", fine)).json()

    assert found["orderlog"] == health.orderlog_version()
    assert {"python", "aiokafka", "fastapi", "protobuf"} <= set(found)
