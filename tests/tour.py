"""The README's tour, run as printed: every answer compared up to what differs by nature."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
VARYING = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"\d{4}-\d\d-\d\d", "<day>"),
    (r'"AQ[\w-]+"', '"<position>"'),
    (r"\b[0-9a-f]{64}\b", "<hash>"),
    (r"\b\d[\d,]*(\.\d+)?(?= (events|s\b|rows|orders|records))", "<count>"),
    (r"[\d,.]+ events/s", "<rate>"),
    (r"is event \d+ of", "is event <place> of"),
)


def steps() -> list[tuple[str, str]]:
    """Commands of the tour's console blocks with what is printed below each."""
    text = README.read_text()
    tour = text[text.index("## A tour of five minutes") :]
    tour = tour[: tour.index("\n## ", 5)]
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", tour, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            last = next(n for n, line in enumerate(lines) if not line.endswith("\\"))
            found.append(("\n".join(lines[: last + 1]), "\n".join(lines[last + 1 :]).strip()))
    return found


def masked(text: str) -> str:
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def comparable(text: str) -> object:
    """JSON by its meaning, all else by its words."""
    masked_text = masked(text)
    try:
        return json.loads(masked_text)
    except ValueError:
        return re.sub(r"\s+", " ", masked_text)


def plays(command: str, expected: str, environment: Mapping[str, str], folder: Path) -> None:
    """Run one command of the tour in a folder, and compare what it prints."""
    replaced = {
        "http://127.0.0.1:8000": environment["ORDERLOG_COMMAND_URL"],
        "http://127.0.0.1:8001": environment["ORDERLOG_QUERY_URL"],
    }
    line = command
    for printed, real in replaced.items():
        line = line.replace(printed, real)
    done = subprocess.run(
        ["bash", "-c", line],
        env=dict(environment),
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    printed_now = done.stdout
    for printed, real in replaced.items():
        printed_now = printed_now.replace(real, printed)

    assert comparable(printed_now) == comparable(expected), f"$ {line}\n{done.stderr}"
