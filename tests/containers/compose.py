"""A compose project of its own: its name, ports and passwords are nobody else's."""

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

from runtime.embedded.child import free_port

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "orderlog:0.1.0"
OURS = ("command", "projectors", "query")
PROCESSES = ("kafka", "postgres", *OURS)
BUILD_S = 900
UP_S = 300


class NoEngineError(Exception):
    """Docker is not there, or has no compose."""


def require_engine() -> None:
    """Ask the engine and compose for their versions.

    Raises:
        NoEngineError: one of them does not answer; the message says which.
    """
    for words in (("info", "--format", "{{.ServerVersion}}"), ("compose", "version", "--short")):
        try:
            asked = subprocess.run(
                ["docker", *words], check=False, capture_output=True, text=True, timeout=60
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoEngineError(f"these tests need Docker with compose: {error}") from error
        if asked.returncode or not asked.stdout.strip():
            raise NoEngineError(
                "these tests need a Docker engine with compose v2, and `docker "
                f"{' '.join(words)}` says: {asked.stderr.strip() or 'nothing'}"
            )


def _example(folder: Path) -> Path:
    """Write an .env as .env.example shows it, with free ports and random passwords."""
    text = (ROOT / ".env.example").read_text()
    for pattern, value in (
        (r"^(\w+_PORT)=\d+$", lambda: str(free_port())),
        (r"^(\w+_PASSWORD)=.*$", lambda: secrets.token_hex(12)),
    ):
        text = re.sub(pattern, lambda m, v=value: f"{m[1]}={v()}", text, flags=re.MULTILINE)
    path = folder / ".env"
    path.write_text(text)
    return path


class Compose:
    """`docker compose` of one project; every call is bounded and answers what was printed."""

    def __init__(self, folder: Path, profile: str | None = None) -> None:
        self.folder = folder
        self.project = f"orderlog-{secrets.token_hex(4)}"
        file = _example(folder)
        sourced = subprocess.run(
            ["bash", "-c", 'set -a; . "$1"; exec env -0', "bash", str(file)],
            env={},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        variables = dict(line.split("=", 1) for line in sourced.split("\0") if line)
        named = re.findall(r"^(\w+)=", file.read_text(), flags=re.MULTILINE)
        self.given = {name: variables[name] for name in named}
        self._options = ["--project-name", self.project, "--env-file", str(file)]
        self._options += ["--profile", profile] if profile else []
        # What the caller has set would count more than the file.
        self._environment = {k: v for k, v in os.environ.items() if k not in self.given}

    @property
    def environment(self) -> dict[str, str]:
        """For commands of this machine: the addresses of the file, and `orderlog` on the path."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**self._environment, **self.given, "PATH": path, "PYTHONPATH": str(ROOT)}

    def run(self, *words: str, timeout_s: float = UP_S) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "compose", *self._options, *words],
            cwd=ROOT,
            env=self._environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def __call__(self, *words: str, timeout_s: float = UP_S) -> str:
        """Run it, and return its output; a failure is the test's."""
        done = self.run(*words, timeout_s=timeout_s)
        assert done.returncode == 0, f"docker compose {words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def up(self) -> None:
        done = self.run("up", "--detach", "--wait")
        if done.returncode:
            logs = self.run("logs", "--tail", "40").stdout
            self.down()
            raise AssertionError(f"not up: {done.stderr}\n{logs}")

    def down(self) -> None:
        self("down", "--volumes", "--remove-orphans", "--timeout", "20")

    def cli(self, *words: str) -> str:
        """Run a verb in a container."""
        return self("run", "--rm", "--no-deps", "-T", "orderlog", *words)

    def sh(self, line: str) -> str:
        """Run a line of shell where the verbs leave their files."""
        return self("run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", "orderlog", "-c", line)

    def container(self, service: str) -> str:
        return self("ps", "--all", "--quiet", service).strip()

    def inspected(self, service: str) -> dict:
        return json.loads(docker("inspect", self.container(service)))[0]


def docker(*words: str) -> str:
    return subprocess.run(
        ["docker", *words], check=True, capture_output=True, text=True, timeout=120
    ).stdout
