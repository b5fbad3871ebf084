"""The README's figures: `make measure` on a stack of its own. Ends by itself within minutes.

Times are of this machine with everything on it, the sender included; read them as ratios.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ORDERS = int(os.environ.get("MEASURE_ORDERS", "20000"))
ORDERLOG = [sys.executable, "-m", "cli.main"]


def run(environment: dict[str, str], *arguments: str) -> tuple[str, float]:
    """Run a verb; return what it printed and the seconds it took."""
    started = time.monotonic()
    done = subprocess.run(
        [*ORDERLOG, *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout, time.monotonic() - started


def measure(environment: dict[str, str], folder: Path) -> None:
    """Send, read back, rebuild, verify, export; print one line each."""
    orders = str(ORDERS)
    printed, seconds = run(
        environment, "seed", "--dataset", "completejourney", "--orders", orders, "-o", "json"
    )
    sent = json.loads(printed)
    print(f"seed: {sent['orders']:,} orders, sent and reconciled in {seconds:.1f} s", flush=True)
    print(f"seed: {sent['orders'] / sent['seconds']:,.0f} orders/s while sending", flush=True)
    assert sent["reconciliation"]["is_equal"], "what is served is not what was sent"
    for verb, arguments in (
        ("rebuild", ["rebuild"]),
        ("verify --all", ["verify", "--all"]),
        ("audit export", ["audit", "export", "--out", str(folder / "trail")]),
        ("audit verify", ["audit", "verify", str(folder / "trail")]),
    ):
        _, seconds = run(environment, *arguments)
        rate = sent["orders"] / seconds
        print(f"{verb}: {seconds:.1f} s, {rate:,.0f} events/s, start included", flush=True)


def main() -> None:
    """Start a stack, measure, stop it."""
    print(f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as scratch:
        place = ["--data-dir", str(Path(scratch) / "data")]
        ports = ("--command-port", "--query-port", "--kafka-port", "--postgres-port")
        free = [part for port in ports for part in (port, "0")]
        run(dict(os.environ), "dev", "--detach", *place, *free)
        try:
            printed, _ = run(dict(os.environ), "status", *place, "-o", "json")
            status = json.loads(printed)
            names = ("command_url", "query_url", "kafka_bootstrap", "database_url")
            known = {f"ORDERLOG_{name.upper()}": status[name] for name in names}
            measure({**os.environ, **known}, Path(scratch))
        finally:
            run(dict(os.environ), "down", *place)


if __name__ == "__main__":
    main()
