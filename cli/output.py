"""What verbs print: facts to stdout, everything else to stderr."""

import os
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from time import monotonic
from types import TracebackType
from typing import Any, NoReturn, Self

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

LINE_EVERY_S = 10.0


class Output(StrEnum):
    """How a verb prints its facts."""

    TEXT = "text"
    JSON = "json"


def say(text: str) -> None:
    """Tell a person something, on stderr."""
    typer.echo(text, err=True)


def fail(text: str, code: int) -> NoReturn:
    """Say what went wrong and end with an exit code of `cli.exit_codes`."""
    say(text)
    raise typer.Exit(code)


def print_json(facts: Any) -> None:
    """Print facts for programs, on stdout."""
    typer.echo(orjson.dumps(facts, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under headers, on stdout: aligned on a terminal, else separated by tabs."""
    lines = [headers, *rows]
    if not sys.stdout.isatty():
        for line in lines:
            typer.echo("\t".join(line))
        return
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


class Progress:
    """How far a long verb is, on stderr: a bar on a terminal, else a line every ten seconds."""

    def __init__(self, what: str, unit: str) -> None:
        self._what = what
        self._unit = unit
        self._started = self._said_at = monotonic()
        self._console = Console(stderr=True)
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and os.environ.get("TERM") != "dumb":
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[detail]}"),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=None, rate="", detail="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int, total: int, detail: str = "") -> None:
        """Tell that `done` of `total` units are done, and what is being worked at."""
        now = monotonic()
        rate = done / max(now - self._started, 0.001)
        if self._bar is not None:
            shown = f"{rate:,.0f} {self._unit}/s"
            self._bar.update(self._task, completed=done, total=total, rate=shown, detail=detail)
        elif now - self._said_at >= LINE_EVERY_S:
            self._said_at = now
            said = f"{self._what}: {done:,} of {total:,} {self._unit}"
            if done:
                said += f", {rate:,.0f}/s, about {(total - done) / rate:,.0f} s left"
            say(f"{said}; {detail}" if detail else said)
