"""What was begun is not left half done."""

import asyncio
import threading

import pytest

from runtime.finishing import in_thread, to_its_end

DEADLINE_S = 20


async def test_the_result_and_the_error_are_those_of_the_work():
    async def fail() -> None:
        raise ValueError("no")

    assert await to_its_end(asyncio.sleep(0, "done")) == "done"
    assert await in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ValueError, match="no"):
        await to_its_end(fail())


async def test_a_cancellation_comes_when_the_work_has_ended():
    go, done = asyncio.Event(), []

    async def work() -> None:
        await go.wait()
        done.append("work")

    task = asyncio.create_task(to_its_end(work()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["work"]


async def test_a_second_cancellation_does_not_wait():
    task = asyncio.create_task(to_its_end(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()

    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_thread_has_ended_when_its_caller_is_cancelled():
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(DEADLINE_S)
        ended.set()
        raise ValueError("nobody asks for it")

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait, DEADLINE_S)
    task.cancel()
    await asyncio.sleep(0)
    go.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
