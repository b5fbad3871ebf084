"""What no route takes: a problem document like every other."""

import pytest

ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/orders",
        "/v1/orders/",
        "/v1/commands/",
        "/v1/drafts/",
        f"/v1/orders/{ORDER}",
        f"/v1/orders/{ORDER}/",
        f"/v1/orders/{ORDER}/accept/",
        f"/v1/orders/{ORDER}/accept/now",
        f"/v1/orders/{ORDER}/dance",
        f"/v1/orders/{ORDER}/Accept",
        f"/v1/orders/{ORDER}/place-order",
        f"/v1/orders/{ORDER}/%00",
        "/v1//orders",
        "/v1/orders%00",
    ],
)
async def test_what_is_not_there_is_not_found(api, placing, path):
    problem = await api.problem(path, placing)

    assert (problem["status"], problem["code"]) == (404, "not-found")
    assert api.events() == []


@pytest.mark.parametrize(
    "order_id",
    [
        "1",
        "x" * 5_000,
        "%00",
        ORDER[:-1],
        ORDER + "0",
        ORDER.replace("-", ""),
        f"%7B{ORDER}%7D",
        f"urn:uuid:{ORDER}",
        "%F0%9F%98%80",
        "%ED%A0%80",
        "..%2f..",
        ORDER[:-1] + "%0A",
    ],
    ids=range(12),
)
async def test_an_order_id_is_a_uuid(api, order_id):
    answer = await api.post(f"/v1/orders/{order_id}/accept")

    assert answer.status_code in {404, 422}
    if answer.status_code == 422:
        assert answer.json()["errors"] == [{"field": "order_id", "message": "must be a UUID"}]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/v1/orders", "/v1/commands", f"/v1/orders/{ORDER}/accept"])
async def test_commands_are_posted(api, refusal, path, method):
    answer = await api.client.request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        assert refusal(answer)["code"] == "method-not-allowed"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/-/versions", "/openapi.json"])
async def test_what_is_read_is_not_posted_to(api, refusal, path):
    answer = await api.client.post(path)

    assert refusal(answer)["code"] == "method-not-allowed"
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/-/versions"])
async def test_a_probe_may_ask_for_the_head_alone(api, path):
    answer = await api.client.head(path)

    assert (answer.status_code, answer.content) == (200, b"")
