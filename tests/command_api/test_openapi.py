"""The OpenAPI document says what the application does, no less and no more."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route

from command_api.app import create_app
from command_api.bodies import BATCH_ITEM, COMMANDS, Beginning
from command_api.problems import CODES
from eventlog.ownership import Partitions
from runtime.settings import CommandSettings

SOURCES = Path(__file__).parents[2] / "command_api"
ORDER_PATH = "/v1/orders/{order_id}/"
HEADERS = {
    "Idempotency-Key",
    "Orders-Correlation-Id",
    "Orders-Actor",
    "Orders-Reason",
    "traceparent",
}
NO_ROUTE = {"not-found", "method-not-allowed"}


def opened_never() -> Partitions:
    raise AssertionError("a document needs no log")


APP = create_app(opened_never, CommandSettings())
DOCUMENT = APP.openapi()
OPERATIONS = {
    (method.upper(), path): operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
COMMAND_PATHS = {
    name: body.route if issubclass(body, Beginning) else ORDER_PATH + name
    for name, body in COMMANDS.items()
}


def served() -> Iterator[tuple[str, str]]:
    """Every method and path; the one route of all other commands stands for each of them."""
    for route in APP.routes:
        assert isinstance(route, Route)
        if not route.include_in_schema:
            continue
        if route.path.startswith("/-/") and route.path != "/-/versions":
            continue  # Nodes use it among themselves.
        paths = (
            [path for path in COMMAND_PATHS.values() if path.startswith(ORDER_PATH)]
            if route.path == ORDER_PATH + "{command}"
            else [route.path]
        )
        for method in (route.methods or set()) - {"HEAD"}:
            yield from ((method, path) for path in paths)


def test_the_document_lists_every_route_and_nothing_else():
    assert sorted(OPERATIONS) == sorted(served())


def test_operations_have_names_of_their_own():
    names = [operation["operationId"] for operation in OPERATIONS.values()]

    assert len(names) == len(set(names))
    assert all(operation["summary"] for operation in OPERATIONS.values())


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_every_reference_leads_somewhere():
    schemas = DOCUMENT["components"]["schemas"]
    named = {reference.removeprefix("#/components/schemas/") for reference in references(DOCUMENT)}

    assert named - set(schemas) == set()
    assert {body.__name__ for body in COMMANDS.values()} <= named


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_a_command_is_one(name):
    content = OPERATIONS["POST", COMMAND_PATHS[name]]["requestBody"]["content"]
    example = content["application/json"]["example"]

    assert COMMANDS[name].model_validate_json(json.dumps(example)).command()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_body_is_required_where_a_field_is(name):
    operation = OPERATIONS["POST", COMMAND_PATHS[name]]
    fields = COMMANDS[name].model_fields.values()

    is_needed = any(field.is_required() for field in fields)
    assert operation["requestBody"]["required"] is is_needed


@pytest.mark.parametrize("name", COMMANDS)
async def test_the_example_of_a_command_is_taken(api, lives, name, path_of):
    """At its time in the life of an order: nobody copies an example that fails."""
    order_id, _ = await api.live(lives[name])

    answer = await api.post(path_of(COMMANDS[name], order_id), _example(name))

    assert answer.status_code == (201 if COMMANDS[name].creates else 200), answer.text


def _example(name: str) -> dict:
    operation = OPERATIONS["POST", COMMAND_PATHS[name]]
    return operation["requestBody"]["content"]["application/json"]["example"]


async def test_the_example_of_a_batch_is_taken(api):
    content = OPERATIONS["POST", "/v1/commands"]["requestBody"]["content"]
    example = content["application/json"]["example"]

    answer = await api.post("/v1/commands", example)

    assert [BATCH_ITEM.validate_python(item).command for item in example]
    assert [result["status"] for result in answer.json()["results"]] == [201]


@pytest.mark.parametrize("name", COMMANDS)
async def test_an_answer_has_the_fields_and_headers_of_its_description(api, lives, name):
    order_id, _ = await api.live(lives[name])
    path = COMMAND_PATHS[name].replace("{order_id}", order_id)

    answer = await api.post(path, lives[name].data)

    described = OPERATIONS["POST", COMMAND_PATHS[name]]["responses"][str(answer.status_code)]
    ours = set(answer.headers) - {"content-length", "content-type"}
    assert {header.lower() for header in described["headers"]} == ours
    example = described["content"]["application/json"]["example"]
    assert list(example) == list(answer.json())
    assert set(DOCUMENT["components"]["schemas"]["Accepted"]["properties"]) == set(example)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_header_that_is_read_is_described(name):
    operation = OPERATIONS["POST", COMMAND_PATHS[name]]
    headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
    queries = {each["name"] for each in operation["parameters"] if each["in"] == "query"}

    assert headers == (HEADERS if COMMANDS[name].creates else HEADERS | {"If-Match"})
    assert queries == {"dry_run"}


def described_codes(operation: dict) -> dict[str, int]:
    return {
        code: int(status)
        for status, response in operation["responses"].items()
        for code in re.findall(r"`([a-z-]+)`:", response["description"])
    }


def test_every_problem_is_described_with_its_status():
    found: dict[str, int] = {}
    for operation in OPERATIONS.values():
        found |= described_codes(operation)

    assert found == {code: CODES[code][0] for code in CODES if code not in NO_ROUTE}


def test_a_batch_has_no_problem_that_only_its_commands_have():
    codes = set(described_codes(OPERATIONS["POST", "/v1/commands"]))

    assert codes == {
        "malformed-json",
        "body-timeout",
        "body-too-large",
        "unsupported-media-type",
        "invalid-command",
        "overloaded",
        "internal-error",
    }


def test_what_can_be_tried_again_says_when():
    for operation in OPERATIONS.values():
        for status in {"429", "503"} & set(operation["responses"]):
            if operation["tags"] == ["commands"]:
                assert "Retry-After" in operation["responses"][status]["headers"]


def test_every_code_is_used_and_every_used_code_is_in_the_table():
    text = "".join(path.read_text() for path in SOURCES.glob("*.py"))
    used = set(re.findall(r'Problem\(\s*"([a-z-]+)"', text))
    used |= set(re.findall(r'\d{3}: "([a-z-]+)"', text))
    used |= set(re.findall(r'return Problem\(\s*"([a-z-]+)"', text))

    assert used == set(CODES)


async def test_the_document_is_served(api):
    answer = await api.client.get("/openapi.json")

    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")
    assert answer.json()["paths"].keys() == DOCUMENT["paths"].keys()
