"""Make the cut of "everything is free" that ships with demix: python songs/make_cut.py SOURCE [OUT].

SOURCE is a folder with <song>/<stem>.ogg; OUT (default: this folder) gets <song>/<stem>.ogg and songs.toml.
Where to cut is measured, not chosen by ear: see `together_seconds`.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from demix.config import SAMPLE_RATE, STEMS

Wave = npt.NDArray[np.float32]
Window = tuple[int, int]  # first second, second after the last

ARTIST = "Software-Entwicklungskit"
ALBUM = "everything is free"
LICENCE = "CC0-1.0"
ACTIVE_DBFS = -50.0  # a stem sounds in a second whose rms is above this
FADE_SECONDS = 0.05  # linear, the same on every stem, so that the stems still add up to the mixture
COMPRESSION_LEVEL = 0.88  # Vorbis quality 1.2: what brings seven songs under 13 MiB
PEAK = 0.98  # a sum of decoded stems that reaches 1.0 is brought down to this
BLOCK_SAMPLES = 65_536  # libsndfile's Vorbis encoder overruns its stack when given minutes in one call


@dataclass(frozen=True)
class Cut:
    """How much of a song is kept, in how many pieces, and for which split."""

    split: str
    windows: int
    window_seconds: int


# Songs whose sources seldom sound together get more and shorter windows; the test song stays in one piece.
PLAN = {
    "caesium": Cut("train", 2, 30),
    "francium": Cut("train", 2, 30),
    "hydrogen": Cut("train", 2, 30),
    "lithium": Cut("test", 1, 90),
    "potassium": Cut("train", 3, 24),
    "rubidium": Cut("train", 3, 24),
    "sodium": Cut("valid", 2, 24),
}

# Seconds of a song that are not what their names say, and why.
FAULTY = {"rubidium": (223, 251)}  # `vocals` and `other` are the same sound


def find_active(stems: Wave) -> npt.NDArray[np.bool_]:
    """Tell in which whole seconds each stem sounds.

    Args:
        stems: `(stems, channels, samples)`.

    Returns:
        `(stems, seconds)`, true where the rms of both channels is above `ACTIVE_DBFS`.
    """
    seconds = stems.shape[-1] // SAMPLE_RATE
    whole = stems[..., : seconds * SAMPLE_RATE].reshape(*stems.shape[:2], seconds, SAMPLE_RATE)
    power: npt.NDArray[np.float64] = np.square(whole, dtype=np.float64).mean(axis=(1, 3))
    active: npt.NDArray[np.bool_] = power > 10 ** (ACTIVE_DBFS / 10)
    return active


def together_seconds(active: npt.NDArray[np.bool_], windows: Sequence[Window]) -> float:
    """Score a choice of windows: how long does a stem sound together with others, for the stem worst off?

    Each second in which a stem sounds counts once for every other stem that sounds with it. The geometric
    mean over the song's stems then lets no stem be dropped for the sake of the rest, which a plain sum does.
    """
    kept = np.concatenate([active[:, start:end] for start, end in windows], axis=1)
    partners = np.maximum(kept.sum(axis=0) - 1, 0)
    of_song = active.any(axis=1)
    per_stem = (kept[of_song] * partners).sum(axis=1) + 1  # + 1: a stem not reached yet must not hide the others
    return float(np.exp(np.log(per_stem).mean()))


def choose_windows(active: npt.NDArray[np.bool_], cut: Cut, faulty: Window = (0, 0)) -> list[Window]:
    """Place the windows outside what is faulty: one after the other, then move each in turn while that is better."""
    length = cut.window_seconds
    starts = range(active.shape[1] - length + 1)
    every = [(start, start + length) for start in starts if start + length <= faulty[0] or faulty[1] <= start]

    def best_beside(others: list[Window]) -> Window:
        free = [w for w in every if all(w[1] <= start or end <= w[0] for start, end in others)]
        return max(free, key=lambda window: together_seconds(active, [*others, window]))  # ties: the earliest

    windows: list[Window] = []
    for _ in range(cut.windows):
        windows.append(best_beside(windows))
    score = 0.0
    while (reached := together_seconds(active, windows)) > score:
        score = reached
        for index in range(cut.windows):
            windows[index] = best_beside(windows[:index] + windows[index + 1 :])
    return join_touching(sorted(windows))


def join_touching(windows: list[Window]) -> list[Window]:
    """Make one window of two that follow each other without a gap: no fade is needed between them."""
    joined: list[Window] = []
    for start, end in windows:
        if joined and joined[-1][1] == start:
            start = joined.pop()[0]
        joined.append((start, end))
    return joined


def cut_stems(stems: Wave, windows: Sequence[Window]) -> Wave:
    """Join the windows of all stems, each faded in and out, and return `(stems, channels, samples)`."""
    fade = round(FADE_SECONDS * SAMPLE_RATE)
    ramp = (np.arange(fade, dtype=np.float32) + 0.5) / fade
    pieces = []
    for start, end in windows:
        piece = stems[..., start * SAMPLE_RATE : end * SAMPLE_RATE].copy()
        piece[..., :fade] *= ramp
        piece[..., -fade:] *= ramp[::-1]
        pieces.append(piece)
    return np.concatenate(pieces, axis=-1)


def read_song(folder: Path) -> Wave:
    """Read a song, `(stems, channels, samples)`; a stem without a file is silence."""
    found = {stem: folder / f"{stem}.ogg" for stem in STEMS if (folder / f"{stem}.ogg").is_file()}
    if not found:
        raise SystemExit(f"{folder}: expected vocals, drums, bass, other as .ogg, found none of them")
    waves: dict[str, Wave] = {}
    for stem, path in found.items():
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
        if rate != SAMPLE_RATE or wave.shape[1] != 2:
            raise SystemExit(f"{path}: expected {SAMPLE_RATE} Hz stereo, received {rate} Hz, {wave.shape[1]} channels")
        waves[stem] = wave.T
    shape = next(iter(waves.values())).shape
    if any(wave.shape != shape for wave in waves.values()):
        raise SystemExit(f"{folder}: expected stems of equal length")
    return np.stack([waves.get(stem, np.zeros(shape, np.float32)) for stem in STEMS])


def write_song(folder: Path, stems: Wave) -> None:
    """Write the stems that sound; one that sounds in no second gets no file."""
    folder.mkdir(parents=True, exist_ok=True)
    sounding = np.asarray(find_active(stems).any(axis=1)).tolist()
    for stem, wave, sounds in zip(STEMS, stems, sounding, strict=True):
        path = folder / f"{stem}.ogg"
        if not sounds:
            path.unlink(missing_ok=True)
            continue
        with soundfile.SoundFile(
            path, "w", SAMPLE_RATE, 2, "VORBIS", format="OGG", compression_level=COMPRESSION_LEVEL
        ) as file:
            file.title, file.artist, file.album = f"{folder.name.capitalize()}: {stem}", ARTIST, ALBUM
            file.license = LICENCE
            for start in range(0, wave.shape[-1], BLOCK_SAMPLES):
                file.write(wave[:, start : start + BLOCK_SAMPLES].T)


def describe(stems: Wave) -> dict[str, Any]:
    """Return a song's activity: the share of its seconds in which each stem, three stems, all four sound."""
    active = find_active(stems)
    count = active.sum(axis=0)
    return {
        "seconds": round(stems.shape[-1] / SAMPLE_RATE, 2),
        "active": {stem: round(float(share), 3) for stem, share in zip(STEMS, active.mean(axis=1), strict=True)},
        "three_or_more": round(float((count >= 3).mean()), 3),
        "all_four": round(float((count == 4).mean()), 3),
    }


def make_song(source: Path, out: Path) -> dict[str, Any]:
    """Cut one song, write it, read it back, and return its record."""
    name, whole = source.name, read_song(source)
    faulty = FAULTY.get(name, (0, 0))
    windows = choose_windows(find_active(whole), PLAN[name], faulty)
    kept = cut_stems(whole, windows)
    gain = 1.0
    write_song(out / name, kept)
    coded = read_song(out / name)
    while (peak := float(np.abs(coded.sum(axis=0)).max())) >= 1.0:  # coding moves peaks, so look again
        gain *= PEAK / peak
        write_song(out / name, kept * np.float32(gain))
        coded = read_song(out / name)
    if coded.shape != kept.shape:
        raise SystemExit(f"{out / name}: wrote {kept.shape[-1]} samples, read back {coded.shape[-1]}")
    truth = kept.sum(axis=0, dtype=np.float64) * gain
    error = truth - coded.sum(axis=0, dtype=np.float64)
    return {
        "name": name,
        "title": name.capitalize(),
        "artist": ARTIST,
        "licence": LICENCE,
        "split": PLAN[name].split,
        "seconds": round(kept.shape[-1] / SAMPLE_RATE, 2),
        "excerpts": [list(window) for window in windows],
        "gain_db": round(20 * math.log10(gain), 3),
        "coding_sdr_db": round(10 * math.log10(float(np.square(truth).sum() / np.square(error).sum())), 1),
        "before": describe(np.delete(whole, np.s_[faulty[0] * SAMPLE_RATE : faulty[1] * SAMPLE_RATE], axis=-1)),
        "after": describe(coded),
    }


def to_toml(value: Any) -> str:
    """Write one value as TOML: a dictionary becomes an inline table."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {to_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(to_toml(entry) for entry in value) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def main() -> None:
    """Cut every song and write the records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="folder with <song>/<stem>.ogg")
    parser.add_argument("out", type=Path, nargs="?", default=Path(__file__).parent)
    arguments = parser.parse_args()
    missing = [name for name in PLAN if not (arguments.source / name).is_dir()]
    if missing:
        parser.error(f"{arguments.source}: expected one folder per song, missing {', '.join(missing)}")
    lines = [
        "# Written by make_cut.py. Shares are of the seconds whose rms lies above active_dbfs; excerpts are",
        "# [start, end] in seconds of the original; before = the whole song but for FAULTY seconds, after = this cut",
        "# as decoded.",
        f"active_dbfs = {ACTIVE_DBFS}",
        f"fade_seconds = {FADE_SECONDS}",
        f"compression_level = {COMPRESSION_LEVEL}",
    ]
    for name in PLAN:
        record = make_song(arguments.source / name, arguments.out)
        print(f"{name}: {record['excerpts']}, coding {record['coding_sdr_db']} dB", flush=True)
        lines += ["", "[[song]]", *(f"{key} = {to_toml(value)}" for key, value in record.items())]
    (arguments.out / "songs.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
