"""Write `museval.npz`: small pieces of real music, and what museval 0.4.1 says about them frame by frame.

    python tests/vectors/make_vectors.py        # needs ffmpeg on PATH, because `import museval` does

Each case `<name>` holds `<name>_rate` in Hz, `<name>_references` and `<name>_estimates` (int16, to be divided
by 32768; `(stems, channels, samples)`) and `<name>_sdr`, museval's SDR in dB, `(stems, frames)`. The music is
from songs/potassium (CC0, Software-Entwicklungskit), decimated so far that the file stays small.
"""

from pathlib import Path

import museval
import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import resample_poly

RATE = 800
SOURCE_RATE = 44_100
HERE = Path(__file__).parent
SONG = HERE.parents[1] / "songs" / "potassium"
STEMS = ("vocals", "drums", "bass", "other")
Cases = dict[str, npt.NDArray]


def main() -> None:
    references = read_stems(start_seconds=26, seconds=6)
    estimates = bleed(references)
    arrays: Cases = {}
    add_case(arrays, "music", references[..., : 5 * RATE + 300], estimates[..., : 5 * RATE + 300])
    add_case(arrays, "whole_seconds", references[..., : 2 * RATE], estimates[..., : 2 * RATE])
    add_case(arrays, "short", references[..., : RATE - 150], estimates[..., : RATE - 150])

    gaps, guess = references.copy(), estimates.copy()
    gaps[1, :, RATE : 2 * RATE] = 0  # a reference silent in frame 1
    guess[2, :, 2 * RATE : 3 * RATE] = 0  # an estimate silent in frame 2
    gaps[3, 1, 3 * RATE : 4 * RATE] = -gaps[3, 0, 3 * RATE : 4 * RATE]  # antiphase: silent for museval
    guess[0, 0, 4 * RATE : 5 * RATE] = 0  # one silent channel is not silence
    add_case(arrays, "gaps", gaps, guess)

    without = references[..., : 3 * RATE].copy()
    without[2] = 0  # museval refuses a stem that is silent throughout: it gets the other three
    kept = [0, 1, 3]
    add_case(arrays, "silent_stem", without, estimates[..., : 3 * RATE], kept=kept)
    np.savez_compressed(HERE / "museval.npz", **arrays)


def read_stems(start_seconds: int, seconds: int) -> npt.NDArray[np.int16]:
    stems = []
    for stem in STEMS:
        start = start_seconds * SOURCE_RATE
        audio, rate = soundfile.read(SONG / f"{stem}.ogg", start=start, frames=seconds * SOURCE_RATE)
        if rate != SOURCE_RATE:
            raise ValueError(f"{stem}: {rate} Hz")
        stems.append(resample_poly(audio.T, RATE, rate, axis=-1)[:, : seconds * RATE])
    music = np.stack(stems)
    return np.round(music * 20_000 / np.abs(music).max()).astype(np.int16)


def bleed(references: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Make estimates of unequal quality: quieter, with the other stems and some noise in them."""
    noise = np.random.default_rng(2018).normal(scale=200, size=references.shape)
    share = np.array([0.05, 0.1, 0.2, 0.4])[:, None, None]
    return np.round((0.95 - share) * references + share * references.sum(axis=0) / 2 + noise).astype(np.int16)


def add_case(
    arrays: Cases,
    name: str,
    references: npt.NDArray[np.int16],
    estimates: npt.NDArray[np.int16],
    kept: list[int] | None = None,
) -> None:
    stems = list(range(len(references))) if kept is None else kept
    scores = museval.evaluate(
        np.swapaxes(references[stems] / 32768, 1, 2),
        np.swapaxes(estimates[stems] / 32768, 1, 2),
        win=RATE,
        hop=RATE,
    )[0]
    sdr = np.full((len(references), scores.shape[1]), np.nan)
    sdr[stems] = scores
    arrays |= {
        f"{name}_rate": np.array(RATE),
        f"{name}_references": references,
        f"{name}_estimates": estimates,
        f"{name}_sdr": sdr,
    }


if __name__ == "__main__":
    main()
