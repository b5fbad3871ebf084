"""Between a Kafka client and its broker: holds, loses, alters and cuts what passes, by its kind."""

import asyncio
import contextlib
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

PRODUCE, INIT_PRODUCER_ID, ADD_PARTITIONS, END_TXN = 0, 22, 24, 26

_LENGTH = struct.Struct(">i")
_HEAD = struct.Struct(">hhi")

Alter = Callable[[bytes], bytes]


@dataclass
class Rule:
    """What is done to the next `times` requests of a kind, after `after` others have passed.

    Held: the request reaches the broker only when `release` is set. Cut: the client's connection is
    closed as soon as the request has come, while the request goes its way. Lost: the broker gets
    the request; its reply is lost, with the connection. Dropped: the request never reaches the
    broker, and the connection is closed. `alter` makes another reply of the broker's.
    """

    api: int
    times: int = 1
    after: int = 0
    is_held: bool = False
    is_cut: bool = False
    is_lost: bool = False
    is_dropped: bool = False
    alter: Alter | None = None
    hits: int = 0
    release: asyncio.Event = field(default_factory=asyncio.Event)

    def takes(self, api: int) -> bool:
        """Tell whether this request is one of those, and count it."""
        if api != self.api or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        self.hits += 1
        return True


class Proxy:
    """Listens on `port`, speaks to the broker at `upstream`; `seen` counts requests by kind."""

    def __init__(self, port: int, upstream: int) -> None:
        self.port = port
        self.rules: list[Rule] = []
        self.seen: Counter[int] = Counter()
        self.latency_s = 0.0
        self._upstream = upstream
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Stop listening and cut everything: the broker is gone."""
        if self._server is not None:
            self._server.close()
        self.cut_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_all(self) -> None:
        """Reset every connection."""
        for client in list(self._clients):
            client.transport.abort()

    def rule(self, api: int, **what: object) -> Rule:
        """Add a rule and return it."""
        made = Rule(api, **what)
        self.rules.append(made)
        return made

    async def _connected(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        self._clients.add(to_client)
        broker, to_broker = await asyncio.open_connection("127.0.0.1", self._upstream)
        connection = _Connection(self, to_client, to_broker)
        back = asyncio.create_task(connection.replies(broker))
        try:
            await connection.requests(client)
            await connection.held()
        except (ConnectionError, asyncio.IncompleteReadError):
            await connection.held()
        except asyncio.CancelledError:
            return  # `stop` was called; the streams would log it.
        finally:
            back.cancel()
            self._clients.discard(to_client)
            self._tasks.discard(task)
            to_client.transport.abort()
            to_broker.transport.abort()


class _Connection:
    """One connection of a client and its own to the broker."""

    def __init__(
        self, proxy: Proxy, to_client: asyncio.StreamWriter, to_broker: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._to_client = to_client
        self._to_broker = to_broker
        self._replies: dict[int, Rule] = {}
        self._held: list[asyncio.Task[None]] = []

    async def requests(self, client: asyncio.StreamReader) -> None:
        """Pass requests on until the client is gone."""
        while True:
            frame = await _frame(client)
            api, _, number = _HEAD.unpack_from(frame)
            self._proxy.seen[api] += 1
            if self._proxy.latency_s:
                await asyncio.sleep(self._proxy.latency_s)
            rule = next((one for one in self._proxy.rules if one.takes(api)), None)
            if rule is None:
                self._send(frame)
                continue
            if rule.alter or rule.is_lost:
                self._replies[number] = rule
            if rule.is_held:
                self._held.append(asyncio.create_task(self._send_later(frame, rule)))
            elif not rule.is_dropped:
                self._send(frame)
            if rule.is_cut or rule.is_dropped:
                self._to_client.transport.abort()

    async def _send_later(self, frame: bytes, rule: Rule) -> None:
        await rule.release.wait()
        self._send(frame)
        await asyncio.sleep(0.2)  # The broker reads it before its connection is closed.

    async def held(self) -> None:
        """Wait for what is still on its way, as the network would."""
        await asyncio.gather(*self._held)

    def _send(self, frame: bytes) -> None:
        self._to_broker.write(_LENGTH.pack(len(frame)) + frame)

    async def replies(self, broker: asyncio.StreamReader) -> None:
        """Pass replies back."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                frame = await _frame(broker)
                rule = self._replies.pop(_LENGTH.unpack_from(frame)[0], None)
                if rule is not None and rule.is_lost:
                    break
                if rule is not None and rule.alter is not None:
                    frame = rule.alter(frame)
                self._to_client.write(_LENGTH.pack(len(frame)) + frame)
        self._to_client.transport.abort()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return await reader.readexactly(length)


def end_txn_error(code: int) -> Alter:
    """Put an error code into the reply to EndTxn v0: correlation, throttle time, error."""
    return lambda frame: frame[:8] + struct.pack(">h", code) + frame[10:]


def produce_error(code: int) -> Alter:
    """Put an error code into the reply to Produce v7 for one topic with one partition."""

    def alter(frame: bytes) -> bytes:
        (name,) = struct.unpack_from(">h", frame, 8)
        place = 8 + 2 + name + 4 + 4
        return frame[:place] + struct.pack(">h", code) + frame[place + 2 :]

    return alter
