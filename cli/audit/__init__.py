"""`orderlog audit`: exports, their verification, what they are held against, and who read them."""

import typer

from cli.audit import evidence, exports, reading, verification


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    group = typer.Typer(
        help="Export the log so that it proves itself, and check exports.", no_args_is_help=True
    )
    for module in (exports, verification, evidence, reading):
        module.register(group)
    app.add_typer(group, name="audit")
