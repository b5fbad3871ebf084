"""Kafka and Postgres from packages, as `orderlog dev` starts them, on free ports."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.embedded.child import free_port
from runtime.embedded.kafka import kafka
from runtime.embedded.postgres import postgres, remove
from runtime.embedded.roles import ensure_owner


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Yield where the broker is reached."""
    port = free_port()
    child = kafka(folder, port)
    child.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        child.stop()


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Yield the address of an owner of the server."""
    port = free_port()
    child, credentials = postgres(folder, port, is_durable=False)
    child.start()
    try:
        yield asyncio.run(ensure_owner(port, credentials))
    finally:
        child.stop()
        remove(folder)
