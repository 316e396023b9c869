"""How much faster `demix.metrics` finds museval's SDR than museval does, on the same piece of a real song.

    python benchmarks/museval_speed.py [seconds]         # needs ffmpeg on PATH, because `import museval` does

Museval also solves for the filters behind ISR, SIR and SAR, which its SDR does not need: that is where its
time goes, and why the comparison is about the SDR only. One run each.
"""

import sys
import time
from pathlib import Path

import museval
import numpy as np
import soundfile

from demix.config import SAMPLE_RATE, STEMS
from demix.evaluation.baselines import apply_ideal_masks
from demix.metrics import bsseval_frames

SONG = Path(__file__).parents[1] / "songs" / "potassium"
START_SECONDS = 26  # all four stems sound from here on


def main() -> None:
    """Time both and print the ratio."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    span = {"start": START_SECONDS * SAMPLE_RATE, "frames": seconds * SAMPLE_RATE}
    read = [soundfile.read(SONG / f"{stem}.ogg", dtype="float32", **span)[0].T for stem in STEMS]
    references = np.stack(read)
    estimates = apply_ideal_masks(references.sum(axis=0), references)

    start = time.perf_counter()
    ours = bsseval_frames(references, estimates, sample_rate=SAMPLE_RATE)
    ours_seconds = time.perf_counter() - start

    theirs_references, theirs_estimates = (
        np.swapaxes(audio, 1, 2).astype(np.float64) for audio in (references, estimates)
    )
    start = time.perf_counter()
    theirs, *_ = museval.evaluate(theirs_references, theirs_estimates, win=SAMPLE_RATE, hop=SAMPLE_RATE)
    theirs_seconds = time.perf_counter() - start

    difference = np.abs(ours - theirs)
    print(f"{seconds} s of {SONG.name}, {len(STEMS)} stems, stereo, {SAMPLE_RATE} Hz")
    print(f"museval  {theirs_seconds:10.3f} s")
    print(f"demix    {ours_seconds:10.3f} s   ({theirs_seconds / ours_seconds:.0f} times faster)")
    print(
        f"largest difference {np.nanmax(difference):.1e} dB, undefined in the same places: "
        f"{np.array_equal(np.isnan(ours), np.isnan(theirs))}"
    )


if __name__ == "__main__":
    main()
