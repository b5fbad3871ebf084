"""Jobs of a rebuild, spread over processes: threads never help, decoding is all Python."""

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import Any

from projectors.replay import bulk
from projectors.replay.bulk import Job

_PROGRESS_S = 0.2
_NICE = 10
"""Whoever serves on the same machine goes first: a rebuild has time."""

Report = Callable[[int, int, str], None]
"""Told the offsets done and in total, and what each worker is at."""


async def run(jobs: Sequence[Job], *, workers: int, report: Report) -> None:
    """Do all jobs, the longest first; with one worker here, else in processes.

    When one fails, or the caller is cancelled, the others are ended: what they had not finished
    was never committed.
    """
    ordered = sorted(jobs, key=lambda job: -_end(job))
    ends = {job.partition: _end(job) for job in ordered}
    partitions = max(ends, default=-1) + 1
    if workers == 1 or len(ordered) <= 1:
        done: Any = [0] * partitions
        bulk.begin(done)
        for job in ordered:
            await _watched(asyncio.create_task(bulk.build(job)), done, ends, report)
    else:
        await _in_processes(ordered, min(workers, len(ordered)), partitions, report)
    total = sum(ends.values())
    report(total, total, "")


async def _in_processes(jobs: Sequence[Job], workers: int, partitions: int, report: Report) -> None:
    context = multiprocessing.get_context("spawn")
    done: Any = context.Array("q", partitions)
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(done,))
    ends = {job.partition: _end(job) for job in jobs}
    try:
        loop = asyncio.get_running_loop()
        running = asyncio.gather(*(loop.run_in_executor(pool, bulk.work, job) for job in jobs))
        await _watched(running, done, ends, report)
    except BaseException:
        for process in list((pool._processes or {}).values()):  # noqa: SLF001 - public in 3.14 only
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(done: MutableSequence[int]) -> None:
    """Set a process up. Ctrl-C reaches all processes; the first one ends the others in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(_NICE)
    gc.disable()  # A partition leaves hardly any cycles: `bulk.work` collects them at its end.
    bulk.begin(done)


def _end_with_parent() -> None:
    """End when the parent is gone: killed, it cannot end its workers, and they wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


async def _watched(
    work: "asyncio.Future[Any]", done: Sequence[int], ends: Mapping[int, int], report: Report
) -> None:
    try:
        while not (await asyncio.wait([work], timeout=_PROGRESS_S))[0]:
            at = dict(enumerate(done[:]))
            report(sum(at.values()), sum(ends.values()), _begun(at, ends))
    except BaseException:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        raise
    work.result()


def _begun(at: Mapping[int, int], ends: Mapping[int, int]) -> str:
    """Say how far the partitions are that workers have begun and not finished."""
    return ", ".join(
        f"partition {partition}: {at[partition] * 100 // end} %"
        for partition, end in sorted(ends.items())
        if 0 < at[partition] < end
    )


def _end(job: Job) -> int:
    return max(target.end for target in job.targets)
