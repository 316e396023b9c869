"""Sizes of the nets: `tiny` for two CPU cores, `small` for a 4 GB card, `base` for a big GPU.

At every preset the U-Net and the ViT are within 5 % of each other in parameters (a test counts them). `phase` and the
rest of `demix.config.Model` are not sizes and stay with the run.
"""

from typing import Any

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "tiny": {
        "unet": {"widths": (16, 32, 48, 68, 96), "bands": 192},
        "vit": {"embed_dim": 128, "depth": 4, "num_heads": 4, "patch_size": (8, 8), "bands": 192},
    },
    "small": {
        "unet": {"widths": (32, 64, 128, 256, 448)},
        "vit": {"embed_dim": 384, "depth": 6, "num_heads": 6, "patch_size": (12, 4)},
    },
    "base": {
        "unet": {"widths": (64, 128, 256, 512, 1024), "bands": 512},
        "vit": {"embed_dim": 640, "depth": 10, "num_heads": 10, "patch_size": (8, 4), "bands": 512},
    },
}
