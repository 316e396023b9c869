"""Progress as a stream of events that a bar in the terminal and a web page can both consume."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Event:
    """One step of a download.

    Args:
        stage: `licence` (text: the terms, before anything is transferred), `present` (text: nothing to do),
            `download`, `check` and `unpack` (done of total bytes), `retry` (text: what failed and when the
            next attempt comes).
        done: bytes done in this stage.
        total: bytes of the whole stage; None when the server does not tell.
        text: one sentence for the reader.
    """

    stage: Literal["licence", "present", "download", "check", "unpack", "retry"]
    done: int = 0
    total: int | None = None
    text: str = ""


OnEvent = Callable[[Event], None]


def ignore(_: Event) -> None:
    """Drop an event: the listener of those who want none."""
