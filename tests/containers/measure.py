"""The figures of the containers: `make measure-containers`.

Builds the image, starts the compose file on data of its own, sends the demo orders, prints a
table, and removes what it started. Needs a Docker engine with compose.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from tests.containers.compose import (
    BUILD_S,
    IMAGE,
    PROCESSES,
    Compose,
    NoEngineError,
    docker,
    require_engine,
)
from tests.containers.traffic import placed_and_served


def memory(system: Compose) -> dict[str, str]:
    """Return what each process holds, as `docker stats` says it."""
    containers = {system.container(service): service for service in PROCESSES}
    stats = docker("stats", "--no-stream", "--no-trunc", "--format", "{{json .}}", *containers)
    rows = [json.loads(line) for line in stats.splitlines()]
    return {containers[row["ID"]]: row["MemUsage"].split(" / ")[0] for row in rows}


def measured(system: Compose) -> list[tuple[str, str]]:
    """Start the project twice, the second time with its data, and look at it under some load."""
    seconds = []
    for _ in range(2):
        started = time.monotonic()
        system("up", "--detach", "--wait")
        seconds.append(time.monotonic() - started)
        placed_and_served(system)
        if len(seconds) == 1:
            system("down")
    system.cli("seed", "--dataset", "demo")
    size = json.loads(docker("inspect", IMAGE))[0]["Size"]
    rows = [
        ("image", f"{size / 1e6:,.0f} MB"),
        ("`up --wait`, new data", f"{seconds[0]:.0f} s"),
        ("`up --wait`, data there", f"{seconds[1]:.0f} s"),
    ]
    held = memory(system)
    return rows + [(f"memory of {service}", held[service]) for service in PROCESSES]


def main() -> int:
    """Build, measure, print, remove."""
    try:
        require_engine()
    except NoEngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        system = Compose(Path(folder))
        system("build", timeout_s=BUILD_S)
        try:
            rows = measured(system)
        finally:
            system.down()
    sys.stdout.write("| what | figure |\n|---|---|\n")
    sys.stdout.writelines(f"| {what} | {figure} |\n" for what, figure in rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
