"""The three kinds of projection. Each is described by its table and one pure function.

Nothing here knows Kafka or a database driver: the query side imports read models, and with them
this module.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Table

from domain.events import Recorded

SCHEMA = "read_models"

Document: TypeAlias = dict[str, Any]
"""What a fold keeps per order: JSON-ready data with at least `order_id` and `version`."""

Row: TypeAlias = tuple[Any, ...]
"""The values of one row in the order of the table's columns, as asyncpg takes them."""

Key: TypeAlias = tuple[Any, ...]

TableFactory: TypeAlias = Callable[[int | None], Table]
"""Makes the description of a generation's table; None: the view on the live generation."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One row per order. The table has the columns `order_id` and `document` (JSON text).

    `evolve(document or None, event)` returns the next document and leaves the one before as it
    was. `derived` fills in what follows from the rest, which `evolve` must not read; it is called
    once per row that is written. `row` makes all columns of a document, its JSON and its partition.
    """

    name: str
    function_version: int
    table: TableFactory
    evolve: Callable[[Document | None, Recorded], Document]
    derived: Callable[[Document], Document]
    row: Callable[[Document, str, int], Row]


@dataclass(frozen=True, slots=True)
class Append:
    """Rows per event, never changed again. The table has `order_id` and `version`."""

    name: str
    function_version: int
    table: TableFactory
    rows: Callable[[Recorded], Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Tally:
    """Additive counters. The table's first columns are the key, all others are amounts.

    `deltas` returns per key what an event adds to the amounts, in the order of the columns.
    """

    name: str
    function_version: int
    table: TableFactory
    key_columns: int
    deltas: Callable[[Recorded], Mapping[Key, Sequence[int]]]


Projection: TypeAlias = Fold | Append | Tally


def table_name(name: str, generation: int | None) -> str:
    """Return the name of a generation's table, or of the view on the live one."""
    return name if generation is None else f"{name}_g{generation}"
