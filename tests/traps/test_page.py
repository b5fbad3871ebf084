"""`docs/traps.md` has every trap, and what it points at is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/traps.md"
ROWS = dict(re.findall(r"^\| (T\d+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE))
LINKS = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def test_every_trap_has_its_row_in_turn():
    assert list(ROWS) == [f"T{number}" for number in range(1, 27)]


@pytest.mark.parametrize("trap", ROWS)
def test_a_row_says_what_it_is_what_is_done_and_what_shows_it(trap):
    cells = ROWS[trap].split(" | ")

    assert len(cells) == 3
    assert LINKS.search(cells[2]), "a test, or code where no test can tell"


@pytest.mark.parametrize("link", sorted(set(LINKS.findall(PAGE.read_text()))), ids=str)
def test_what_is_pointed_at_is_there(link):
    text, target = link
    path = (PAGE.parent / target).resolve()

    assert path.exists()
    if "tests" in path.parts:
        assert text in {path.stem, path.relative_to(ROOT).as_posix()}


def test_every_test_of_this_folder_is_on_the_page():
    here = {path.stem for path in Path(__file__).parent.glob("test_*.py")} - {Path(__file__).stem}

    assert here <= {text for text, _ in LINKS.findall(PAGE.read_text())}
