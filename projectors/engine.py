"""One batch into one generation: rows and checkpoint in one transaction, or neither."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from domain.events import Recorded
from projectors import checkpoints, folding, tables
from projectors.checkpoints import Place, Step
from projectors.database import CHECKPOINTS_CHANNEL, Connection
from projectors.kinds import Append, Document, Fold, Projection, Row, Tally
from projectors.parked import parking
from projectors.parked.parking import Item, Parked, ParkedChanged, Parking
from projectors.read_models.times import moment

ORDERS_PARKED_MAX = 100
"""So many orders of a partition may be parked, unless ORDERLOG_PARKED_ORDERS_MAX says else."""


@dataclass(frozen=True, slots=True)
class Move:
    """The events of one partition from checkpoint `old` to checkpoint `new`, oldest first."""

    partition: int
    old: int
    new: int
    records: tuple[Item, ...]


class Engine:
    """Writes one generation of one projection, through whatever connection it is given.

    `parked` are the orders whose events only wait; `load` reads them.
    """

    def __init__(
        self,
        projection: Projection,
        generation: int,
        state: str = "live",
        parked_max: int = ORDERS_PARKED_MAX,
    ) -> None:
        self.projection = projection
        self.place = Place(projection.name, generation, state)
        self.parked: set[str] = set()
        self.parked_max = parked_max
        table = projection.table(generation)
        self._table, self._schema = table.name, table.schema
        self._columns = [column.name for column in table.columns]
        self._select = f"SELECT document FROM {tables.qualified(table)} WHERE order_id = ANY($1)"
        self._upsert = (
            "" if isinstance(projection, Append) else tables.upsert(projection, generation)
        )

    async def load(self, connection: Connection) -> None:
        """Learn which orders are parked."""
        self.parked = await parking.load(connection, self.place)

    async def apply(self, connection: Connection, moves: Sequence[Move]) -> list[Parked]:
        """Apply the moves (at most one per partition) in one transaction.

        Returns the orders that were parked with it.

        Raises:
            CheckpointTaken, GenerationChanged: see `checkpoints.advance`; nothing was written.
            TooManyParked: the fault is in no single order; nothing was written.
            Exception: of Postgres, or of a row's values; nothing was written, except that the
                outcome is unknown when the connection broke: compare the checkpoints.
        """
        while True:
            batch = Parking(self.parked)
            try:
                await self._transact(connection, moves, batch)
            except ParkedChanged:
                await self.load(connection)
            else:
                self.parked |= batch.fresh.keys()
                return list(batch.fresh.values())

    async def _transact(
        self, connection: Connection, moves: Sequence[Move], batch: Parking
    ) -> None:
        records = [item for move in moves for item in move.records]
        async with connection.transaction():
            await checkpoints.advance(connection, self.place, [_step(move) for move in moves])
            if records:
                await self.write(connection, records, batch)
                await batch.save(connection, self.place, self.parked_max)
            if self.place.state == "live":
                await self.notify(connection)

    async def notify(self, connection: Connection) -> None:
        """Wake those who wait for the live rows; they hear of it at the commit."""
        await connection.execute(
            "SELECT pg_notify($1, $2)", CHECKPOINTS_CHANNEL, self.projection.name
        )

    async def write(self, connection: Connection, records: Sequence[Item], batch: Parking) -> None:
        """Write the rows of the events that `batch` does not park, in a transaction of yours."""
        projection = self.projection
        if isinstance(projection, Append):
            rows = folding.rows(projection, records, batch)
            if rows:
                await self.copy(connection, rows)
        elif isinstance(projection, Tally):
            sums: folding.Amounts = {}
            folding.tally(projection, sums, records, batch)
            await self.upsert(connection, folding.tally_rows(sums))
        else:
            await self._fold(connection, projection, records, batch)

    async def _fold(
        self,
        connection: Connection,
        projection: Fold,
        records: Sequence[Item],
        batch: Parking,
    ) -> None:
        partitions = {
            item.order_id: item.partition
            for item in records
            if isinstance(item, Recorded) and item.order_id not in batch.known
        }
        found = await connection.fetch(self._select, list(partitions))
        documents: dict[str, Document] = {}
        for (text,) in found:
            document = orjson.loads(text)
            documents[document["order_id"]] = document
        before = documents.copy()
        folding.fold(projection, documents, records, batch)
        await self.upsert(
            connection,
            [
                document_row(projection, document, partitions[order_id])
                for order_id, document in documents.items()
                if document is not before.get(order_id)
            ],
        )

    async def copy(self, connection: Connection, rows: Iterable[Row]) -> None:
        """Add rows that are not there yet."""
        await connection.copy_records_to_table(
            self._table, schema_name=self._schema, columns=self._columns, records=rows
        )

    async def upsert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Replace a fold's rows, or add to a tally's, in one statement; keys must differ."""
        if rows:
            await connection.execute(self._upsert, *map(list, zip(*rows, strict=True)))


def document_row(projection: Fold, document: Document, partition: int) -> Row:
    """Return the row of one order."""
    whole = projection.derived(document)
    return projection.row(whole, orjson.dumps(whole).decode(), partition)


def _step(move: Move) -> Step:
    recorded_at = moment(move.records[-1].recorded_at_us) if move.records else None
    return Step(move.partition, move.old, move.new, recorded_at)
