"""The work on one song: what it is, its stems, and what there is to see of them. Runs in a process of its own."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demix import audio
from demix.api.examples import example_folder
from demix.api.jobs import TRUTH
from demix.api.limited import Send
from demix.api.views import write_views
from demix.audio_read import AudioSource
from demix.audio_write import GREATEST_CHANNELS
from demix.config import STEMS
from demix.errors import DemixError
from demix.metrics import sdr
from demix.output import Output
from demix.separation import separate
from demix.separation_events import Outcome, Progress
from demix.training.allocator import keep_freed_memory

MOST_CHANNELS = GREATEST_CHANNELS["flac"]  # in which stems are kept
GREATEST_RATE = 192_000  # Hz
SAMPLES_PER_SECOND = 2 * 96_000  # more channels and higher rates shorten the longest song
TELL_SECONDS = 0.5


@dataclass(frozen=True)
class Found:
    """What an upload is; `seconds` is None where its header does not say."""

    seconds: float | None
    sample_rate: int
    channels: int


@dataclass(frozen=True)
class Task:
    """What is to be made of a song.

    Args:
        title: the song's name, for messages.
        nets: by their names, what `demix.load` loads.
        stems: names of the stems that are kept.
        two_stems: a stem to be told from all the others together, or None.
        example: id of the example to separate, or None for the file.
        device: what nets run on.
        song_minutes: the longest song.
    """

    title: str
    nets: dict[str, str]
    stems: tuple[str, ...]
    two_stems: str | None
    example: str | None
    device: str
    song_minutes: float


@dataclass(frozen=True)
class Made:
    """What became of a song; its files lie in the folder that was given."""

    seconds: float
    sample_rate: int
    channels: int
    notes: list[str]
    scores: dict[str, dict[str, float | None]] | None


def probe(path: Path, title: str, song_minutes: float, _send: Send) -> Found:
    """Find out by decoding its beginning whether a file is a song, of a length that is accepted.

    Raises:
        DemixError: when it is not, with the title in place of the path.
    """
    try:
        with AudioSource(path) as source:
            found = Found(source.seconds, source.sample_rate, source.channels)
            _check(found, song_minutes, title)
            next(source.blocks(), None)
    except DemixError as error:
        raise _named(error, path, title) from error
    return found


def make(path: Path, folder: Path, task: Task, send: Send) -> Made:
    """Separate a song with all nets of a task into `folder`.

    Writes `<system>/<stem>.flac`, `<system>/<stem>.json` (peaks), `<system>/masks/<stem>/<tile>.png` and
    `spectrogram/`. Sends `(share, model, done_seconds)` as it goes on.

    Raises:
        DemixError: when that cannot be done, with the title in place of the path.
    """
    keep_freed_memory()
    folder.mkdir(parents=True, exist_ok=True)
    systems: dict[str, dict[str, Path]] = {}
    if task.example is not None:
        path, systems[TRUTH] = _write_truth(task.example, folder)
    names = list(task.nets)
    told, longest = 0.0, 0.0

    def listen(event: Progress | Outcome) -> None:
        nonlocal told
        if isinstance(event, Outcome):
            return
        if event.done_seconds > longest:  # its header lied, or did not say
            raise _too_long(task.title, longest / 60)
        now = time.monotonic()
        if now - told >= TELL_SECONDS:
            told = now
            within = min(1.0, event.done_seconds / event.total_seconds) if event.total_seconds else 0.0
            send(((names.index(event.model) + within) / len(names), event.model, event.done_seconds))

    try:
        with AudioSource(path) as source:
            longest = _check(Found(source.seconds, source.sample_rate, source.channels), task.song_minutes, task.title)
        output = Output(folder=folder, filename="{stem}.{ext}", kind="flac", two_stems=task.two_stems, force=True)
        outcomes = separate(path, models=list(task.nets.values()), output=output, device=task.device, on_event=listen)
    except DemixError as error:
        raise _named(error, path, task.title) from error
    for outcome in outcomes:
        if outcome.error is not None:
            raise _named(DemixError(outcome.error), path, task.title)
        systems[outcome.model] = {stem: Path(target) for stem, target in outcome.stems.items()}
    for system, stems in systems.items():
        first = system == names[0]
        write_views(stems, folder / system, spectrogram=folder / "spectrogram" if first else None)
    scores = _scores(systems) if TRUTH in systems and task.two_stems is None else None
    for stems in systems.values():
        for stem in set(stems) - set(task.stems):
            stems[stem].unlink()
            stems[stem].with_suffix(".json").unlink()
    if task.example is not None:
        path.unlink()
    whole = outcomes[0]
    notes = list(dict.fromkeys(note for outcome in outcomes for note in outcome.notes))
    return Made(whole.seconds, whole.sample_rate, whole.channels, notes, scores)


def _check(found: Found, song_minutes: float, title: str) -> float:
    """Raise for a song that is more than this server takes; return the seconds that it takes of this kind."""
    if found.channels > MOST_CHANNELS:
        raise DemixError(f"{title}: expected at most {MOST_CHANNELS} channels, received {found.channels}; mix it down")
    if found.sample_rate > GREATEST_RATE:
        raise DemixError(f"{title}: expected at most {GREATEST_RATE} Hz, received {found.sample_rate}; resample it")
    longest = song_minutes * 60 * min(1.0, SAMPLES_PER_SECOND / (found.sample_rate * found.channels))
    if found.seconds is not None and found.seconds > longest:
        raise _too_long(title, longest / 60, found.seconds)
    return longest


def _too_long(title: str, minutes: float, seconds: float | None = None) -> DemixError:
    received = "more" if seconds is None else f"{seconds / 60:.1f}"
    return DemixError(f"{title}: expected at most {minutes:g} minutes, received {received}; cut it into parts")


def _named(error: DemixError, path: Path, title: str) -> DemixError:
    """Return an error that calls the song by its title: what it is called here is no concern of a client."""
    sentence = str(error).replace(str(path), title)
    if str(path.parent) in sentence:  # of what is written, not of the song
        sentence = f"{title}: its stems cannot be stored here, the server's disk may be full; try again later"
    return DemixError(sentence)


def _write_truth(example: str, folder: Path) -> tuple[Path, dict[str, Path]]:
    """Write the true stems of an example, and the mixture, their sum; return the mixture and the stems."""
    waveforms = {}
    for stem in STEMS:
        waveforms[stem], rate = audio.read(example_folder(example) / f"{stem}.ogg")
    targets = {stem: folder / TRUTH / f"{stem}.flac" for stem in STEMS}
    targets[TRUTH] = folder / "mixture.wav"
    (folder / TRUTH).mkdir()
    mixture = np.sum(list(waveforms.values()), axis=0)
    for stem, target in targets.items():
        waveform = mixture if stem == TRUTH else waveforms[stem]
        audio.write(target, waveform, sample_rate=rate, subtype="FLOAT" if stem == TRUTH else "PCM_16")
    return targets.pop(TRUTH), targets


def _scores(systems: dict[str, dict[str, Path]]) -> dict[str, dict[str, float | None]]:
    """Return `sdr` in dB, system -> stem; None for a stem that is silent all through."""
    truth = np.stack([audio.read(path)[0] for path in systems[TRUTH].values()])
    scores = {}
    for system, stems in systems.items():
        if system == TRUTH:
            continue
        values = sdr(truth, np.stack([audio.read(path)[0] for path in stems.values()]))
        scores[system] = {
            stem: round(float(value), 2) if np.isfinite(value) else None
            for stem, value in zip(stems, values, strict=True)
        }
    return scores
