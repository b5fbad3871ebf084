"""One order through our query API and through the endpoint of the tutorials, from the same rows."""

import random
import sys
from collections.abc import Sequence

import httpx2
import uvloop

from benchmarks import load
from benchmarks.load import Result
from benchmarks.processes import wait_for
from benchmarks.read_servers import ReadServers, connect

_ORDERS = 1_000
_COMPARED = 20
_OK = 200


class Queries:
    """Both endpoints on the same live rows, in turns."""

    def __init__(self, servers: ReadServers, url: str, connections: int) -> None:
        self._servers, self._connections = servers, connections
        ours = servers.serve(url, "query")
        guide = servers.processes.start(
            [sys.executable, "-m", "benchmarks.guide_query", str(servers.guide_port), url], {}
        )
        wait_for(f"http://127.0.0.1:{servers.guide_port}/openapi.json", guide)
        self._processes = (ours, guide)
        ids = uvloop.run(order_ids(url, _ORDERS))
        self._requests = [load.get(f"/v1/orders/{order_id}") for order_id in ids]
        self._compare(ids[:_COMPARED])

    def both(self, requests: int, *, is_ours_first: bool) -> tuple[Result, Result]:
        """Ask both for the same orders; return ours and the guide's."""
        ports = [self._servers.query_port, self._servers.guide_port]
        turns = ports if is_ours_first else ports[::-1]
        results = {port: self._ask(port, requests) for port in turns}
        return results[ports[0]], results[ports[1]]

    def close(self) -> None:
        """Stop both."""
        for process in self._processes:
            self._servers.processes.end(process)

    def _ask(self, port: int, requests: int) -> Result:
        rng = random.Random(requests)  # noqa: S311 - which order is asked for
        chosen = iter(rng.choices(self._requests, k=requests))
        result = uvloop.run(
            load.run(port, self._connections, lambda: next(chosen, None), status=_OK)
        )
        if result.wrong or result.answers != requests:
            raise AssertionError(f"{len(result.wrong)} wrong answers, like {result.wrong[:1]}")
        return result

    def _compare(self, ids: Sequence[str]) -> None:
        """Make sure that both say the same."""
        for order_id in ids:
            answers = [
                httpx2.get(f"http://127.0.0.1:{port}/v1/orders/{order_id}").json()
                for port in (self._servers.query_port, self._servers.guide_port)
            ]
            if answers[0] != answers[1] or answers[0]["order_id"] != order_id:
                raise AssertionError(f"the two say different things: {answers}")


async def order_ids(url: str, count: int) -> list[str]:
    """Return the ids of so many orders, chosen evenly."""
    connection = await connect(url)
    rows = await connection.fetch(
        "SELECT order_id::text FROM read_models.orders ORDER BY md5(order_id::text) LIMIT $1", count
    )
    await connection.close()
    return [row[0] for row in rows]
