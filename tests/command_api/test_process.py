"""The process on a real Kafka: its exit codes, and its end while clients wait."""

import asyncio
import os
import signal
import sys

import httpx2
import pytest

from runtime.embedded.child import free_port

ORDER = {
    "customer_id": "c-1",
    "currency": "EUR",
    "lines": [{"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}],
}
DEADLINE_S = 40


async def started(settings, port: int, **more) -> asyncio.subprocess.Process:
    environment = {
        "ORDERLOG_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "ORDERLOG_KAFKA_TOPIC": settings.kafka_topic,
        "ORDERLOG_ENVIRONMENT": settings.environment,
        "ORDERLOG_COMMAND_PORT": str(port),
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli.main",
        "serve",
        "command",
        env={**os.environ, **environment, **more},
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    async with asyncio.timeout(DEADLINE_S):
        _, stderr = await process.communicate()
    return process.returncode, stderr.decode()


async def until_ready(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_in_order_and_keeps_what_it_answered(log_settings, number):
    port = free_port()
    process = await started(log_settings, port)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        await until_ready(client)
        asking = [asyncio.create_task(client.post("/v1/orders", json=ORDER)) for _ in range(50)]
        await asking[0]
        process.send_signal(number)
        answers = await asyncio.gather(*asking, return_exceptions=True)
        code, stderr = await ended(process)

    assert code == 0, stderr
    assert "Traceback" not in stderr
    statuses = {answer.status_code for answer in answers if isinstance(answer, httpx2.Response)}
    assert 201 in statuses
    assert statuses <= {201, 503}


async def test_a_missing_topic_is_incompatible(log_settings):
    missing = log_settings.model_copy(update={"kafka_topic": "orders.nowhere"})

    code, stderr = await ended(await started(missing, free_port()))

    assert code == 4, stderr
    assert "orderlog topics ensure" in stderr


async def test_a_broker_that_is_away_is_said_once(log_settings):
    away = log_settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{free_port()}"})

    code, stderr = await ended(await started(away, free_port(), ORDERLOG_REQUEST_TIMEOUT_MS="1000"))

    assert code == 1, stderr
    assert "ORDERLOG_KAFKA_BOOTSTRAP" in stderr
    assert "does not answer" in stderr
    assert len(stderr.splitlines()) == 1


async def test_a_port_that_is_taken_is_said_before_anything_is_begun(log_settings):
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        code, stderr = await ended(await started(log_settings, port))

    assert code == 1, stderr
    (line,) = stderr.splitlines()  # It has not asked for partitions that another one may have.
    assert f'"address":"127.0.0.1:{port}"' in line
    assert "Address already in use" in line
    assert "--port" in line
