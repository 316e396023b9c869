"""What can be told of generated songs without ears: a row of checks for each of the ten on the listening page.

    python benchmarks/generated_judged.py GENERATED [--songs 10]

Prints a table in Markdown. A song is compared with itself on paper, which its seed gives again: so use the version of
the generator that made the songs. About ten seconds of a core for every song.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import soxr
from scipy.ndimage import maximum_filter1d
from song_statistics import decibels

from demix.config import SAMPLE_RATE, STEMS
from demix.data import Track, open_dataset
from demix.files import read_record
from demix.generate.compose import write_song
from demix.generate.make import NOTES
from demix.generate.phrases import key_of, pitch_track
from demix.generate.score import Song
from demix.generate.song_files import RECORD_FILE
from demix.generate.voice_choice import CHORD, HARMONY_RATE, chord_table

Audio = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

RATE = 22050  # of what is analysed
RING_SECONDS = 3.0  # after a note; then a stem rests
PICKUP_SECONDS = 1.0  # before a note, in which a singer may begin
HIT_SECONDS, ALONE_SECONDS = (0.01, 0.06), 0.08  # before and after a hit; with no other so close
STEP, STEP_TIMES = 0.01, 8.0  # a click: a step of so much of full scale, so many times those around it
HEARD_SECONDS = 90  # of the beginning; looked at for tempo, time and harmony
SUNG_SECONDS = 20  # of the stretch in which is sung most
MUSIC = {
    "song": "song",
    "style": "style",
    "tempo": "beats a minute: written, heard",
    "drums": "hits after they are written",
    "harmony": "harmony off by, agreement (elsewhere)",
    "key": "key: written, heard",
    "sung": "sung in the key, in the chord",
    "rests": "loudest rest",
    "end": "first sound, last 50 ms",
}
SIGNAL = {
    "song": "song",
    "peak": "peak: stems, mixture",
    "clicks": "clicks",
    "dc": "direct current",
    "levels": "softest, loudest stem",
    "balance": "left − right: mixture, worst stem",
    "mono": "lost in mono: mixture, worst stem",
}


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(description="Judge generated songs by computation.")
    parser.add_argument("generated", type=Path)
    parser.add_argument("--songs", type=int, default=10)
    arguments = parser.parse_args()
    tracks = open_dataset(arguments.generated)
    places = np.linspace(0, len(tracks) - 1, min(arguments.songs, len(tracks))).round().astype(int)  # as on the page
    rows = []
    for place in places:
        rows.append(judge(tracks[place]))
        print(tracks[place].name, file=sys.stderr, flush=True)
    print(f"{table(MUSIC, rows)}\n\n{table(SIGNAL, rows)}")


def table(heads: Mapping[str, str], rows: Sequence[Mapping[str, str]]) -> str:
    """Return a table in Markdown."""
    lines = [list(heads.values()), ["---"] * len(heads), *([row[name] for name in heads] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def judge(track: Track) -> dict[str, str]:
    """Return what is said about a song, by the names of `MUSIC` and `SIGNAL`."""
    record = read_record(track.paths[0].parent / RECORD_FILE)
    song = write_song(record["seed"])
    stems = track.stems()
    mixture = stems.sum(axis=0)
    tonal = resample(stems[2] + stems[3])
    levels = [decibels(np.square(wave).mean()) - decibels(np.square(mixture).mean()) for wave in stems if wave.any()]
    sides = [left_right(wave) for wave in stems if wave.any()]
    losses = [mono_loss(wave) for wave in stems if wave.any()]
    return {
        "song": track.name.removeprefix("generated-"),
        "style": song.style,
        "tempo": f"{song.bpm:.0f}, {tempo(resample(mixture)):.0f}",
        "drums": drums_in_time(song, stems[1]),
        "harmony": harmony(song, tonal),
        "key": key(song, tonal),
        "sung": singing(song, stems[0]),
        "levels": f"{min(levels):.0f}, {max(levels):.0f} dB",
        "peak": f"{np.abs(stems).max():.2f}, {np.abs(mixture).max():.2f}",
        "clicks": str(sum(clicks(channel) for wave in stems for channel in wave)),
        "dc": f"{max(direct_current(wave) for wave in stems if wave.any()):.0f} dB",
        "rests": loudest_rest(song, stems),
        "end": ends(mixture),
        "balance": f"{left_right(mixture):+.1f}, {max(sides, key=abs):+.1f} dB",
        "mono": f"{mono_loss(mixture):.1f}, {max(losses):.1f} dB",
    }


def resample(wave: Audio) -> Audio:
    """Return the beginning as one channel at `RATE`."""
    return np.ascontiguousarray(soxr.resample(wave[:, : HEARD_SECONDS * SAMPLE_RATE].mean(axis=0), SAMPLE_RATE, RATE))


def tempo(mono: Audio) -> float:
    """Return the tempo that a beat tracker finds."""
    return float(np.atleast_1d(librosa.beat.beat_track(y=mono, sr=RATE)[0])[0])


def drums_in_time(song: Song, wave: Audio) -> str:
    """Say how many milliseconds after it is written a hit is there: median, 10th and 90th percentile.

    Looked at are hits that nothing else is written close to; one is there at 0.4 of its greatest sample.
    """
    notes = [note for part in song.parts if part.stem == "drums" for note in part.notes]
    starts = np.array(sorted({round(note.start, 3) for note in notes}))
    loud = np.abs(wave).max(axis=0)
    delays = []
    for start in starts:
        hit = loud[int((start - HIT_SECONDS[0]) * SAMPLE_RATE) : int((start + HIT_SECONDS[1]) * SAMPLE_RATE)]
        if start > 0.5 and np.sum(np.abs(starts - start) < ALONE_SECONDS) == 1 and hit.any():
            there = int(np.argmax(hit > 0.4 * hit.max()))
            if there:  # else what rang before is louder
                delays.append(there / SAMPLE_RATE - HIT_SECONDS[0])
    if not delays:
        return "none alone"
    low, median, high = (f"{1000 * each:+.0f}".replace("-", "−") for each in np.percentile(delays, [10, 50, 90]))
    return f"{median} ms ({low} to {high})"


def harmony(song: Song, mono: Audio) -> str:
    """Say how many semitones what is heard has to be moved to agree best with the written notes; agreement as it is."""
    hop = 2048
    heard = librosa.feature.chroma_stft(y=mono, sr=RATE, n_fft=8192, hop_length=hop, tuning=0.0, norm=None)
    written = np.zeros_like(heard)
    for part in song.parts:
        if part.stem in ("bass", "other"):
            for note in part.notes:
                first = round(note.start * RATE / hop)  # beyond the end nothing is filled
                last = max(first + 1, round((note.start + note.length) * RATE / hop))
                written[note.pitch % 12, first:last] += note.velocity
    fits = [cosine(np.roll(heard, -shift, axis=0), written) for shift in range(12)]
    best = int(np.argmax(fits))
    return f"{(best + 5) % 12 - 5}, {fits[0]:.2f} (others {np.mean(fits[1:]):.2f})"


def cosine(one: Audio, two: Audio) -> float:
    """Return the mean cosine between columns that are not silent."""
    norms = np.linalg.norm(one, axis=0) * np.linalg.norm(two, axis=0)
    loud = norms > 0
    return float(((one * two).sum(axis=0)[loud] / norms[loud]).mean())


def key(song: Song, mono: Audio) -> str:
    """Name the written key and the one whose profile fits what is heard best."""
    chroma = librosa.feature.chroma_stft(y=mono, sr=RATE, n_fft=8192, hop_length=4096, tuning=0.0)
    tonic, minor = key_of(chroma.mean(axis=1).astype(np.float64))
    return f"{NOTES[song.tonic]}{'m' if 3 in song.scale else ''}, {NOTES[tonic]}{'m' if minor else ''}"


def singing(song: Song, wave: Audio) -> str:
    """Say which share of the sung frames has a pitch of the key, and one of the notes that the others play."""
    seconds = wave.shape[1] // SAMPLE_RATE
    power = np.square(wave[:, : seconds * SAMPLE_RATE].reshape(2, seconds, -1)).mean(axis=(0, 2))
    if not power.any():
        return "nobody"
    first = int(np.argmax(np.convolve(power > power.max() / 1000, np.ones(min(SUNG_SECONDS, seconds)), "valid")))
    pitch = pitch_track(wave[:, first * SAMPLE_RATE : (first + SUNG_SECONDS) * SAMPLE_RATE])
    voiced = np.flatnonzero(~np.isnan(pitch))
    classes = np.rint(pitch[voiced]).astype(int) % 12
    table = chord_table(song)
    at = np.clip(((first + voiced * 512 / 11025) * HARMONY_RATE).astype(int), 0, table.shape[1] - 1)
    in_key = np.isin((classes - song.tonic) % 12, song.scale).mean()
    return f"{in_key:.0%}, {(table[classes, at] == CHORD).mean():.0%}"


def clicks(channel: Audio) -> int:
    """Count steps from one sample to the next that stand alone; an overdriven wave may jump to its negative."""
    near = maximum_filter1d(np.abs(np.diff(channel)), 7)
    sides = np.maximum(np.roll(near, 5), np.roll(near, -5))  # the seven steps from the second neighbour on
    step = np.abs(np.diff(np.abs(channel)))
    return int(np.count_nonzero((step > STEP) & (step > STEP_TIMES * sides)))


def direct_current(wave: Audio) -> float:
    """Return the constant part of the louder channel over the whole, dB."""
    return max(decibels(float(each.mean(dtype=np.float64)) ** 2) - decibels(np.square(each).mean()) for each in wave)


def loudest_rest(song: Song, stems: Audio) -> str:
    """Return the loudest second in which a stem has had no note for a while, over the stem's own level: what hangs."""
    worst: tuple[float, str] = (-np.inf, "")
    for name, wave in zip(STEMS, stems, strict=True):
        seconds = wave.shape[1] // SAMPLE_RATE
        power = np.square(wave[:, : seconds * SAMPLE_RATE].reshape(2, seconds, -1)).mean(axis=(0, 2), dtype=np.float64)
        rests = np.ones(seconds, bool)
        for part in song.parts:
            if part.stem == name:
                for note in part.notes:
                    first = max(0, int(note.start - PICKUP_SECONDS))
                    rests[first : int(np.ceil(note.start + note.length + RING_SECONDS))] = False
        if wave.any() and rests.any():
            worst = max(worst, (decibels(power[rests].max()) - decibels(power[~rests].mean()), name))
    return f"{worst[0]:.0f} dB, {worst[1]}" if worst[1] else "none"


def ends(mixture: Audio) -> str:
    """Say when the first sound comes, and how loud the last 50 ms are over the whole."""
    loud = np.abs(mixture).max(axis=0) > 10 ** (-50 / 20)
    last = decibels(np.square(mixture[:, -SAMPLE_RATE // 20 :]).mean()) - decibels(np.square(mixture).mean())
    return f"{np.argmax(loud) / SAMPLE_RATE:.2f} s, {last:.0f} dB"


def left_right(wave: Audio) -> float:
    """Return the level of the left channel over the right, dB."""
    left, right = (decibels(np.square(channel).mean()) for channel in wave)
    return left - right


def mono_loss(wave: Audio) -> float:
    """Return what a stem loses when both channels are averaged, dB: 0 of equal ones, 3 of independent ones."""
    return decibels(np.square(wave).mean()) - decibels(np.square(wave.mean(axis=0)).mean())


if __name__ == "__main__":
    main()
