"""Time training steps with and without `keep_freed_memory`, in turn, each in its own process.

    python benchmarks/freed_memory.py [pairs]

Prints the median seconds of a step of each tiny net, and the ratio plain / kept pair by pair.
"""

import statistics
import subprocess
import sys

STEPS = 6

_CHILD = f"""
import sys, time, statistics, torch
from demix.config import load_config
from demix.data.library import open_prepared
from demix.data.segments import open_pool, segment_samples
from demix.models import build_net
from demix.training.allocator import keep_freed_memory
from demix.training.loop import train_step

name, kept = sys.argv[1], sys.argv[2] == "kept"
if kept and not keep_freed_memory():
    sys.exit("no glibc here: nothing to compare")
settings = load_config(None, [f"model.name={{name}}"])
tracks = [track for track in open_prepared("free") if track.split == "train"]
pool = open_pool(tracks, segment_samples=segment_samples(settings.data))
net = build_net(settings).train()
optimiser = torch.optim.AdamW(net.parameters())
seconds = []
for step in range({STEPS}):
    started = time.perf_counter()
    train_step(net, optimiser, pool=pool, settings=settings, step=step, device=torch.device("cpu"))
    seconds.append(time.perf_counter() - started)
print(statistics.median(seconds[1:]))
"""


def measure(name: str, how: str) -> float:
    """Return the median seconds of a training step in a new process."""
    done = subprocess.run([sys.executable, "-c", _CHILD, name, how], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure both nets."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for name in ("unet", "vit"):
        ratios, kept = [], []
        for _ in range(pairs):
            plain_seconds, kept_seconds = measure(name, "plain"), measure(name, "kept")
            ratios.append(plain_seconds / kept_seconds)
            kept.append(kept_seconds)
        print(
            f"{name}: {statistics.median(kept):.2f} s a step with memory kept; plain / kept: "
            + ", ".join(f"{ratio:.2f}" for ratio in ratios)
        )


if __name__ == "__main__":
    main()
