"""Check a device's training steps against the CPU's in float32: same weights, same batches, the settings' precision.

    python benchmarks/train_parity.py [--device cuda] [--preset small] [--steps 5] [--set speed.precision=bfloat16 ...]

Prints for each net and way how far loss and gradient (relative norm of the difference, cosine) are from the
CPU's, each step taken from the CPU's weights; exits with 1 where one is further than it may be: 0.001 dB and a cosine
of 0.9999 in float32, 0.1 dB and 0.98 in half precision.
"""

import argparse
import json
import sys

import numpy as np
import torch

from demix.config import CHANNELS, SAMPLE_RATE, STEMS, load_config
from demix.data.segments import segment_samples
from demix.models import MODELS
from demix.training.engine import Engine

WAYS = {
    "float32": [],
    "tf32": ["speed.precision=tf32"],
    "bfloat16": ["speed.precision=bfloat16", "speed.channels_last=true"],
    "float16": ["speed.precision=float16", "speed.channels_last=true"],
    "bfloat16 compiled": ["speed.precision=bfloat16", "speed.channels_last=true", "speed.compile=true"],
    "float32 in pieces, checkpointed": ["speed.micro_batch=1", "speed.checkpoint_activations=true"],
}
BOUNDS = {"float32": (1e-3, 0.9999), "half": (0.1, 0.98)}  # of the loss in dB, of the gradients' cosine


def chords(batch: int, samples: int, seed: int) -> torch.Tensor:
    """Return stems of decaying tones and noise, `(batch, stems, channels, samples)`: one of them silent."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / SAMPLE_RATE
    stems = np.zeros((batch, len(STEMS), CHANNELS, samples), np.float32)
    for item in range(batch):
        for stem in range(len(STEMS)):
            for pitch in 55 * 2 ** (rng.integers(0, 48, 4) / 12):
                decay = np.exp(-((time * rng.uniform(1, 4)) % 1) * 5)
                stems[item, stem] += 0.05 * decay * np.sin(2 * np.pi * pitch * time + rng.uniform(0, 6, (2, 1)))
            stems[item, stem] += rng.normal(0, 0.003 * 10 ** rng.uniform(-2, 1), (CHANNELS, samples))
        stems[item, rng.integers(len(STEMS))] = 0
    return torch.from_numpy(stems)


def gradient(engine: Engine) -> torch.Tensor:
    """Return all gradients as one vector on the CPU."""
    values = [value.grad for value in engine.net.parameters() if value.grad is not None]
    return torch.cat([value.detach().float().cpu().flatten() for value in values])


def compare(net: str, way: str, options: argparse.Namespace) -> dict[str, object]:
    """Take the same steps on both devices, the device's each from the CPU's weights; return the largest differences."""
    common = [f'model.name="{net}"', f'model.preset="{options.preset}"', "data.batch_size=2", *options.settings]
    reference = Engine(load_config(None, [*common, "training.device=cpu"]), device=torch.device("cpu"))
    settings = load_config(None, [*common, f"training.device={options.device}", *WAYS[way]])
    engine = Engine(settings, device=torch.device(options.device))
    losses, norms, cosines = [], [], []
    for step in range(options.steps):
        stems = chords(2, segment_samples(settings.data), step)
        engine.net.load_state_dict(reference.net.state_dict())
        expected, got = float(reference.step(stems, step)), float(engine.step(stems.to(options.device), step))
        wanted, found = gradient(reference), gradient(engine)
        losses.append(abs(expected - got))
        norms.append(float((found - wanted).norm() / wanted.norm()))
        cosines.append(float(torch.nn.functional.cosine_similarity(found.double(), wanted.double(), dim=0)))
    loss, cosine = BOUNDS["half" if "float16" in way else "float32"]
    return {
        "net": net,
        "way": way,
        "loss_db": max(losses),
        "gradient": max(norms),
        "cosine": min(cosines),
        "ok": all(value <= loss for value in losses) and all(value >= cosine for value in cosines),  # false for NaN
    }


def main() -> None:
    """Compare every way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--way", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for net in MODELS:
        for way in options.way:
            row = compare(net, way, options)
            rows.append(row)
            if not options.json:
                print(
                    f"{'ok ' if row['ok'] else 'NOT'} {net:5} {way:32} loss {row['loss_db']:.5f} dB, gradient "
                    f"{row['gradient']:.2%}, cosine {row['cosine']:.5f}",
                    flush=True,
                )
    if options.json:
        print(json.dumps(rows, indent=2))
    sys.exit(not all(row["ok"] for row in rows))


if __name__ == "__main__":
    main()
