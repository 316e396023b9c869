"""Compute and count the memory of a training step at its peak, and its operations, without a GPU.

    python benchmarks/step_memory.py configs/musdb18-unet.toml configs/musdb18-vit.toml [--set speed.micro_batch=4]

Prints for each config the parts of the computed peak in MiB, their sum, and the peak that is counted tensor by tensor;
on a machine with an NVIDIA card also what PyTorch's allocator measures (`torch.cuda.max_memory_allocated`) over three
real steps on noise. `demix.training.memory` says what each of them is. Then the floating-point operations of the net,
what is computed again included.
"""

import argparse
from contextlib import nullcontext
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from demix.config import CHANNELS, STEMS, Config, load_config
from demix.data.segments import segment_samples
from demix.training.engine import Engine
from demix.training.flops import count_step_flops
from demix.training.memory import compute_step_memory, count_step_memory

MIB = 2**20


def main() -> None:
    """Print the memory of every config."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument(
        "--plain-attention", action="store_true", help="as on a card for which PyTorch has no fused kernel"
    )
    options = parser.parse_args()
    for path in options.configs:
        settings = load_config(path, options.settings)
        with sdpa_kernel(SDPBackend.MATH) if options.plain_attention else nullcontext():
            parts = compute_step_memory(settings)
            counted = count_step_memory(settings)
            measured = measure_step_memory(settings) if torch.cuda.is_available() else None
        print(path)
        for name, size in parts.items():
            print(f"  {size / MIB:8.1f}  {name}")
        print(f"  {sum(parts.values()) / MIB:8.1f}  computed\n  {counted / MIB:8.1f}  counted")
        if measured is not None:
            print(f"  {measured / MIB:8.1f}  measured on {torch.cuda.get_device_name()}")
        print(f"  {count_step_flops(settings, recomputed=True) / 1e12:8.3f}  TFLOP", flush=True)


def measure_step_memory(settings: Config) -> int:
    """Return `torch.cuda.max_memory_allocated` over three steps."""
    device = torch.device("cuda")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    engine = Engine(settings, device=device)
    shape = (settings.data.batch_size, len(STEMS), CHANNELS, segment_samples(settings.data))
    stems = torch.randn(shape, device=device).mul_(0.1)
    for step in range(3):
        engine.step(stems, step)
    return torch.cuda.max_memory_allocated()


if __name__ == "__main__":
    main()
