"""JSON that means one thing only; everything else is refused and leaves no trace."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_api.bodies import COMMANDS

ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
GOOD = (
    b'{"customer_id": "c-1", "currency": "EUR", '
    b'"lines": [{"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}]}'
)
PATHS = {
    "place-order": "/v1/orders",
    "another command": f"/v1/orders/{ORDER}/accept",
    "a batch": "/v1/commands",
}
MALFORMED = {
    "a key twice": b'{"currency": "EUR", "currency": "USD"}',
    "a key twice, once escaped": b'{"currency": "EUR", "c\\u0075rrency": "USD"}',
    "a key twice in an array": b'[{"lines": [{"sku": "A", "sku": "B"}]}]',
    "a key twice, deep down": b'{"a": {"b": [{"c": {"d": 1, "e": 2, "d": 1}}]}}',
    "NaN": GOOD.replace(b"1299", b"NaN"),
    "Infinity": GOOD.replace(b"1299", b"Infinity"),
    "-Infinity": GOOD.replace(b"1299", b"-Infinity"),
    "words after the end": GOOD + b" x",
    "two documents": GOOD + GOOD,
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-32": GOOD.decode().encode("utf-32-le"),
    "Latin-1": GOOD.replace(b"c-1", b"Andr\xe9"),
    "an overlong UTF-8 sequence": GOOD.replace(b"c-1", b"\xc0\xaf"),
    "a surrogate in UTF-8": GOOD.replace(b"c-1", b"\xed\xa0\x80"),
    "a lone high surrogate": GOOD.replace(b"c-1", b"\\ud800"),
    "a lone low surrogate": GOOD.replace(b"c-1", b"\\udc00"),
    "surrogates the wrong way round": GOOD.replace(b"c-1", b"\\udc00\\ud800"),
    "10,000 open arrays": b"[" * 10_000,
    "10,000 open objects": b'{"a":' * 10_000,
    "10,000 nested arrays": b"[" * 10_000 + b"]" * 10_000,
    "33 nested arrays": b"[" * 33 + b"]" * 33,
    "33 nested objects": b'{"a":' * 33 + b"1" + b"}" * 33,
    "a number of 1,001 digits": GOOD.replace(b"1299", b"9" * 1_001),
    "a negative number of 1,001 digits": GOOD.replace(b"1299", b"-" + b"9" * 1_001),
    "an object without its end": GOOD[:-1],
    "an array without its end": b"[" + GOOD,
    "a string without its end": b'{"customer_id": "c-1',
    "white space alone": b" \r\n\t",
    "single quotes": GOOD.replace(b'"', b"'"),
    "keys without quotes": b"{currency: 1}",
    "a comment at the end": GOOD + b" // done",
    "a comment before": b"/* order */" + GOOD,
    "a comma too many": GOOD.replace(b"}]", b"},]"),
    "a zero byte at the end": GOOD + b"\x00",
    "a zero byte in a string": GOOD.replace(b"c-1", b"c\x00"),
    "a line break in a string": GOOD.replace(b"c-1", b"c\n1"),
    "an unknown escape": GOOD.replace(b"c-1", b"\\x41"),
    "a number of 5,000 digits": GOOD.replace(b"1299", b"9" * 5_000),
    "a number with a zero before": GOOD.replace(b"1299", b"01299"),
    "a number with a plus": GOOD.replace(b"1299", b"+1299"),
    "a hexadecimal number": GOOD.replace(b"1299", b"0x513"),
    "a form": b"customer_id=c-1&currency=EUR",
    "Python": b"{'currency': None}",
}
NO_OBJECT = {
    "null": b"null",
    "true": b"true",
    "a number": b"1",
    "a string": b'"order"',
    "an array": b"[]",
    "nested arrays": b"[" * 32 + b"]" * 32,
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_not_json_is_refused_whole(api, path, body):
    problem = await api.problem(path, body)

    assert (problem["status"], problem["code"]) == (400, "malformed-json")
    assert api.events() == []


async def test_the_place_of_the_fault_is_told(api):
    problem = await api.problem("/v1/orders", b'{\n  "currency": "EUR",\n  "currency": "USD"\n}')

    assert problem["detail"] == "an object has the same key twice at line 3 column 14"


async def test_the_line_of_the_fault_is_that_of_the_whole_file(api):
    body = b'{"command": "accept"}\n\n{"command" "accept"}\n'

    problem = await api.problem("/v1/commands", body, content_type="application/x-ndjson")

    assert problem["detail"].endswith("at line 3 column 12")


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_key_twice_is_refused_by_every_command(api, lives, name, path_of):
    order_id, version = await api.live(lives[name])
    path = path_of(COMMANDS[name], order_id)
    body = json.dumps(lives[name].data)

    problem = await api.problem(path, f'{{"x": 1, "x": 1, {body[1:]}'.encode())

    assert problem["code"] == "malformed-json"
    assert len(api.events()) == version


@pytest.mark.parametrize("body", NO_OBJECT.values(), ids=NO_OBJECT)
@pytest.mark.parametrize("path", list(PATHS.values())[:2], ids=list(PATHS)[:2])
async def test_json_that_is_no_object_is_no_command(api, path, body):
    problem = await api.problem(path, body)

    assert (problem["status"], problem["code"]) == (422, "invalid-command")
    assert problem["errors"] == [{"field": "(body)", "message": "must be an object"}]


async def test_an_order_needs_a_body(api):
    problem = await api.problem("/v1/orders", b"")

    assert problem["code"] == "malformed-json"


async def test_fields_are_named_when_a_body_that_is_needed_is_left_out(api, placed):
    problem = await api.problem(f"/v1/orders/{placed}/add-note", b"")

    assert [entry["field"] for entry in problem["errors"]] == ["note_id", "text"]


async def test_minus_zero_is_zero(api):
    answer = await api.post("/v1/orders", GOOD.replace(b"1299", b"-0"))

    assert answer.status_code == 201
    assert api.events()[0].event.total_minor == 0


async def test_escaped_characters_are_the_characters(api):
    answer = await api.post("/v1/orders", GOOD.replace(b"c-1", b"\\u00e9\\ud83d\\ude00"))

    assert answer.status_code == 201
    assert api.events()[0].event.customer_id == "é😀"


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
DAMAGED = st.builds(
    lambda at, length, junk: GOOD[:at] + junk + GOOD[at + length :],
    st.integers(0, len(GOOD)),
    st.integers(0, 4),
    st.binary(max_size=4),
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.sampled_from([*PATHS.values(), f"/v1/orders/{ORDER}/create-shipment"]),
    body=st.binary(max_size=200) | ANY_JSON.map(lambda v: json.dumps(v).encode()) | DAMAGED,
)
async def test_no_bytes_are_a_fault_of_ours(api, path, body):
    before = len(api.events())

    answer = await api.post(path, body)

    appended = len(api.events()) - before
    assert answer.status_code < 500, answer.text
    assert appended == (answer.status_code == 201)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    items=st.lists(
        st.sampled_from(list(COMMANDS)).flatmap(
            lambda name: st.fixed_dictionaries(
                {"command": st.just(name), "order_id": st.just(ORDER)},
                optional={
                    "data": st.dictionaries(
                        st.sampled_from(list(COMMANDS[name].model_fields) or ["x"]), ANY_JSON
                    )
                },
            )
        )
        | ANY_JSON,
        min_size=1,
        max_size=4,
    )
)
async def test_no_batch_is_a_fault_of_ours(api, items):
    before = len(api.events())

    answer = await api.post("/v1/commands", items)

    assert answer.status_code in {200, 400}, answer.text
    statuses = [result["status"] for result in answer.json().get("results", [])]
    assert [status for status in statuses if status >= 500] == []
    assert len(api.events()) - before == statuses.count(201)
