"""Old stored events -> today's shape, on read, keyed by (event type, schema version).

A change of meaning raises SCHEMA_VERSION and adds an entry here, so that everything behind the
codec knows only the newest shape (FsCodec versioning: optional field, then new type, then upcast).
"""

from collections.abc import Callable, Mapping

from eventlog._gen.orders.v1.events_pb2 import Event

SCHEMA_VERSION = 1

Upcaster = Callable[[Event], None]

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}


def upcast(
    message: Event, field: str, upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS
) -> None:
    """Bring `message`, whose body is `field`, step by step to SCHEMA_VERSION, in place."""
    for version in range(message.schema_version, SCHEMA_VERSION):
        step = upcasters.get((field, version))
        if step is not None:
            step(message)
