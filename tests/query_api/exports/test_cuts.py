"""Exports that do not come to their end, or never begin: nobody takes them for whole."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager

import httpx2
import orjson
import pytest

from eventlog.kafka import KafkaLog
from eventlog.log import LogUnavailable
from query_api.exports import response

PATH = "/v1/audit/export"
DEADLINE_S = 20


@asynccontextmanager
async def opened(api, **query):
    """An export of which nobody reads more than the beginning."""
    async with api.client.stream("GET", PATH, params=query) as answer:
        assert answer.status_code == 200
        yield answer


@pytest.fixture
def endless(monkeypatch):
    """Exports that send a first piece and then wait for ever; answer how many are at it."""
    at_it: set[object] = set()
    real = response.ExportResponse.__init__

    def init(self, exports, begin, *rest):
        @asynccontextmanager
        async def begun():
            async with begin() as pieces:

                async def slow():
                    async for piece in pieces:
                        yield piece
                        at_it.add(self)
                        try:
                            await asyncio.Event().wait()
                        finally:
                            at_it.discard(self)

                yield slow()

        real(self, exports, begun, *rest)

    monkeypatch.setattr(response.ExportResponse, "__init__", init)
    return at_it


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_whoever_leaves_stops_the_work_and_it_is_recorded_as_cut(api, endless, accesses):
    async with opened(api):
        await until(lambda: len(endless) == 1)

    await until(lambda: not endless)
    (access,) = await accesses(1)
    assert access["state"] == "cut"
    assert 0 < access["events"] < 150


async def test_exports_are_few_at_once_and_places_are_given_back(api, endless, accesses):
    async with opened(api), opened(api, archive="tar"):
        await until(lambda: len(endless) == 2)
        problem = await api.problem(PATH)
    await accesses(2)

    assert (problem["status"], problem["code"]) == (429, "too-many-exports")
    assert "ORDERLOG_QUERY_EXPORTS_MAX" in problem["detail"]
    async with opened(api):
        pass


async def test_an_export_is_cut_when_the_process_stops(api, endless, accesses):
    async with opened(api) as answer:
        await until(lambda: len(endless) == 1)
        api.close()
        with pytest.raises(httpx2.RemoteProtocolError):
            await answer.aread()

    (access,) = await accesses(1)
    assert access["state"] == "cut"


async def test_a_client_that_does_not_read_is_let_go(monkeypatch):
    monkeypatch.setattr(response, "_SEND_S", 0.05)
    sent = asyncio.Event()

    async def send(message: dict) -> None:
        if message["type"] == "http.response.body":
            sent.set()
            await asyncio.Event().wait()

    async def receive() -> dict:
        await asyncio.Event().wait()

    exports = response.Exports(1)

    @asynccontextmanager
    async def begin():
        async def pieces():
            yield b"x"

        yield pieces()

    async with asyncio.timeout(DEADLINE_S):
        await response.ExportResponse(exports, begin, "text/plain", "x")({}, receive, send)

    assert sent.is_set()
    with exports.one():  # The place was given back.
        pass


async def test_without_kafka_there_is_a_problem_before_the_first_byte(serve, log_settings):
    away = log_settings.model_copy(
        update={"kafka_bootstrap": "127.0.0.1:9", "request_timeout_ms": 500}
    )
    async with serve(log=away) as api:
        problem = await api.problem(PATH)
        assert (await api.get("/livez")).status_code == 200

    assert (problem["status"], problem["code"]) == (503, "log-unavailable")
    assert "127.0.0.1:9" not in problem["detail"]


@pytest.fixture
def away(monkeypatch) -> Callable:
    """Answer `away(after)`: the log, not that of accesses, goes away after so many reads."""

    def make(after: int) -> None:
        real, reads = KafkaLog.read, []

        async def read(self, partition, *range_):
            if "audit-access" not in self._settings.kafka_topic:
                reads.append(partition)
                if len(reads) > after:
                    raise LogUnavailable("the brokers went away")
            async for batch in real(self, partition, *range_):
                yield batch

        monkeypatch.setattr(KafkaLog, "read", read)

    return make


async def test_a_log_that_goes_away_before_the_first_byte_is_a_problem(api, away, accesses):
    away(0)

    problem = await api.problem(PATH)

    assert (problem["status"], problem["code"]) == (503, "log-unavailable")
    (access,) = await accesses(1)
    assert (access["state"], access["events"]) == ("cut", 0)


async def test_a_log_that_goes_away_later_cuts_the_export(api, away, accesses):
    away(1)

    with pytest.raises(httpx2.RemoteProtocolError):
        await api.get(PATH)

    (access,) = await accesses(1)
    assert access["state"] == "cut"
    assert 0 < access["events"] < 150


async def test_without_a_record_of_the_access_nothing_is_given_out(api, monkeypatch, accesses):
    monkeypatch.setattr("audit.access.topic.access_topic", lambda _: "nowhere.audit-access")

    async with api.client.stream("GET", PATH) as answer:
        raw = await answer.aread()
    problem = orjson.loads(raw)

    assert (problem["status"], problem["code"]) == (503, "access-not-recorded")
    assert "recorded first" in problem["detail"]
    assert "nowhere.audit-access" in problem["detail"]


async def test_other_questions_are_answered_meanwhile(api, endless):
    async with opened(api):
        await until(lambda: len(endless) == 1)

        assert (await api.get("/livez")).status_code == 200
        assert "orderlog_query_exports 1.0" in (await api.get("/metrics")).text
