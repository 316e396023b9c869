"""Songs that ship with the server, with their true stems: to try it, and to hear how far a net is from the truth."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "example"


@dataclass(frozen=True)
class Example:
    """A song with true stems; `seconds` long."""

    title: str
    artist: str
    licence: str
    seconds: float
    note: str


# Cut by songs/make_example.py.
EXAMPLES = {
    "lithium": Example(
        title="Lithium",
        artist="Software-Entwicklungskit",
        licence="CC0 1.0",
        seconds=30.0,
        note="An excerpt of the test song: no net on board was trained on it.",
    ),
}


def example_folder(name: str) -> Path:
    """Return the folder that holds an example's `<stem>.ogg`."""
    return FOLDER / name
