"""Drum loops laid under a song's own drums: their tempo found, played at the song's, from section to section."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from demix.config import SAMPLE_RATE
from demix.errors import DemixError
from demix.generate.drum_sources import SONIC_PI
from demix.generate.effects import Wave
from demix.generate.licences import folder_licence
from demix.generate.score import Song

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")
SONIC_PI_LOOPS = {  # beats in each; those that are drums
    "loop_amen": 4, "loop_amen_full": 16, "loop_breakbeat": 4, "loop_compus": 16, "loop_industrial": 2,
    "loop_mehackit1": 4, "loop_mehackit2": 4, "loop_tabla": 24, "loop_safari": 16,
}  # fmt: skip
BEATS = (2, 4, 8, 16, 32, 64)
BPM = (65.0, 185.0)  # a tempo that a name may tell
TYPICAL_BPM = 110.0
SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 40.0  # what lasts less is a hit, what lasts more is several
EDGE = 220  # samples in which a loop fades out where it is cut
MOST_SPEED = 1.35  # beyond it a loop is not taken at all


@dataclass(frozen=True)
class Loop:
    """A drum loop.

    Args:
        path: the file.
        beats: quarter notes in it.
        seconds: its length.
        licence: what it may be used under.
    """

    path: Path
    beats: int
    seconds: float
    licence: str

    @property
    def bpm(self) -> float:
        """Its tempo in quarter notes a minute."""
        return 60 * self.beats / self.seconds


def find_loops(folders: Sequence[Path] = ()) -> list[Loop]:
    """Return Sonic Pi's loops where installed, and those in folders of the user.

    A loop's tempo is the number in its name that is one (`break_96bpm.wav`, `funk 120.wav`), else that nearest to 110
    at which it has 2, 4, 8, ... beats.

    Raises:
        DemixError: for a folder without loops of a fitting length, or a file that is not audio.
    """
    found = [
        Loop(path, beats, _seconds(path), "CC0: loops of Sonic Pi")
        for name, beats in SONIC_PI_LOOPS.items()
        if (path := SONIC_PI / f"{name}.flac").is_file()
    ]
    for folder in folders:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
        if not paths:
            raise DemixError(
                f"{folder}: expected a folder with drum loops ({', '.join(SUFFIXES)}), found none; check the path"
            )
        lengths = {path: _seconds(path) for path in paths}
        fitting = {path: each for path, each in lengths.items() if SHORTEST_SECONDS <= each <= LONGEST_SECONDS}
        if not fitting:
            raise DemixError(
                f"{folder}: expected drum loops of {SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g} s, received "
                f"{min(lengths.values()):.1f} to {max(lengths.values()):.1f} s; cut them or choose another folder"
            )
        for path, seconds in fitting.items():
            licence = f"{folder_licence(folder)}: loops in {folder.resolve().name}"
            found.append(Loop(path, count_beats(path.stem, seconds), seconds, licence))
    return found


def count_beats(name: str, seconds: float) -> int:
    """Return how many quarter notes a loop has, by its name or its length."""
    told = [float(number) for number in re.findall(r"(?<!\d)\d{2,3}(?!\d)", name)]
    told = [number for number in told if BPM[0] <= number <= BPM[1]]
    if told:
        return max(1, round(told[-1] * seconds / 60))
    return min(BEATS, key=lambda beats: abs(np.log2(60 * beats / seconds / TYPICAL_BPM)))


def lay_loop(song: Song, loops: Sequence[Loop], rng: np.random.Generator, *, samples: int) -> tuple[Wave, Loop] | None:
    """Lay one loop under sections of a song that have some energy, in time.

    Args:
        song: gives tempo and sections.
        loops: one that comes near the tempo, perhaps at double or half of it, is drawn.
        rng: where chance comes from.
        samples: length of the result.

    Returns:
        `(2, samples)` and the loop; None where no loop fits.
    """
    fitting = [(loop, speed) for loop in loops if (speed := _speed(loop, song.bpm)) is not None]
    if not fitting or song.beats != 4:
        return None
    loop, speed = fitting[int(rng.integers(len(fitting)))]
    wave = _read(loop.path)
    wave = soxr.resample(wave.T, SAMPLE_RATE * speed, SAMPLE_RATE, quality="MQ").T
    length = loop.seconds / speed * SAMPLE_RATE  # exact: rounding would drift
    out = np.zeros((2, samples), np.float32)
    least = rng.uniform(0.3, 0.7)
    for section in song.sections:
        if section.energy < least:
            continue
        first = section.start or _lead(song)  # the song's file begins before its first beat
        begin, end = first * SAMPLE_RATE, min(samples, (section.start + section.length) * SAMPLE_RATE)
        number = 0
        while (start := round(begin + number * length)) < end:
            piece = wave[:, : min(wave.shape[1], round(end) - start)].copy()
            edge = min(EDGE, piece.shape[1])
            piece[:, piece.shape[1] - edge :] *= np.linspace(1, 0, edge, dtype=np.float32)  # else it ends with a click
            out[:, start : start + piece.shape[1]] += piece
            number += 1
    return (out, loop) if out.any() else None


def _lead(song: Song) -> float:
    """Return when the first beat is, in seconds: whole bars before the second section, which begins on one."""
    return song.sections[1].start % (song.beats * 60 / song.bpm) if len(song.sections) > 1 else 0.0


def _speed(loop: Loop, bpm: float) -> float | None:
    """Return how much faster a loop has to be played so as to fit, perhaps at half or double tempo."""
    speed = min((bpm * factor / loop.bpm for factor in (0.5, 1, 2)), key=lambda each: abs(np.log2(each)))
    return float(speed) if 1 / MOST_SPEED <= speed <= MOST_SPEED else None


def _seconds(path: Path) -> float:
    try:
        return float(soundfile.info(path).duration)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DemixError(f"{path}: expected a drum loop, received {error}; remove the file") from error


def _read(path: Path) -> Wave:
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if wave.shape[1] == 1:
        wave = np.repeat(wave, 2, axis=1)
    return np.ascontiguousarray((wave if rate == SAMPLE_RATE else soxr.resample(wave, rate, SAMPLE_RATE))[:, :2].T)
