"""The README's tour on `orderlog dev`."""

from tests import tour


def test_the_tour_works_as_printed(stack):
    shown = tour.steps()
    assert len(shown) > 10
    for command, expected in shown:
        if command.startswith(". .venv"):
            continue
        line = command.replace("orderlog status", f"orderlog status --data-dir {stack.data_dir}")
        tour.plays(line, expected, stack.environment, stack.data_dir.parent)
