"""What a run was asked to do: the `BENCH_*` variables, each with its default."""

import os
import platform
import sys
from collections.abc import Sequence


def number(name: str, default: int) -> int:
    """Return a whole number above 0; anything else ends the run and names the variable."""
    said = os.environ.get(name, str(default))
    if not said.isdecimal() or not int(said):
        sys.exit(f"{name} is {said!r}: set it to a whole number above 0, or leave it out")
    return int(said)


def choice(name: str, choices: Sequence[str], default: str) -> str:
    """Return one of `choices`; anything else ends the run and names the variable."""
    said = os.environ.get(name, default)
    if said not in choices:
        sys.exit(f"{name} is {said!r}: set it to {' or '.join(choices)}, or leave it out")
    return said


def machine() -> str:
    """Say where this runs."""
    return f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}"
