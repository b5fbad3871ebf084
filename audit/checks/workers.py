"""Partitions of an export, walked through side by side."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing.connection import wait as wait_for
from typing import Any

from audit.checks.walk import Job, Walked, walk

_LOOK_S = 0.2

_counted: Any = None
"""In a worker: the number of events that all of them have read."""


def walk_all(jobs: Sequence[Job], workers: int, report: Callable[[int], None]) -> list[Walked]:
    """Walk through all partitions, in the order of `jobs`; `report` gets the events so far."""
    if min(workers, len(jobs)) <= 1:
        return _one_by_one(jobs, report)
    context = multiprocessing.get_context("spawn")
    counted = context.Value("q", 0)
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), context, initializer=_begin, initargs=(counted,)
    )
    try:
        running = [pool.submit(_work, job) for job in jobs]
        while wait(running, _LOOK_S).not_done:
            report(counted.value)
        return [one.result() for one in running]
    except BaseException:
        for process in list((pool._processes or {}).values()):  # noqa: SLF001 - public in 3.14 only
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_by_one(jobs: Sequence[Job], report: Callable[[int], None]) -> list[Walked]:
    done = 0

    def count(events: int) -> None:
        nonlocal done
        done += events
        report(done)

    return [walk(job, count) for job in jobs]


def _begin(counted: Any) -> None:
    """Set a process up. Ctrl-C reaches all processes; the first one ends the others in order."""
    global _counted  # noqa: PLW0603 - what a process pool hands to its workers
    _counted = counted
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the parent is gone: killed, it cannot end its workers, and they wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _work(job: Job) -> Walked:
    def count(events: int) -> None:
        with _counted.get_lock():
            _counted.value += events

    return walk(job, count)
