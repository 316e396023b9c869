"""Time `demix separate` beside HT Demucs on the same song, in turn, from decoding to written stems.

    python -m venv peers && peers/bin/pip install demucs==4.1.0 torch==2.13.0
    python benchmarks/separate_peers.py peers/bin/python [--seconds 30] [--rounds 2]

HT Demucs is built with random weights: they change what is heard, not how long it takes. It runs as `demucs` does by
default: chunks of 7.8 s, a quarter of overlap, one pass. Loading of programs and weights is not counted for either.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from separate_speed import write_song

_DEMUCS = """
import sys, time
import soundfile, torch
from demucs.apply import apply_model
from demucs.htdemucs import HTDemucs
net = HTDemucs(sources=["drums", "bass", "other", "vocals"], segment=7.8).eval()
started = time.perf_counter()
mixture = torch.from_numpy(soundfile.read(sys.argv[1], dtype="float32")[0].T.copy())[None]
with torch.no_grad():
    stems = apply_model(net, mixture, shifts=0, split=True, overlap=0.25)[0].numpy()
for index, stem in enumerate(stems):
    soundfile.write(f"{sys.argv[2]}/{index}.wav", stem.T, 44100, subtype="PCM_16")
print(time.perf_counter() - started)
"""


def time_demix(song: Path, folder: Path, model: str) -> float:
    """Return the seconds that `demix separate` says it took."""
    command = [sys.executable, "-m", "demix", "separate", "--json", "--force", "-o", str(folder), "-n", model]
    done = subprocess.run([*command, str(song)], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["elapsed"])


def time_demucs(python: str, song: Path, folder: Path) -> float:
    """Return the seconds that HT Demucs took."""
    done = subprocess.run([python, "-c", _DEMUCS, str(song), str(folder)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print, for each round and net, how many times faster than real time, and the ratio to HT Demucs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demucs", help="the Python of an environment with demucs")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as place:
        folder = Path(place)
        song = folder / "song.wav"
        write_song(song, options.seconds)
        for turn in range(options.rounds):
            peer = time_demucs(options.demucs, song, folder)
            print(f"round {turn}: HT Demucs {options.seconds / peer:.2f} x real time", flush=True)
            for model in ("unet", "vit"):
                own = time_demix(song, folder, model)
                print(
                    f"round {turn}: {model} {options.seconds / own:.1f} x, {peer / own:.0f} times HT Demucs", flush=True
                )


if __name__ == "__main__":
    main()
