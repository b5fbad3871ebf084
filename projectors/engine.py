"""One batch into one generation: rows and checkpoint in one transaction, or neither."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from domain.events import Recorded
from projectors import checkpoints, folding, tables
from projectors.checkpoints import Place, Step
from projectors.database import CHECKPOINTS_CHANNEL, Connection
from projectors.kinds import Append, Document, Fold, Projection, Row, Tally
from projectors.read_models.times import moment


@dataclass(frozen=True, slots=True)
class Move:
    """The events of one partition from checkpoint `old` to checkpoint `new`, oldest first."""

    partition: int
    old: int
    new: int
    records: tuple[Recorded, ...]


class Engine:
    """Writes one generation of one projection, through whatever connection it is given."""

    def __init__(self, projection: Projection, generation: int, state: str = "live") -> None:
        self.projection = projection
        self.place = Place(projection.name, generation, state)
        table = projection.table(generation)
        self._table, self._schema = table.name, table.schema
        self._columns = [column.name for column in table.columns]
        self._select = f"SELECT document FROM {tables.qualified(table)} WHERE order_id = ANY($1)"
        self._upsert = (
            "" if isinstance(projection, Append) else tables.upsert(projection, generation)
        )

    async def apply(self, connection: Connection, moves: Sequence[Move]) -> None:
        """Apply the moves (at most one per partition) in one transaction.

        Raises:
            CheckpointTaken, GenerationChanged: see `checkpoints.advance`; nothing was written.
            IntegrityError: the events do not follow what is there; nothing was written.
            Exception: of Postgres or of the pure function; nothing was written, except that the
                outcome is unknown when the connection broke: compare the checkpoints.
        """
        records = [recorded for move in moves for recorded in move.records]
        async with connection.transaction():
            await checkpoints.advance(connection, self.place, [_step(move) for move in moves])
            if records:
                await self._write(connection, records)
            if self.place.state == "live":
                await connection.execute(
                    "SELECT pg_notify($1, $2)", CHECKPOINTS_CHANNEL, self.projection.name
                )

    async def _write(self, connection: Connection, records: Sequence[Recorded]) -> None:
        projection = self.projection
        if isinstance(projection, Append):
            await self.copy(connection, folding.rows(projection, records))
        elif isinstance(projection, Tally):
            sums: folding.Amounts = {}
            folding.tally(projection, sums, records)
            await self.upsert(connection, folding.tally_rows(sums))
        else:
            await self._fold(connection, projection, records)

    async def _fold(
        self, connection: Connection, projection: Fold, records: Sequence[Recorded]
    ) -> None:
        partitions = {recorded.order_id: recorded.partition for recorded in records}
        found = await connection.fetch(self._select, list(partitions))
        documents: dict[str, Document] = {}
        for (text,) in found:
            document = orjson.loads(text)
            documents[document["order_id"]] = document
        folding.fold(projection, documents, records)
        await self.upsert(
            connection,
            [
                document_row(projection, documents[order_id], partition)
                for order_id, partition in partitions.items()
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
    return projection.row(document, orjson.dumps(document).decode(), partition)


def _step(move: Move) -> Step:
    recorded_at = moment(move.records[-1].recorded_at_us) if move.records else None
    return Step(move.partition, move.old, move.new, recorded_at)
