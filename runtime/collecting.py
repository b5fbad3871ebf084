"""Python's garbage collector, for processes that make much and leave hardly any cycles."""

import gc

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 50


def collect_seldom() -> None:
    """Look for reference cycles less often, and never among what is there by now.

    Call it when everything is imported. Each look costs time in proportion to what is alive: a
    replay spends a third of its time on it, and a request that must wait for one waits 95 ms
    (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
