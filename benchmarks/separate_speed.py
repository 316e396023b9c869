"""Time `demix separate` from end to end, and its memory: each case in a process of its own.

    python benchmarks/separate_speed.py [--minutes 5 60] [--models unet vit]

The song is Lithium over and over, as 16-bit wav; the stems are 16-bit wav as by default. Prints, for each model, how
many times faster than real time it is, the peak of its resident memory for each length and their ratio, and the wall
clock of a clip of ten seconds, imports included; then that of `demix --help`. Needs Linux.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from demix.config import SAMPLE_RATE, STEMS

LITHIUM = Path(__file__).parents[1] / "songs" / "lithium"
CLIP_SECONDS = 10
START_RUNS = 3

# Not ru_maxrss, which begins with the memory of the parent.
_CHILD = """
import sys
from demix.cli import main
try:
    main()
finally:
    with open("/proc/self/status") as file:
        print(next(line.split()[1] for line in file if line.startswith("VmHWM")), file=sys.stderr)
"""


def write_song(path: Path, seconds: float) -> None:
    """Write the mixture of Lithium, repeated to that length, piece by piece."""
    mixture = sum(soundfile.read(LITHIUM / f"{stem}.ogg", dtype="float32")[0] for stem in STEMS) / np.float32(2)
    left = round(seconds * SAMPLE_RATE)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, subtype="PCM_16") as file:
        while left:
            piece = mixture[:left]
            file.write(piece)
            left -= len(piece)


def measure(arguments: list[str]) -> tuple[float, float]:
    """Run `demix` in a new process; return seconds of wall clock and MiB of peak memory."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _CHILD, *arguments], capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - started
    if done.returncode:
        sys.exit(done.stderr)
    return elapsed, int(done.stderr.split()[-1]) / 1024


def main() -> None:
    """Measure every model at every length."""
    parser = argparse.ArgumentParser(description="Speed and memory of demix separate.")
    parser.add_argument("--minutes", type=float, nargs="+", default=[5, 60])
    parser.add_argument("--models", nargs="+", default=["unet", "vit"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:  # not in /tmp, which may be memory
        songs = {minutes: Path(folder) / f"{minutes:g}-minutes.wav" for minutes in options.minutes}
        for minutes, path in songs.items():
            write_song(path, minutes * 60)
        clip = Path(folder) / "clip.wav"
        write_song(clip, CLIP_SECONDS)
        for model in options.models:
            command = ["separate", "--force", "--out", folder, "--model", model]
            peaks = []
            for minutes, path in songs.items():
                elapsed, peak = measure([*command, str(path)])
                peaks.append(peak)
                print(f"{model}: {minutes:g} min in {elapsed:.1f} s, {minutes * 60 / elapsed:.1f} x, {peak:.0f} MiB")
            print(f"{model}: peak of the longest / of the shortest: {peaks[-1] / peaks[0]:.3f}")
            starts = [measure([*command, str(clip)])[0] for _ in range(START_RUNS)]
            print(f"{model}: {CLIP_SECONDS} s from a cold start in {min(starts):.2f} s (best of {START_RUNS})")
        helps = [measure(["--help"])[0] for _ in range(START_RUNS)]
        print(f"demix --help: {min(helps):.2f} s (best of {START_RUNS})")


if __name__ == "__main__":
    main()
