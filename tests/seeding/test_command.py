"""The verb, over a real socket: what it prints, and its exit codes."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator

import orjson
import pytest
import typer
import uvicorn
from click.testing import Result
from typer.testing import CliRunner

from cli.seed import register
from runtime.embedded.child import free_port
from seeding.demo import ORDERS

Run = Callable[..., Result]


@pytest.fixture
def url(shop) -> Iterator[str]:
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(shop.app(), port=port, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        with socket.socket() as probe:
            probe.settimeout(0.05)
            probe.connect_ex(("127.0.0.1", port))
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def run(url: str, monkeypatch) -> Run:
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    monkeypatch.setenv("ORDERLOG_COMMAND_URL", url)
    monkeypatch.setenv("ORDERLOG_QUERY_URL", url)

    def call(*words: object) -> Result:
        return CliRunner().invoke(app, ["seed", *map(str, words)])

    return call


def test_the_demo_shop_is_equal(run: Run):
    result = run("--dataset", "demo")

    assert result.exit_code == 0, result.output
    assert "equal: everything that was sent is served" in result.stdout
    assert "EUR" in result.stdout


def test_a_second_run_says_what_was_replayed(run: Run):
    run("--dataset", "demo", "--orders", 10)

    facts = orjson.loads(run("--dataset", "demo", "-o", "json").stdout)

    assert (facts["orders"], facts["replayed"]) == (ORDERS, 10)
    assert facts["reconciliation"]["is_equal"] is True
    assert facts["reconciliation"]["sent"] == facts["reconciliation"]["served"]


def test_real_baskets_tell_what_became_no_order(run: Run):
    result = run("--dataset", "completejourney", "--orders", 300, "--concurrency", 2)

    assert result.exit_code == 0, result.output
    assert "rows became no line: the quantity is not above zero" in result.stderr
    assert "USD" in result.stdout


def test_real_baskets_live(run: Run):
    result = run("--dataset", "completejourney", "--orders", 200, "--lifecycle", "-o", "json")

    assert result.exit_code == 0, result.output
    facts = orjson.loads(result.stdout)
    [sums] = facts["reconciliation"]["served"].values()
    assert sums["orders"] == facts["orders"] == 200
    assert facts["commands"] > 1_500
    assert min(sums["captured_minor"], sums["refunded_minor"], sums["open_minor"]) > 0


def test_a_difference_is_exit_code_5(run: Run, shop):
    shop.falsify = lambda order: {**order, "total_minor": order["total_minor"] + 1}

    result = run("--dataset", "demo", "--orders", 5)

    assert result.exit_code == 5
    assert "NOT EQUAL: 5 orders differ" in result.stdout


def test_refusals_are_exit_code_1(run: Run, shop):
    no = {"status": 409, "code": "rejected", "detail": "No."}
    shop.fault_command = lambda seen: no if seen == 1 else None

    result = run("--dataset", "demo", "--concurrency", 1)

    assert result.exit_code == 1
    assert "refused: order 000001, PlaceOrder: 409 rejected No." in result.stderr


def test_a_service_that_is_not_there_is_exit_code_1(run: Run, monkeypatch):
    monkeypatch.setattr("seeding.sending._PAUSE_MAX_S", 0.01)

    result = run("--command-url", f"http://127.0.0.1:{free_port()}", "--orders", 3)

    assert result.exit_code == 1
    assert "the same command goes on from here" in result.stderr


@pytest.mark.parametrize("words", [["--dataset", "tpch"], ["--orders", "0"], ["--rate", "0"]])
def test_wrong_use_is_exit_code_2(run: Run, words: list[str]):
    assert run(*words).exit_code == 2
