"""docs/command-api.md leaves nothing out, and what it shows is what is answered."""

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from command_api import parts
from command_api.app import create_app
from command_api.bodies import COMMANDS, BatchItem
from command_api.problems import CODES
from runtime.settings import CommandSettings, HttpSettings, LogSettings

PAGE = (Path(__file__).parents[2] / "docs/command-api.md").read_text()
ROWS = {
    cells[1].strip(): cells
    for cells in (re.split(r"(?<!\\)\|", line) for line in PAGE.splitlines())
    if len(cells) > 3
}
PARTS = (
    "Line",
    "LineQuantity",
    "Tax",
    "Address",
    "Contact",
    "Shipping",
    "Discount",
    "RepricedLine",
    "Changes",
    "ReceivedLine",
    "ImportedLine",
    "ImportedPayment",
)


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_documented_with_its_status(code):
    _, _, status, cause, remedy, _ = ROWS[f"`{code}`"]

    assert int(status) == CODES[code][0]
    assert len(cause) > 10
    assert len(remedy) > 5


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_with_its_fields_and_events(lives, name):
    _, _, body, events, _ = ROWS[f"`{name}`"]
    fields = {field: info.is_required() for field, info in COMMANDS[name].model_fields.items()}
    written = {field: mark == "" for field, mark in re.findall(r"`(\w+)`(\??)", body)}

    assert written == fields
    assert re.findall(r"[A-Z]\w+", events) == list(lives[name].events)


@pytest.mark.parametrize("part", PARTS)
def test_every_field_of_a_part_is_documented(part):
    written = dict(re.findall(r"`(\w+)`(\??)", PAGE[PAGE.index("| part |") :]))

    for field, info in getattr(parts, part).model_fields.items():
        assert field in written, f"{part}.{field}"
        assert info.is_required() or f"`{field}`?" in PAGE, f"{part}.{field}"


def test_every_route_is_documented():
    app = create_app(lambda: None, CommandSettings())
    paths = {route.path for route in app.routes} - {"/docs/oauth2-redirect"}

    assert [path for path in paths if f"{path}`" not in PAGE] == []


def test_every_header_is_documented():
    """Those that the code reads, those that it writes, and those of the OpenAPI document."""
    app = create_app(lambda: None, CommandSettings())
    sources = "".join(
        path.read_text() for path in (Path(__file__).parents[2] / "command_api").glob("*.py")
    )
    headers = set(re.findall(r'headers\.get\(\s*b?"([a-z-]+)"', sources))
    headers |= set(re.findall(r'"([A-Z][\w-]+)": ', sources)) & {"ETag", "Retry-After"}
    for operations in app.openapi()["paths"].values():
        for operation in operations.values():
            headers |= {
                each["name"] for each in operation.get("parameters", []) if each["in"] == "header"
            }
            for response in operation["responses"].values():
                headers |= set(response.get("headers", {}))
    documented = {name.strip("`").lower() for name in ROWS}

    assert len(headers) > 10
    assert {each.lower() for each in headers} - documented == {"content-length", "content-encoding"}


def test_every_field_of_a_batch_is_documented():
    assert [field for field in BatchItem.model_fields if f"`{field}`" not in PAGE] == []


def test_every_limit_is_that_of_the_settings():
    limits = re.findall(r"\| ([\d,]+ ?\w*) +\| `ORDERLOG_(\w+)`", PAGE)
    fields = {
        **HttpSettings.model_fields,
        **CommandSettings.model_fields,
        **LogSettings.model_fields,
    }
    units = {"": 1, "KiB": 1024, "MiB": 1024 * 1024, "s": 1000}

    assert len(limits) == 12
    for text, name in limits:
        number, _, unit = text.partition(" ")
        assert int(number.replace(",", "")) * units[unit] == fields[name.lower()].default, name


async def test_every_metric_is_documented(api, placing):
    await api.post("/v1/orders", placing)
    text = (await api.client.get("/metrics")).text
    metrics = set(
        re.findall(
            r"^# TYPE (orderlog_(?:command|partition|transaction|group|doubt)\w*)",
            text,
            re.MULTILINE,
        )
    )
    ours = {name for name in metrics if not name.endswith("_created")}

    assert len(ours) == 14
    assert [name for name in ours if f"`{name}" not in PAGE] == []


def shown(number: int) -> tuple[list[str], dict[str, str], str]:
    """Return a request of the page as a shell reads it, and the answer: headers and body."""
    block = re.findall(r"```console\n\$ (.*?)```", PAGE, re.DOTALL)[number]
    command, answer = re.split(r"(?<!\\)\n", block, maxsplit=1)
    head, _, body = answer.rpartition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    return shlex.split(command.replace("\\\n", "")), headers, body


async def send(api, words: list[str]):
    url = next(word for word in words if word.startswith("http://127.0.0.1:8000/"))
    pairs = list(pairwise(words))
    headers = dict(value.split(": ", 1) for option, value in pairs if option == "-H")
    body = next((value.encode() for option, value in pairs if option == "-d"), None)
    return await api.client.post(
        url.removeprefix("http://127.0.0.1:8000"), content=body, headers=headers
    )


def settled(text: str) -> dict:
    """Return the body without what differs from run to run."""
    return json.loads(re.sub(r'("(?:event_id|position)":)"[^"]+"', r'\1"…"', text))


async def test_what_the_page_shows_is_what_is_answered(api):
    words, headers, body = shown(0)
    placed = await send(api, words)

    assert placed.status_code == 201
    assert settled(placed.text) == settled(body)
    assert set(headers) - {"date"} == set(placed.headers)
    for name in ("etag", "location", "idempotency-replayed"):
        assert headers[name] == placed.headers[name]

    await api.post(f"{placed.headers['location']}/accept")
    words, _, body = shown(1)
    missed = await send(api, words)

    assert missed.status_code == 412
    assert settled(missed.text) == settled(body)


async def test_the_batch_of_the_page_is_taken(api):
    await send(api, shown(0)[0])
    [batch] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)

    answer = await api.post("/v1/commands", json.loads(batch))

    assert [result["status"] for result in answer.json()["results"]] == [201, 200]
