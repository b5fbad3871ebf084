"""The process: its role, its exit codes, its end; and what it says when Postgres is away."""

import asyncio
import os
import signal
import sys
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import orjson
import pytest
from pydantic import SecretStr

from query_api.answers.order import Order, Orders
from query_api.answers.reports import (
    Customer,
    Event,
    Generation,
    Projections,
    Revenue,
    Timeline,
)
from query_api.app import create_app
from query_api.database import Database
from query_api.routes import examples
from runtime.embedded.child import free_port
from runtime.settings import DatabaseSettings, QuerySettings

RUN = "import sys; from query_api.app import run; sys.exit(run())"
DEADLINE_S = 30


async def started(environment: dict) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        env={**os.environ, **environment},
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    async with asyncio.timeout(DEADLINE_S):
        _, stderr = await process.communicate()
    return process.returncode, stderr.decode()


async def opened(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_in_order_with_a_stream_open(database_url, shop, number):
    port = free_port()
    process = await started(
        {"ORDERLOG_DATABASE_URL": database_url, "ORDERLOG_QUERY_PORT": str(port)}
    )
    reader, writer = await opened(port)
    writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(DEADLINE_S):
        await reader.readuntil(b"event: begin")

    process.send_signal(number)
    code, stderr = await ended(process)
    rest = await reader.read()
    writer.close()

    assert code == 0, stderr
    assert rest.endswith(b"0\r\n\r\n")
    assert "Traceback" not in stderr


async def test_a_database_without_schema_is_incompatible(postgres_url, owner):
    empty = urlunsplit(urlsplit(postgres_url)._replace(path="/postgres"))
    process = await started(
        {"ORDERLOG_DATABASE_URL": empty, "ORDERLOG_QUERY_PORT": str(free_port())}
    )

    code, stderr = await ended(process)

    assert code == 4, stderr
    assert "orderlog migrate" in stderr
    assert "Traceback" not in stderr


async def test_a_database_of_an_older_release_is_incompatible(database_url, owner):
    await owner.execute("DROP VIEW orderlog.key_states")
    process = await started(
        {"ORDERLOG_DATABASE_URL": database_url, "ORDERLOG_QUERY_PORT": str(free_port())}
    )

    code, stderr = await ended(process)

    assert code == 4, stderr
    assert "orderlog migrate" in stderr


async def test_a_login_that_may_not_read_is_incompatible(database_url, owner):
    name = f"stranger_{os.getpid()}"
    await owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'p'")
    parts = urlsplit(database_url)
    url = urlunsplit(parts._replace(netloc=f"{name}:p@{parts.hostname}:{parts.port}"))
    try:
        process = await started(
            {"ORDERLOG_DATABASE_URL": url, "ORDERLOG_QUERY_PORT": str(free_port())}
        )
        code, stderr = await ended(process)
    finally:
        await owner.execute(f"DROP ROLE {name}")

    assert code == 4, stderr
    assert "GRANT orderlog_query TO it" in stderr


async def test_an_address_that_is_taken_is_a_failure(database_url, shop, api):
    process = await started(
        {"ORDERLOG_DATABASE_URL": database_url, "ORDERLOG_QUERY_PORT": str(api.port)}
    )

    code, stderr = await ended(process)

    assert code == 1, stderr
    assert "Address already in use" in stderr
    assert "--port" in stderr


async def test_without_postgres_it_serves_what_is_wrong(serve, database_url):
    parts = urlsplit(database_url)
    away = urlunsplit(parts._replace(netloc=f"x:y@127.0.0.1:{free_port()}"))

    async with serve(away) as api:
        problem = await api.problem("/v1/orders")
        ready = await api.get("/readyz")
        alive = await api.get("/livez")

    assert problem["code"] == "database-unavailable"
    assert ready.status_code == 503
    assert ready.json()["dependencies"]["postgres"] != "ok"
    assert alive.status_code == 200


async def test_before_the_first_projector_nothing_is_projected(serve):
    async with serve() as api:
        problem = await api.problem("/v1/orders")
        projections = await api.problem("/v1/projections")
        ready = await api.get("/readyz")

    assert problem["code"] == projections["code"] == "not-yet-projected"
    assert problem["reason"] == "pending"
    assert ready.status_code == 503
    assert "never built" in ready.json()["dependencies"]["orders"]


async def test_nothing_can_be_written(database_url, shop):
    """Twice refused: transactions are read only, and the role has no right to write."""
    database = Database(DatabaseSettings(database_url=SecretStr(database_url)), QuerySettings())
    insert = "INSERT INTO orderlog.generations VALUES ('x', 1, 1, 'live')"
    delete = "DELETE FROM read_models.orders"
    async with database.opened():
        connection = await database.connect()
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("CREATE TABLE read_models.x (y int)")
        await connection.execute("SET default_transaction_read_only = off")
        for statement in (insert, delete, "CREATE TABLE read_models.x (y int)"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        (row,) = await database.fetch("SELECT current_user, current_setting('jit') AS jit")
        await connection.close()

    assert row["current_user"] == "orderlog_query"
    assert row["jit"] == "off"


async def test_a_slow_question_is_given_up(serve, shop, owner):
    async with serve(query_statement_timeout_ms=100) as api:
        assert (await api.get("/v1/orders")).status_code == 200
        async with owner.transaction():
            await owner.execute("SET ROLE orderlog_projector")
            await owner.execute("LOCK TABLE read_models.orders_g1 IN ACCESS EXCLUSIVE MODE")
            problem = await api.problem("/v1/orders")
        await owner.execute("RESET ROLE")
        again = await api.get("/v1/orders")

    assert problem["code"] == "query-timeout"
    assert again.status_code == 200


async def test_connections_that_were_ended_are_replaced(api, shop, owner):
    order_id = shop.place()
    await shop.project()
    await asyncio.gather(*(api.get("/v1/orders") for _ in range(30)))
    await owner.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'orderlog-query' AND datname = current_database()"
    )

    answers = await asyncio.gather(*(api.get(f"/v1/orders/{order_id}") for _ in range(30)))

    assert {answer.status_code for answer in answers} == {200}


async def test_one_connection_listens_for_all_who_wait(api, shop, owner):
    order_id = shop.place()
    headers = {"Orders-Min-Position": shop.token()}
    requests = [
        asyncio.create_task(api.get(f"/v1/orders/{order_id}?wait_ms=5000", headers))
        for _ in range(40)
    ]
    async with asyncio.timeout(DEADLINE_S):
        while "orderlog_query_waiting 40.0" not in (await api.get("/metrics")).text:
            await asyncio.sleep(0.01)
    held = await owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'orderlog-query' "
        "AND datname = current_database()"
    )
    await shop.project()
    answers = await asyncio.gather(*requests)

    assert held <= 11
    assert {answer.status_code for answer in answers} == {200}


async def test_every_route_is_documented_with_an_example():
    app = create_app()
    document = app.openapi()

    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/v1/orders/{order_id}",
        "/v1/orders",
        "/v1/orders/{order_id}/timeline",
        "/v1/orders/{order_id}/stream",
        "/v1/customers/{customer_id}",
        "/v1/customers/{customer_id}/orders",
        "/v1/reports/revenue",
        "/v1/queues/fulfilment",
        "/v1/queues/returns",
        "/v1/stream",
        "/v1/projections",
        "/v1/audit/export",
    }
    names = {methods["get"]["operationId"] for methods in document["paths"].values()}
    assert names == {  # Method names of clients that were generated: they stay.
        "get_order",
        "list_orders",
        "get_timeline",
        "stream_order",
        "get_customer",
        "list_orders_of_customer",
        "report_revenue",
        "queue_fulfilment",
        "queue_returns",
        "stream_all",
        "get_projections",
        "export_audit_trail",
    }
    for path, methods in document["paths"].items():
        ((method, operation),) = methods.items()
        assert method == "get"
        assert operation["description"], path
        content = next(iter(operation["responses"]["200"]["content"].values()))
        assert content["example"], path
        assert "application/problem+json" in operation["responses"]["503"]["content"], path


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/orders/{order_id}", Order),
        ("/v1/orders/{order_id}?as_of_version=1", Order),
        ("/v1/orders", Orders),
        ("/v1/orders/{order_id}/timeline", Timeline),
        ("/v1/customers/c-1", Customer),
        ("/v1/customers/c-1/orders", Orders),
        ("/v1/reports/revenue", Revenue),
        ("/v1/queues/fulfilment", Orders),
        ("/v1/queues/returns", Orders),
        ("/v1/projections", Projections),
    ],
)
async def test_real_answers_have_the_documented_shape(api, shop, path, shape):
    order_id = shop.place()
    await shop.project()
    served = await api.get(path.format(order_id=order_id))
    documented = path.partition("?")[0].replace("c-1", "{customer_id}")
    operation = create_app().openapi()["paths"][documented]["get"]
    content = operation["responses"]["200"]["content"]["application/json"]

    assert shape.model_validate_json(served.text)
    assert content["schema"] == {"$ref": f"#/components/schemas/{shape.__name__}"}


def test_examples_have_the_documented_shape():
    assert Order.model_validate_json(orjson.dumps(examples.ORDER_EXAMPLE))
    assert Event.model_validate(examples.EVENT_EXAMPLE)
    assert Customer.model_validate(examples.CUSTOMER_EXAMPLE)
    assert Revenue.model_validate(examples.REVENUE_EXAMPLE)
    assert Generation.model_validate(examples.PROJECTION_EXAMPLE)
