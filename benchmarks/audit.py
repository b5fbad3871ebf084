"""Exports of a full log and their verification, in every format, on a broker of its own.

`python -m benchmarks.audit` fills a topic with BENCH_EVENTS events (1,000,000 by default), then
calls the verbs as anybody would, one after the other, and prints a table. It ends with 1 when
anything is not valid. BENCH_PARTITIONS changes the number of partitions (4), BENCH_WORKERS that of
the processes that verify (one per core).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import orjson
import psutil

from benchmarks.asked import machine, number
from benchmarks.filling import fill
from benchmarks.processes import ORDERLOG
from eventlog.topics import Topics
from runtime.embedded.child import free_port
from runtime.embedded.kafka import kafka
from runtime.settings import LogSettings

EVENTS = number("BENCH_EVENTS", 1_000_000)
PARTITIONS = number("BENCH_PARTITIONS", 4)
WORKERS = number("BENCH_WORKERS", os.cpu_count() or 1)
FORMATS = (("jsonl",), ("jsonl", "zstd"), ("csv",), ("csv", "zstd"), ("parquet",))
_LOOK_S = 0.1
_ROOT = Path(__file__).resolve().parents[1]


@dataclass(slots=True)
class Ran:
    """A verb that has run: what it printed, how long it took, and the most memory it held."""

    printed: bytes
    seconds: float
    peak_bytes: int

    @property
    def memory(self) -> str:
        """The most it held, for people."""
        return f"{self.peak_bytes / 2**20:,.0f} MiB"


def run(environment: Mapping[str, str], *words: object) -> Ran:
    """Run a verb to its end, its children included in what it holds."""
    command = [*ORDERLOG, "audit", *map(str, words)]
    started = monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=_ROOT, env={**os.environ, **environment}, stdout=out, stderr=said
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, _held(process.pid))
            try:
                process.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                continue
        seconds = monotonic() - started
        out.seek(0)
        ran = Ran(out.read(), seconds, peak)
        if process.returncode:
            said.seek(0)
            printed = (ran.printed + said.read()).decode()
            sys.exit(f"{' '.join(command)} ended with exit code {process.returncode}: {printed}")
    return ran


def _held(pid: int) -> int:
    try:
        parent = psutil.Process(pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    held = 0
    for one in processes:
        try:
            held += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return held


@contextmanager
def filled(folder: Path) -> Iterator[dict[str, str]]:
    """Run a broker with a full topic; yield what verbs need to find it."""
    settings = LogSettings(kafka_bootstrap=f"127.0.0.1:{free_port()}", partitions=PARTITIONS)
    broker = kafka(folder / "kafka", int(settings.kafka_bootstrap.rpartition(":")[2]))
    broker.start()
    try:
        Topics(settings).ensure()
        started = monotonic()
        content = fill(settings, EVENTS)
        print(
            f"log: {content.events:,} events of {content.orders:,} orders, filled in "
            f"{monotonic() - started:.0f} s",
            flush=True,
        )
        yield {"ORDERLOG_KAFKA_BOOTSTRAP": settings.kafka_bootstrap}
    finally:
        broker.stop()


def measure(folder: Path, environment: Mapping[str, str]) -> None:
    """Export and verify in every format; print a line of the table for each."""
    print(
        "| format | bytes per event | export, events/s | its memory | verification, events/s | "
        "its memory |"
    )
    print("|---|---|---|---|---|---|")
    roots = set()
    for words in FORMATS:
        out = folder / "export"
        options = [*zip(("--format", "--compress"), words, strict=False)]
        chosen = [word for option in options for word in option]
        exported = run(environment, "export", "--out", out, *chosen, "-o", "json")
        manifest = orjson.loads(exported.printed)
        verified = run({}, "verify", out, "--head", folder / "head.json", "--workers", WORKERS)
        events: int = manifest["events"]
        size = sum(file["bytes"] for file in manifest["files"])
        roots.add(manifest["root_hash"])
        print(
            f"| {' and '.join(words)} | {size / events:,.0f} | {events / exported.seconds:,.0f} | "
            f"{exported.memory} | {events / verified.seconds:,.0f} | {verified.memory} |",
            flush=True,
        )
        if words == ("jsonl",):
            proved = _prove(folder, out)
        shutil.rmtree(out)
    if len(roots) != 1:
        sys.exit(f"the formats have different roots: {roots}")
    print(f"a proof of one event, from jsonl: {proved.seconds:.0f} s, {proved.memory}")


def _prove(folder: Path, out: Path) -> Ran:
    """Prove the last event of all, and check the proof."""
    last: Any = max(out.glob("events-*"))
    with last.open("rb") as file:
        *_, line = file
    said = orjson.loads(line)
    names = ("--order", said["order_id"], "--version", said["version"])
    proved = run({}, "prove", out, *names, "--out", folder / "proof.json")
    run({}, "verify", "--proof", folder / "proof.json")
    return proved


def main() -> None:
    """Do it all."""
    print(f"{machine()}; {PARTITIONS} partitions, {WORKERS} processes verify", flush=True)
    with tempfile.TemporaryDirectory() as name, filled(Path(name)) as environment:
        folder = Path(name)
        head = run(environment, "head", "--out", folder / "head.json")
        print(f"a head of all of it: {head.seconds:.0f} s, {head.memory}", flush=True)
        measure(folder, environment)
    print("everything is valid")


if __name__ == "__main__":
    main()
