"""What a job is: an order, its states, and what happens to it."""

import re
from dataclasses import dataclass
from typing import Any

UPLOADING, QUEUED, RUNNING = "uploading", "queued", "running"
DONE, FAILED, CANCELLED = "done", "failed", "cancelled"
ENDED = (DONE, FAILED, CANCELLED)
TRUTH = "truth"  # the system whose stems are an example's own
ID = re.compile(r"[A-Za-z0-9_-]{8,64}")  # of a job; also a name of folders


@dataclass(frozen=True)
class Order:
    """What a client asks for.

    Args:
        title: the song's name, to show and for names of downloads.
        models: names of nets.
        stems: names of the stems that are kept.
        two_stems: a stem to be told from all the others together, or None.
        kind: format that stems are handed out in.
        example: id of an example, or None for an upload.
        owner: hash of the API key, empty without one.
    """

    title: str
    models: tuple[str, ...]
    stems: tuple[str, ...]
    kind: str
    two_stems: str | None = None
    example: str | None = None
    owner: str = ""

    def to_columns(self) -> dict[str, Any]:
        """Return the order as columns of the table; `systems` are the models, and the truth of an example."""
        columns = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        return columns | {"systems": [*self.models, *([TRUTH] if self.example else [])]}


@dataclass(frozen=True)
class Job:
    """One row of the table; times are seconds since 1970."""

    id: str
    owner: str
    status: str
    title: str
    example: str | None
    models: list[str]
    systems: list[str]
    stems: list[str]
    two_stems: str | None
    kind: str
    progress: float
    remaining: float | None
    seconds: float | None
    sample_rate: int | None
    channels: int | None
    created: float
    queued: float | None
    started: float | None
    finished: float | None
    expires: float | None
    beat: float
    worker: str
    attempts: int
    notes: list[str]
    error: str | None
    scores: dict[str, dict[str, float | None]] | None


@dataclass(frozen=True)
class Event:
    """One row of a job's events: `status` (its data are the job's) or `progress`."""

    id: int
    kind: str
    data: dict[str, Any]
