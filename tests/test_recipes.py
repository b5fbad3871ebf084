"""The recipes of docs/recipes, followed to the letter on a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ("add-a-command", "add-an-event", "add-a-read-model")
BLOCK = re.compile(r"^\*\*`(.+?)`\*\*\n\n```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROVEN_BY = (
    "tests/domain/test_payments.py",
    "tests/domain/test_review.py",
    "tests/domain/test_rules.py",
    "tests/command_api/test_page.py",
    "tests/command_api/test_openapi.py",
    "tests/command_api/test_commands.py",
    "tests/golden",
    "tests/eventlog/test_schema.py",
    "tests/projectors/test_order_document.py",
    "tests/projectors/test_read_models.py",
    "tests/seeding/test_demo.py",
    "tests/test_tidy.py",
)


def follow(folder: Path, recipe: str) -> None:
    for path, hunks in BLOCK.findall((ROOT / "docs/recipes" / f"{recipe}.md").read_text()):
        file = folder / path
        text = file.read_text() if file.exists() else ""
        for hunk in hunks.split("@@\n")[1:]:
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] != "+")
            after = "".join(line[1:] for line in lines if line[0] != "-")
            assert text.count(before) == 1 or (before, text) == ("", ""), f"{path}:\n{before}"
            text = text.replace(before, after, 1) if before else after
        file.write_text(text)


def run(folder: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]


@pytest.mark.timeout(600)
def test_the_recipes_work_as_they_are_written(tmp_path):
    folder = tmp_path / "orderlog"
    skipped = shutil.ignore_patterns(
        ".?*v", ".git", ".*_cache", ".data", ".hypothesis", "__pycache__"
    )
    shutil.copytree(ROOT, folder, ignore=skipped)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)  # The house rules ask git.
    for recipe in RECIPES:
        follow(folder, recipe)
    plugin = Path(sys.executable).with_name("protoc-gen-mypy")
    out = ["--python_out=eventlog/_gen", "--mypy_out=eventlog/_gen"]
    protoc = ["-m", "grpc_tools.protoc", "-I", "proto", f"--plugin=protoc-gen-mypy={plugin}"]
    run(folder, *protoc, *out, "orders/v1/events.proto")
    run(folder, "tests/golden/record.py")

    run(folder, "-m", "ruff", "check", "--no-cache", ".")
    run(folder, "-m", "mypy", "--cache-dir", str(tmp_path / "mypy"))
    run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PROVEN_BY)
