"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from demix.errors import DemixError

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, as training.steps=1000; may be repeated."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Checkpoints = Annotated[Path, typer.Option(help="Where run folders lie.")]
ResultsFolder = Annotated[Path, typer.Option("--results", help="Where results folders lie.")]


def plain_name(name: str) -> str:
    """Return a name that is one folder and no path.

    Raises:
        DemixError: for anything else.
    """
    if not name or name.startswith((".", "-")) or Path(name).name != name or len(name.encode()) > 100:
        raise DemixError(
            f"--name: expected a plain folder name of at most 100 bytes, received {name!r}; leave out slashes"
        )
    return name
