"""Named points in the way of a command, at which a test has its process killed.

Off unless `ORDERLOG_FAILPOINTS` says otherwise, which is for tests alone: `delivered:3` kills the
process, as `kill -9` would, when it comes to that point for the third time.
"""

import os
import signal

_left: dict[str, int] = {}


def arm(points: str) -> None:
    """Take `name:count[,name:count]`; empty: none."""
    _left.clear()
    for point in points.split(",") if points else ():
        name, _, count = point.partition(":")
        _left[name] = int(count)


def reach(name: str) -> None:
    """Go on, unless it is here that the process ends."""
    if _left and name in _left:
        _left[name] -= 1
        if _left[name] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
