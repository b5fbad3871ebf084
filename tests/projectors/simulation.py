"""One seed's life: two processes with real feeds on a real Postgres, and all that befalls them."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import pytest

from eventlog import codec
from eventlog.log import Record
from eventlog.upcasters import SCHEMA_VERSION
from projectors import binding, database, feed, folding, generations
from projectors.checkpoints import CheckpointTaken, GenerationChanged
from projectors.database import Incompatible
from projectors.engine import Engine, Move
from projectors.feed import Feed, Standby
from projectors.parked import redrive
from projectors.parked.settling import settle
from projectors.read_models import PROJECTIONS
from projectors.replay import bulk, catching_up, gate, rebuild
from projectors.replay.rebuild import Rebuild
from runtime.settings import DatabaseSettings, LogSettings

from .checking import Exact, look, require
from .cutting import AFTER, BEFORE, cutting
from .simulated import IDENTITY, PARTITIONS, Faults, SimulatedLog
from .unreadable import of_the_next_release

NAMES = ("orders", "timeline", "customers")
STEPS = 30
ROUNDS_MAX = 200
_CLEAR = """
DO $$ DECLARE one text; BEGIN
    FOR one IN SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'read_models' LOOP
        EXECUTE 'DROP TABLE read_models.' || one || ' CASCADE';
    END LOOP;
END $$
"""


class World:
    """`settings` and `owner` are of one database, which is cleared at the beginning.

    How often commits are cut and events are poisoned depends on the seed, unless `temper` says it.
    """

    def __init__(
        self,
        seed: int,
        settings: DatabaseSettings,
        owner: asyncpg.Connection,
        patch: pytest.MonkeyPatch,
        **temper: float,
    ) -> None:
        self.rng = random.Random(seed)
        self.log = SimulatedLog(seed)
        self.faults = Faults()
        self.reached: Counter[str] = Counter()
        self.is_deployed = False
        self._settings, self._owner = settings, owner
        self._patch = patch
        self.projections = {name: self.faults.within(PROJECTIONS[name]) for name in NAMES}
        self._exact = Exact([PROJECTIONS[name] for name in NAMES])
        self._feeds: dict[tuple[int, str], Feed] = {}
        self._rogues: list[tuple[Engine, dict[int, int]]] = []
        self.cuts = temper.get("cuts", self.rng.choice([0.03, 0.1, 0.6]))
        self.poison = temper.get("poison", self.rng.choice([0.01, 0.05, 0.15]))
        url = settings.database_url.get_secret_value()
        self._connect = cutting(url, owner, self._plan)

    def _plan(self) -> str | None:
        where = self.rng.choice([BEFORE, AFTER]) if self.rng.random() < self.cuts else None
        self.reached[f"cut {where}"] += where is not None
        return where

    def _stand_in(self) -> None:
        """Let all that reads Kafka read this log."""

        async def bind(*_: object) -> object:
            return IDENTITY

        for module in (redrive, bulk, catching_up):
            self._patch.setattr(module, "LogReader", self.log.reader())
        for module in (rebuild, gate):
            self._patch.setattr(module, "Topics", self.log.topics())
        self._patch.setattr(binding, "bind", bind)
        self._patch.setattr(feed, "_FIRST_PAUSE_S", 0.001)
        self._patch.setattr(codec, "SCHEMA_VERSION", SCHEMA_VERSION)

    async def live(self) -> None:
        """Live through `STEPS` steps, then let everything settle; C6 and C9 hold after each."""
        self._stand_in()
        await self._owner.execute(_CLEAR)
        await self._owner.execute("DELETE FROM orderlog.generations")
        self._eyes = await database.connect(self._settings)
        self._hand = await database.connect(self._settings)
        try:
            await generations.ensure_live(self._hand, self.projections.values(), PARTITIONS)
            for _ in range(STEPS):
                await self._step()
                await self.check()
            await self._settle_all()
        finally:
            for one in self._feeds.values():
                await one.close()
            for connection in (self._eyes, self._hand):
                connection.terminate()

    async def check(self) -> None:
        self._exact.require(await look(self._eyes, NAMES), self.log.decoded())

    async def _step(self) -> None:
        name = self.rng.choice(NAMES)
        steps: list[tuple[int, Callable[[str], Awaitable[None]]]] = [
            (6, self._happen),
            (16, self._apply),
            (2, self._crash),
            (4, self._go_rogue),
            (4, self._both(self._apply, self._rogue)),
            (3, self._retry),
            (4, self._both(self._apply, self._retry)),
            (2, self._discard),
            (3, self._correct),
            (1, self._rebuild),
            (1, self._both(self._apply, self._rebuild)),
            (2, self._roll_back),
        ]
        weights, choices = zip(*steps, strict=True)
        await self.rng.choices(choices, weights)[0](name)

    def _both(self, *steps: Callable[[str], Awaitable[None]]) -> Callable:
        async def at_once(name: str) -> None:
            await asyncio.gather(*(step(name) for step in steps))

        return at_once

    async def _happen(self, _: str) -> None:
        rng = self.rng

        def poison(record: Record) -> Record:
            return of_the_next_release(record) if rng.random() < self.poison else record

        for record in self.log.happen(rng.randint(1, 25), poison):
            if rng.random() < self.poison:
                self.faults.plant(rng, record, rng.choice(NAMES))

    async def _opened(self, number: int, name: str) -> Feed | None:
        known = self._feeds.get((number, name))
        if known is not None:
            return known
        live = await generations.require_live(self._eyes, name)
        engine = Engine(self.projections[name], live.generation, parked_max=20)
        opened = Feed(engine, self._connect, self.rng.choice([3, 50]))
        if not await opened.open():
            self.reached["standby"] += 1
            return None
        self._feeds[number, name] = opened
        return opened

    def _taken(self, at: dict[int, int]) -> list[folding.Decoded]:
        """Cut a batch: it may overlap with what was applied, and end anywhere."""
        rng, found = self.rng, []
        for partition in rng.sample(range(PARTITIONS), rng.randint(1, PARTITIONS)):
            position, end = at[partition], self.log.ends[partition]
            if position < end:
                start = max(0, position - rng.randrange(4))
                goal = rng.randint(position + 1, end)
                found.append(folding.decode(self.log.batch(partition, start, goal)))
        return found

    async def _apply(self, name: str) -> None:
        number = self.rng.randrange(2)
        if (1 - number, name) in self._feeds and self.rng.random() < 0.9:
            number = 1 - number
        opened = await self._opened(number, name)
        if opened is None:
            return
        try:
            await opened._settle(opened._moves(self._taken(opened.positions)))
        except (Standby, GenerationChanged, CheckpointTaken) as error:
            self.reached[type(error).__name__] += 1
            await self._forget(number, name)
        require(not opened.stuck, f"{name} stands still: {opened.stuck}")

    async def _forget(self, number: int, name: str) -> None:
        gone = self._feeds.pop((number, name), None)
        if gone is not None:
            await gone.close()

    async def _crash(self, _: str) -> None:
        """Nobody says good-bye; Postgres finds out by itself."""
        number = self.rng.randrange(2)
        for key in [key for key in self._feeds if key[0] == number]:
            connection = self._feeds.pop(key)._connection
            if connection is not None:
                connection.terminate()

    async def _go_rogue(self, name: str) -> None:
        """Begin as one does who has not heard of the lock; it acts later."""
        live = await generations.require_live(self._eyes, name)
        engine = Engine(self.projections[name], live.generation)
        await engine.load(self._eyes)
        at = (await look(self._eyes, [name])).at[name]
        self._rogues.append((engine, dict(at)))

    async def _rogue(self, name: str) -> None:
        mine = [one for one in self._rogues if one[0].projection.name == name]
        if not mine:
            return
        engine, at = self.rng.choice(mine)
        moves = [
            Move(one.partition, at[one.partition], one.next_offset, one.records)
            for one in self._taken(dict(at))[:1]
        ]
        moves = [
            Move(m.partition, m.old, m.new, tuple(r for r in m.records if r.offset >= m.old))
            for m in moves
        ]

        async def apply(moves: Sequence[Move]) -> None:
            await engine.apply(self._hand, moves)
            at.update((move.partition, move.new) for move in moves)

        async def give_up(_: Move, error: Exception) -> None:
            require(False, f"{name} cannot go on: {error!r}")

        try:
            if moves:
                await settle(moves, apply, give_up)
        except (CheckpointTaken, GenerationChanged) as error:
            self.reached[f"rogue {type(error).__name__}"] += 1
            self._rogues.remove((engine, at))

    async def _retry(self, name: str) -> None:
        connection = await self._connect()
        try:
            found = await redrive.find(connection, name)
            if found:
                if self.rng.random() < 0.4:
                    await self._correct(name)
                order = self.rng.choice(found)
                left = await redrive.retry(connection, LogSettings(), self.projections[name], order)
                self.reached["left parked" if left else "taken up"] += 1
        except GenerationChanged:
            self.reached["retried elsewhere"] += 1
        except Exception as error:
            if not database.is_passing(error):
                raise
            self.reached["retry cut"] += 1
        finally:
            connection.terminate()

    async def _discard(self, name: str) -> None:
        for order in (await redrive.find(self._eyes, name))[:1]:
            self.reached["discarded"] += await redrive.discard(self._eyes, order, "why not")

    async def _correct(self, _: str) -> None:
        """Deploy the release that reads everything, or correct the functions."""
        if self.rng.random() < 0.3:
            self._patch.setattr(codec, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        else:
            self.faults.correct()

    async def _rebuild(self, name: str) -> None:
        is_switching = self.rng.random() < 0.7
        again = Rebuild(LogSettings(), self._settings, [self.projections[name]])
        (built,) = await again.run(is_switching=is_switching)
        self.reached["switched" if built.is_live else "built"] += 1

    async def _roll_back(self, name: str) -> None:
        try:
            await generations.rollback(self._eyes, self.projections[name])
            self.reached["rolled back"] += 1
        except Incompatible:
            return

    async def _settle_all(self) -> None:
        """With all corrected, everything is applied in the end, and nothing waits."""
        self.cuts = 0.0
        self.faults.correct()
        self._patch.setattr(codec, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        for name in NAMES:
            for _ in range(ROUNDS_MAX):
                if (await look(self._eyes, [name])).at[name] == self.log.ends:
                    break
                await self._apply(name)
            else:
                require(False, f"{name} does not come to the end of the log")
            for order in await redrive.find(self._eyes, name):
                await redrive.retry(self._eyes, LogSettings(), self.projections[name], order)
        require(not await redrive.find(self._eyes), "C9: something still waits")
        await self.check()
