"""Say where the time of a training step goes, by kind of operation.

    python benchmarks/train_profile.py [--net vit] [--preset base] [--device cuda] [--set speed.precision=bfloat16 ...]

Prints the kinds with their share of the device's time, the rate of the matrix products and convolutions (the net's
operations over the time of these kernels), and below it PyTorch's own table of the longest operations.
"""

import argparse
import re

import torch
from torch.profiler import ProfilerActivity, profile

from demix.config import CHANNELS, STEMS, load_config
from demix.data.segments import segment_samples
from demix.runtime import pick_device
from demix.training.allocator import keep_freed_memory
from demix.training.bench_case import product_flops
from demix.training.engine import Engine
from demix.training.flops import count_step_flops

KINDS = {  # the first that fits the name of a kernel (GPU) or an operation (CPU)
    "fused by the compiler": r"^triton_(poi|red|per|for)_",  # their names list what is in them
    "attention": r"flash|fmha|attention|softmax_warp",
    "matrix products and convolutions": r"gemm|cutlass|cudnn|conv|wgrad|dgrad|xmma|nvjet|sm\d\d_|addmm|::mm|bmm|matmul",
    "transforms": r"fft|_r2c|_c2r",
    "optimiser": r"adam|multi_tensor|foreach|lerp",
    "normalisation": r"norm|rowwise",
    "copies": r"memcpy|memset|copy|cat",
}
WARM_STEPS, STEPS = 4, 4


def main() -> None:
    """Profile one net."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="vit")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--rows", type=int, default=15)
    options = parser.parse_args()
    keep_freed_memory()
    chosen = [f'model.name="{options.net}"', f'model.preset="{options.preset}"', *options.settings]
    settings, device = load_config(None, chosen), pick_device(options.device)
    engine = Engine(settings, device=device)
    shape = (settings.data.batch_size, len(STEMS), CHANNELS, segment_samples(settings.data))
    stems = 0.05 * torch.randn(shape, device=device)
    for step in range(WARM_STEPS):
        engine.step(stems, step)
    on_gpu = device.type == "cuda"
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=kinds) as found:
        for step in range(STEPS):
            engine.step(stems, step)
        if on_gpu:
            torch.cuda.synchronize()
    averages = found.key_averages()
    spent: dict[str, float] = {}
    for event in averages:
        seconds = (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1e6 / STEPS
        if event.is_user_annotation or (on_gpu and str(event.device_type).endswith("CPU")):
            continue  # a name around other events; what the host spends on launching
        kind = next(
            (kind for kind, names in KINDS.items() if re.search(names, event.key, re.IGNORECASE)), "elementwise"
        )
        spent[kind] = spent.get(kind, 0) + seconds
    total = sum(spent.values())
    print(f"{options.net} {options.preset} on {device}, {settings.speed.precision}: {total * 1000:.1f} ms a step")
    for kind, seconds in sorted(spent.items(), key=lambda pair: -pair[1]):
        print(f"  {kind:34} {seconds * 1000:9.2f} ms {seconds / total:7.1%}")
    products = spent.get("matrix products and convolutions", 0) + spent.get("attention", 0)
    if products:
        rate, peak = (
            count_step_flops(settings, recomputed=True) / products,
            product_flops(device, settings.speed.precision),
        )
        print(
            f"  products, convolutions and attention: {rate / 1e12:.3f} TFLOP/s, {rate / peak:.0%} of what a large "
            f"matrix product reaches here ({peak / 1e12:.3f})"
        )
    print(averages.table(sort_by=f"self_{'device' if on_gpu else 'cpu'}_time_total", row_limit=options.rows))


if __name__ == "__main__":
    main()
