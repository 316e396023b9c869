"""Measure the memory that training steps take at their peak, each config in a process of its own, on the CPU.

    python benchmarks/step_memory.py configs/musdb18-unet.toml configs/musdb18-vit.toml [--set data.batch_size=16]

Prints for each config the peak of the process over two steps on noise, less what it held before the net was built:
weights, gradients, AdamW's state, activations, workspace. A GPU's own workspace differs. Needs Linux or macOS.
"""

import argparse
import subprocess
import sys

_CHILD = """
import resource, sys, torch
from pathlib import Path
from demix.config import STEMS, load_config
from demix.data import segments
from demix.models import build_net
from demix.training import loop

settings = load_config(Path(sys.argv[1]), sys.argv[2:])
samples = segments.segment_samples(settings.data)
shape = (settings.data.batch_size, len(STEMS), 2, samples)
noise = torch.randn(shape).numpy() * 0.05
loop.draw_batch = lambda *_, **__: noise
unit = 1 if sys.platform == "darwin" else 1024
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
before = peak()
net = build_net(settings).train()
optimiser = torch.optim.AdamW(net.parameters())
for step in range(2):
    loop.train_step(net, optimiser, pool=None, settings=settings, step=step, device=torch.device("cpu"))
print(peak() - before)
"""


def main() -> None:
    """Measure every config."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    options = parser.parse_args()
    for config in options.configs:
        command = [sys.executable, "-c", _CHILD, config, *options.settings]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        print(f"{config}: {int(done.stdout) / 1e9:.1f} GB", flush=True)


if __name__ == "__main__":
    main()
