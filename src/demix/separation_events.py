"""What a separation tells while it runs: how far a song is, and what became of it."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """How far a song is.

    Args:
        song: what it is called.
        model: the model's name.
        done_seconds: of music, separated so far.
        total_seconds: the song's length by its header; None where that is silent.
    """

    song: str
    model: str
    done_seconds: float
    total_seconds: float | None


@dataclass(frozen=True)
class Outcome:
    """What became of a song.

    Args:
        song: what it is called.
        model: the model's name.
        status: `done`, `skipped` (its stems are there) or `failed`.
        stems: stem -> its file.
        seconds: length of the music.
        elapsed: seconds that it took.
        sample_rate: of the stems, in Hz.
        channels: of the stems.
        notes: what the user should know, a phrase each.
        error: why it failed, one sentence.
    """

    song: str
    model: str
    status: str
    stems: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    elapsed: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    notes: list[str] = field(default_factory=list)
    error: str | None = None


Listener = Callable[[Progress | Outcome], None]
