"""The schema of every release stays readable: what `make check` asks of buf."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path("orders/v1/events.proto")
RELEASES = sorted(path for path in (ROOT / "tests/golden").iterdir() if (path / SCHEMA).is_file())


def breaking(schema: Path, release: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("buf"), "breaking", schema, "--against", release],
        check=False,
        capture_output=True,
        text=True,
    )


def test_there_is_a_release():
    assert RELEASES


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_what_a_release_has_stored_is_still_read(release):
    found = breaking(ROOT / "proto", release)

    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("int64 amount_minor = 2;", "int32 amount_minor = 2;"),
        ("string tenant_id = 2;", "string tenant_id = 99;"),
        ("OrderAccepted order_accepted = 101;", ""),
    ],
)
def test_a_change_that_breaks_old_bytes_is_found(tmp_path, old, new):
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    schema = tmp_path / "proto" / SCHEMA
    text = schema.read_text()
    assert old in text
    schema.write_text(text.replace(old, new))

    assert breaking(tmp_path / "proto", RELEASES[-1]).returncode != 0
