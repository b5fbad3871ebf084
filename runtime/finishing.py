"""Work that is not left half done when whoever waits for it is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def to_its_end(work: Awaitable[T]) -> T:
    """Wait for `work`; a cancellation that comes meanwhile is passed on when it has ended.

    A second cancellation does not wait.
    """
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if not running.done():
            await asyncio.wait({running})
        if not running.cancelled():
            running.exception()  # Nobody else will ask for it.
        raise


async def in_thread(call: Callable[..., T], *arguments: Any) -> T:
    """Call in a thread. It has ended when this returns or raises, so that what it uses may go."""
    return await to_its_end(asyncio.to_thread(call, *arguments))
