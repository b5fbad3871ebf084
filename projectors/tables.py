"""Tables of generations -> SQL. Values are always bound, names come from the read models."""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from projectors.kinds import Fold, Projection, Tally

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def qualified(table: Table) -> str:
    """Return `schema.name`."""
    return f"{table.schema}.{table.name}"


def columns(table: Table) -> list[str]:
    """Return the column names, quoted where SQL needs it."""
    quote = _DIALECT.identifier_preparer.quote
    return [quote(column.name) for column in table.columns]


def create_table(table: Table) -> str:
    """Return the statement that makes the table without any index."""
    return str(CreateTable(table).compile(dialect=_DIALECT))


def create_indexes(table: Table) -> list[str]:
    """Return one statement per index; those that are there already are left alone."""
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    return [
        str(CreateIndex(index, if_not_exists=True).compile(dialect=_DIALECT)) for index in indexes
    ]


def upsert(projection: Fold | Tally, generation: int) -> str:
    """Return the statement that takes one array per column and writes all rows at once.

    A fold's rows replace what was there; a tally's amounts are added to it.
    """
    table = projection.table(generation)
    names = columns(table)
    arrays = [
        f"${place}::{column.type.compile(dialect=_DIALECT)}[]"
        for place, column in enumerate(table.columns, 1)
    ]
    if isinstance(projection, Tally):
        key = names[: projection.key_columns]
        changes = [f"{name} = t.{name} + excluded.{name}" for name in names[len(key) :]]
    else:
        key = names[:1]
        changes = [f"{name} = excluded.{name}" for name in names[1:]]
    return (
        f"INSERT INTO {qualified(table)} AS t ({', '.join(names)}) "
        f"SELECT * FROM unnest({', '.join(arrays)}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(changes)}"
    )


def view(projection: Projection, generation: int) -> tuple[str, str]:
    """Return the statements that put the view onto one generation."""
    name = qualified(projection.table(None))
    return (
        f"DROP VIEW IF EXISTS {name}",
        f"CREATE VIEW {name} AS SELECT * FROM {qualified(projection.table(generation))}",
    )
