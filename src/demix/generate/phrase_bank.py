"""Phrases of all singers, measured once and kept on disk, each at four speeds.

A take is all phrases of a recording, slower or faster at the same pitch (Rubber Band). Resampling a take then moves the
pitch at the cost of time, so any pitch within three semitones comes at four lengths for no more work than that. Speeds
are apart by 1, 3, 4 and 7 semitones of such moves: a second voice these intervals away lasts as long as the first.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from demix import audio
from demix.config import SAMPLE_RATE, STEMS
from demix.data import DATASETS, Track, folder, free, open_dataset
from demix.data.track import SPLITS
from demix.errors import DemixError
from demix.files import atomic_folder, writing
from demix.generate.phrases import PHRASE, Audio, cut, key_of, measure

FORMAT = 1  # raise it when the same recording makes other phrases
TAKES = (-4, -1, 0, 3)  # length = recorded length * 2 ** (take / 12)
PEAK = 0.9
RECORD = "source.json"
COPIED = 0.5  # a phrase that agrees with another stem of its song so much is that stem, exported under a wrong name


@dataclass(frozen=True)
class Source:
    """One recording's phrases.

    Args:
        name: folder of the recording's data set and the song's name.
        key: of all its phrases, `key_of`.
        phrases: rows of `PHRASE`.
        pitch: the phrases' pitch tracks one after another, MIDI keys, NaN without pitch.
        takes: for every one of `TAKES` the phrases' audio one after another, `(samples, 2)` int16.
        ends: for every one of `TAKES` where each phrase ends in it, samples.
    """

    name: str
    key: tuple[int, bool]
    phrases: npt.NDArray[np.void]
    pitch: npt.NDArray[np.float32]
    takes: dict[int, npt.NDArray[np.int16]]
    ends: dict[int, npt.NDArray[np.int64]]

    def audio(self, phrase: int, take: int) -> npt.NDArray[np.int16]:
        """Return a phrase at one of the speeds, `(samples, 2)`."""
        ends = self.ends[take]
        return self.takes[take][ends[phrase - 1] if phrase else 0 : ends[phrase]]

    def track(self, phrase: int) -> npt.NDArray[np.float32]:
        """Return a phrase's pitch track."""
        first, frames = self.phrases["track"][phrase]
        return self.pitch[first : first + frames]


@dataclass(frozen=True)
class Bank:
    """All recordings, in the order of their names."""

    sources: tuple[Source, ...]


def open_bank(
    folders: Sequence[Path],
    *,
    cache: Path,
    exclude: Collection[str] = (),
    on_source: Callable[[str], None] | None = None,
) -> Bank:
    """Open the phrases of some recordings; those that are not in the cache or have changed are cut and measured first.

    Args:
        folders: data sets, or single songs' folders. Of a set with splits only the songs of `train` are taken, of a
            folder of songs without splits all, of a song nothing but it; songs without vocals are passed over.
        cache: where phrases are kept, about 40 MB for every minute of singing. One process may fill it at a time.
        exclude: names of songs that are passed over.
        on_source: told the name of every recording that has to be measured.

    Returns:
        The bank; its audio stays on disk until it is sung.

    Raises:
        DemixError: when a folder is no data set, a recording cannot be read, a song is one that the project's own data
            set keeps for validation or test, none has a phrase, or librosa or pedalboard is not installed.
    """
    tracks = [track for each in folders for track in _songs(each) if track.name not in exclude]
    _refuse_held_out(tracks)
    sources = {}
    for track in tracks:
        path = next((path for path in track.paths if path.stem.lower() == "vocals"), None)
        if path is None:
            continue
        source = _open(track, path.resolve(), cache, on_source)
        if len(source.phrases):
            sources[str(path.resolve())] = source
    if not sources:
        raise DemixError(
            f"{', '.join(map(str, folders)) or 'singing'}: expected recordings of singing in files named vocals, "
            "found none that sounds; choose other folders"
        )
    return Bank(tuple(sorted(sources.values(), key=lambda source: source.name)))


def _songs(root: Path) -> list[Track]:
    """List the songs of a folder that may be trained on."""
    tracks = open_dataset(root)
    listed = str(root) in DATASETS or (root / free.MANIFEST).is_file()
    loose = not listed and all(
        track.paths[0].parent.name not in SPLITS and track.paths[0].parent.parent.name not in SPLITS for track in tracks
    )
    return tracks if loose else [track for track in tracks if track.split == "train"]


def _refuse_held_out(tracks: Sequence[Track]) -> None:
    """Refuse songs of which the shipped set keeps a cut for validation or test: whole ones come without splits."""
    try:
        kept = {track.name.lower(): track.split for track in free.tracks() if track.split != "train"}
    except DemixError:  # not in a checkout: there is nothing to score on either
        return
    for track in tracks:
        if track.name.lower() in kept:
            raise DemixError(
                f"{track.paths[0].parent}: expected songs to train on, received one that is kept for "
                f"{kept[track.name.lower()]}; name the folders of the other songs one by one"
            )


def _open(track: Track, path: Path, cache: Path, on_source: Callable[[str], None] | None) -> Source:
    name = f"{path.parent.parent.name}/{track.name}"
    where = cache / f"{track.name}-{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    stat = path.stat()
    record = {"format": FORMAT, "takes": TAKES, "path": str(path), "bytes": stat.st_size, "changed": stat.st_mtime_ns}
    text = json.dumps(record) + "\n"
    try:
        if (where / RECORD).read_text(encoding="utf-8") == text:
            return _load(name, where)
    except (OSError, ValueError, EOFError):
        pass  # not there, or damaged: it is made again
    if on_source is not None:
        on_source(name)
    waveform = folder.check_waveform(path, *audio.read(path))
    if not np.isfinite(waveform).all():
        raise DemixError(f"{path}: expected numbers, received samples that are none; export the recording again")
    others = [folder.check_waveform(each, *audio.read(each)) for each in _other_stems(track)]
    with atomic_folder(where, mark=RECORD) as part, writing(where):
        _save(waveform, others, part)
        (part / RECORD).write_text(text, encoding="utf-8")
    return _load(name, where)


def _other_stems(track: Track) -> list[Path]:
    return [path for path in track.paths if path.stem.lower() in STEMS and path.stem.lower() != "vocals"]


def _save(waveform: Audio, others: Sequence[Audio], part: Path) -> None:
    waveform = waveform * np.float32(PEAK / max(float(np.abs(waveform).max(initial=0.0)), 1e-3))
    bounds = [each for each in cut(waveform) if not any(_is_copy(waveform, other, each) for other in others)]
    rows, pitch = measure(waveform, bounds)
    np.save(part / "phrases.npy", rows)
    np.save(part / "pitch.npy", pitch)
    for take in TAKES:
        sung = [np.zeros((0, 2), dtype=np.int16), *_stretch(waveform, bounds, take)]
        np.save(part / f"take{take:+d}.npy", np.concatenate(sung))
        np.save(part / f"ends{take:+d}.npy", np.cumsum([len(each) for each in sung[1:]], dtype=np.int64))


def _is_copy(waveform: Audio, other: Audio, bounds: tuple[int, int]) -> bool:
    """Say whether another stem plays what a phrase sings; also where one of them is longer."""
    start, end = bounds
    one, two = (each[:, start : min(end, other.shape[1])].mean(axis=0) for each in (waveform, other))
    power = float((one @ one) * (two @ two))
    return power > 0 and abs(float(one @ two)) > COPIED * power**0.5


def _stretch(waveform: Audio, bounds: list[tuple[int, int]], take: int) -> Iterator[npt.NDArray[np.int16]]:
    """Yield every phrase at a speed, `(samples, 2)`, as int16."""
    try:
        import pedalboard
    except ImportError as error:
        raise DemixError("pedalboard: needed to stretch singing, not installed; pip install pedalboard") from error
    for start, end in bounds:
        phrase = np.ascontiguousarray(waveform[:, start:end])
        if take:
            # stretch_factor is a speed
            phrase = pedalboard.time_stretch(phrase, SAMPLE_RATE, 2 ** (-take / 12), high_quality=False)
        yield np.rint(np.clip(phrase.T, -1, 1) * 32767).astype(np.int16)


def _load(name: str, where: Path) -> Source:
    rows = np.load(where / "phrases.npy")
    if rows.dtype != PHRASE:
        raise ValueError("phrases of another make")
    heard = (rows["classes"] * (rows["voiced"] * rows["samples"])[:, None]).sum(axis=0)
    return Source(
        name,
        key_of(heard),
        rows,
        np.load(where / "pitch.npy"),
        {take: np.load(where / f"take{take:+d}.npy", mmap_mode="r") for take in TAKES if len(rows)},
        {take: np.load(where / f"ends{take:+d}.npy") for take in TAKES},
    )
