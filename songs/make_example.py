"""Cut the example of the server's page out of the test song: the seconds in which its four stems sound together best.

python songs/make_example.py        # writes src/demix/api/example/lithium/
"""

from pathlib import Path

import numpy as np

from demix import audio
from demix.config import STEMS

SECONDS, FADE_SECONDS = 30, 0.05
SONG = Path(__file__).parent / "lithium"
TARGET = Path(__file__).parents[1] / "src" / "demix" / "api" / "example" / SONG.name


def main() -> None:
    """Write the four stems of the excerpt."""
    waveforms = {stem: audio.read(SONG / f"{stem}.ogg") for stem in STEMS}
    rate = next(iter(waveforms.values()))[1]
    stems = np.stack([waveform for waveform, _ in waveforms.values()])
    seconds = stems.shape[-1] // rate
    whole = stems[..., : seconds * rate].reshape(*stems.shape[:2], seconds, rate)
    # As for the report's excerpt: levels held between -50 and -20 dBFS, so that no loud stem makes up for a silent one.
    power = np.square(whole, dtype=np.float64).mean(axis=(1, 3))
    level_db = np.clip(10 * np.log10(power + 1e-12), -50, -20).sum(axis=0)
    start = int(np.convolve(level_db, np.ones(SECONDS), "valid").argmax())
    excerpt = stems[..., start * rate : (start + SECONDS) * rate]
    fade = np.minimum(1, np.arange(excerpt.shape[-1]) / (FADE_SECONDS * rate))
    excerpt = (excerpt * fade * fade[::-1]).astype(np.float32)
    for stem, waveform in zip(STEMS, excerpt, strict=True):
        audio.write(TARGET / f"{stem}.ogg", waveform, sample_rate=rate)
    print(f"{TARGET}: {SECONDS} s from second {start} on")


if __name__ == "__main__":
    main()
