"""Every field has its bounds; what is wrong is named by its path, and never repeated."""

import copy
import json
from typing import Any

import pytest

from command_api.bodies import COMMANDS
from domain.currencies import EXPONENTS

INT64_MAX = 2**63 - 1
NO_INTEGERS = {
    "a fraction": 1.5,
    "a whole float": 2.0,
    "text": "2",
    "true": True,
    "null": None,
    "an array": [2],
    "an object": {"amount": 2},
}
CONTROL = {"a zero byte": "a\x00b", "a line break": "a\nb", "a tab": "a\tb", "delete": "a\x7fb"}
MARK = "d0n-t-echo"


def put(data: dict, path: tuple, value: Any) -> dict:
    """Return a copy of `data` with `value` at `path`."""
    changed = copy.deepcopy(data)
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return changed


def spelled(path: tuple) -> str:
    """Return `lines[0].sku`."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


LINE = ("lines", 0)
TAX = (*LINE, "taxes", 0)
FULL = {
    "customer_id": "c-1",
    "currency": "EUR",
    "placed_at": "2026-11-23T09:00:00Z",
    "contact": {"name": "Ada", "email": "ada@example.org", "phone": "1"},
    "ship_to": {"name": "Ada", "lines": ["Weg 1"], "city": "Bonn", "country": "DE"},
    "lines": [
        {
            "line_id": "1",
            "sku": "A-1",
            "name": "Cup",
            "quantity": 2,
            "unit_price_minor": 1299,
            "taxes": [{"code": "VAT", "rate": "0.19", "amount_minor": 415, "included": True}],
        }
    ],
    "shipping": {"method": "standard", "price_minor": 490},
    "discounts": [{"discount_id": "SPRING", "amount_minor": 200}],
}
INTEGERS = (
    (*LINE, "quantity"),
    (*LINE, "unit_price_minor"),
    (*TAX, "amount_minor"),
    ("shipping", "price_minor"),
    ("discounts", 0, "amount_minor"),
)
TEXTS = {
    ("customer_id",): 200,
    (*LINE, "sku"): 100,
    (*LINE, "line_id"): 100,
    (*LINE, "name"): 200,
    (*TAX, "code"): 100,
    ("contact", "name"): 200,
    ("contact", "phone"): 200,
    ("ship_to", "name"): 200,
    ("ship_to", "lines", 0): 200,
    ("ship_to", "city"): 200,
    ("shipping", "method"): 100,
    ("discounts", 0, "discount_id"): 100,
}
MAY_BE_EMPTY = {(*LINE, "name"), ("contact", "phone")}
WRONG = {
    ("currency",): ["eur", "EU", "EURO", "XYZ", "", 978, None],
    ("placed_at",): [
        "1969-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-00:01",
        "2026-11-23T09:00:00",
        "2026-11-23",
        "2026-11-23 09:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T09:00:60Z",
        "2026-11-23T09:00:00+24:00",
        "1795424400",
        1_795_424_400,
        "yesterday",
        "",
        True,
    ],
    ("contact", "email"): ["ada", "@", "a b@example.org", "ada@", "a@b\n", "a" * 320 + "@b"],
    ("ship_to", "country"): ["de", "D", "DEU", "", "D1", "DE\n", 49],
    ("ship_to", "lines"): [[], ["x"] * 6, "Weg 1", None],
    ("ship_to",): ["Weg 1", [], 1],
    ("lines",): [[], {}, "A-1", None, [FULL["lines"][0]] * 1_001],
    LINE: ["A-1", None, 1, []],
    (*LINE, "taxes"): [None, {}, [FULL["lines"][0]["taxes"][0]] * 21],
    (*TAX, "rate"): ["19%", "0,19", "-0.1", "1e1", ".5", "0.1234567", "1000", "", "\u0660.\u0661"],
    (*TAX, "included"): ["true", 1, 0, None],
    ("discounts",): [None, [{"discount_id": "D", "amount_minor": 0}] * 201],
    ("order_id",): ["1", "", "0193a5c07a2b7c3d8e4f5a6b7c8d9e0f", 1, "g" * 36],
    **{(*path,): [-1, INT64_MAX + 1, 10**400] for path in INTEGERS},
}
CASES = [
    *((path, value) for path, values in WRONG.items() for value in values),
    *((path, value) for path in INTEGERS for value in NO_INTEGERS.values()),
    *((path, value) for path in TEXTS for value in (*CONTROL.values(), 1, True, ["a"])),
    *((path, "x" * (most + 1)) for path, most in TEXTS.items()),
    *((path, "") for path in TEXTS if path not in MAY_BE_EMPTY),
    ((*LINE, "quantity"), 0),
]


def test_the_full_order_is_one_to_change():
    assert COMMANDS["place-order"].model_validate_json(json.dumps(FULL))


@pytest.mark.parametrize(
    ("path", "value"), CASES, ids=lambda v: spelled(v) if isinstance(v, tuple) else repr(v)[:24]
)
async def test_a_wrong_field_is_named_by_its_path(api, path, value):
    problem = await api.problem("/v1/orders", put(FULL, path, value))

    [error] = problem["errors"]
    assert (problem["status"], problem["code"]) == (422, "invalid-command")
    assert error["field"].startswith(spelled(path))
    assert error["message"]
    assert problem["detail"] == f"{error['field']}: {error['message']}"
    assert api.events() == []


@pytest.mark.parametrize("path", INTEGERS, ids=spelled)
async def test_an_integer_may_be_as_large_as_64_bits_go(api, path):
    """The rules may refuse the sum, but the field is right."""
    answer = await api.post("/v1/orders", put(FULL, path, INT64_MAX))

    assert answer.json().get("code") in {None, "rejected"}


@pytest.mark.parametrize("path", TEXTS, ids=spelled)
async def test_a_text_may_be_as_long_as_its_bound(api, path):
    answer = await api.post("/v1/orders", put(FULL, path, "☕" * TEXTS[path]))

    assert answer.status_code == 201


@pytest.mark.parametrize("currency", sorted(EXPONENTS))
def test_every_currency_of_the_domain_is_taken(currency):
    assert COMMANDS["place-order"].model_validate_json(json.dumps({**FULL, "currency": currency}))


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("2026-11-23T09:00:00Z", 1_795_424_400_000_000),
        ("2026-11-23t09:00:00z", 1_795_424_400_000_000),
        ("2026-11-23T10:00:00.25+01:00", 1_795_424_400_250_000),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ],
)
async def test_a_time_is_any_that_rfc_3339_can_write(api, text, at_us):
    await api.post("/v1/orders", {**FULL, "placed_at": text})

    assert [event.occurred_at_us for event in api.events()] == [at_us]


@pytest.mark.parametrize("path", [(), LINE, TAX, ("ship_to",), ("contact",), ("shipping",)])
async def test_an_unknown_field_is_refused_without_its_name(api, path):
    answer = await api.post("/v1/orders", put(FULL, (*path, MARK), MARK))

    place = ".".join([*([spelled(path)] if path else []), "(unknown field)"])
    assert answer.json()["errors"] == [
        {"field": place, "message": "is not a field of this command"}
    ]
    assert MARK not in answer.text


@pytest.mark.parametrize("name", COMMANDS)
async def test_every_command_refuses_fields_that_it_does_not_have(
    api, lives, order_id, name, path_of
):
    path = path_of(COMMANDS[name], order_id)

    problem = await api.problem(path, {**lives[name].data, "paid": True})

    assert [entry["field"] for entry in problem["errors"]] == ["(unknown field)"]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (name, field)
        for name, body in COMMANDS.items()
        for field, info in body.model_fields.items()
        if info.is_required()
    ],
)
async def test_every_required_field_is_missed(api, lives, order_id, name, field, path_of):
    path = path_of(COMMANDS[name], order_id)
    data = {key: value for key, value in lives[name].data.items() if key != field}

    problem = await api.problem(path, data)

    assert problem["errors"] == [{"field": field, "message": "is required"}]


@pytest.mark.parametrize(
    ("path", "value"),
    [(path, MARK) for path in (*INTEGERS, ("placed_at",), ("currency",), ("order_id",))]
    + [(("contact", "email"), MARK), ((*TAX, "rate"), MARK), (("ship_to", "country"), MARK)]
    + [(("ship_to",), MARK), (LINE, [MARK]), (("customer_id",), MARK + "\x00")],
    ids=lambda value: spelled(value) if isinstance(value, tuple) else "",
)
async def test_what_was_sent_is_not_repeated(api, path, value):
    answer = await api.post("/v1/orders", put(FULL, path, value))

    assert answer.status_code == 422
    assert MARK not in answer.text


async def test_all_wrong_fields_are_named_at_once(api):
    lines = [{"sku": "", "quantity": 0}, {"sku": "B", "quantity": 1, "unit_price_minor": "1"}]

    problem = await api.problem("/v1/orders", {"currency": "eur", "lines": lines, "x": 1})

    assert sorted(entry["field"] for entry in problem["errors"]) == [
        "(unknown field)",
        "currency",
        "customer_id",
        "lines[0].quantity",
        "lines[0].sku",
        "lines[0].unit_price_minor",
        "lines[1].unit_price_minor",
    ]
    assert problem["detail"].endswith("(6 more)")


async def test_the_list_of_wrong_fields_is_bounded(api):
    problem = await api.problem("/v1/orders", {**FULL, "lines": [1] * 900})

    assert len(problem["errors"]) == 50


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "x" * 10_000, "☕"])
async def test_a_note_may_have_paragraphs(api, placed, text):
    answer = await api.post(f"/v1/orders/{placed}/add-note", {"note_id": "n-1", "text": text})

    assert answer.status_code == 200
    assert (await api.in_the_clear(api.events(placed)[1]))["text"] == text


@pytest.mark.parametrize("text", ["", "a\x00b", "a\x1bb", "a\rb", "x" * 10_001])
async def test_a_note_is_text(api, placed, text):
    problem = await api.problem(f"/v1/orders/{placed}/add-note", {"note_id": "n-1", "text": text})

    assert [entry["field"] for entry in problem["errors"]] == ["text"]
