"""Transfer from vision: a ViT that starts from the ImageNet weights of one of timm's ViTs.

`model.init = "timm:vit_tiny_patch16_224"` asks timm for the weights; `timm:vit_tiny_patch16_224@FILE` reads them from a
file and needs no timm: .safetensors, as timm's model pages have it, or .pth, .pt and .bin of PyTorch. What is taken:

- the first `depth` blocks, as they are; layer scales are multiplied into the layers before them. (timm's norms add
  1e-6 to the variance, ours 1e-5.) The last norm with all blocks alone, since it is made for what the last one gives.
- the patch embedding: the mean over the input channels for each of our maps, at a scale at which maps that are alike
  give what channels that are alike gave; resampled so that a resized patch gives what the patch gave, as nearly as
  can be (FlexiViT, Beyer et al. 2023).
- positions: their mean over the columns, resized to our rows; ours learns positions of rows alone, and turns the rest.

Features and head keep their random start. A trained net is rebuilt from its run folder without any of this.
"""

import hashlib
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional

from demix import config
from demix.errors import DemixError
from demix.models import build_net
from demix.models.attention import Block
from demix.models.vit import ViT

_FORM = re.compile(r"timm:([\w.-]+)(?:@(.+))?", re.ASCII)
_PICKLED = (".pth", ".pt", ".bin")
# Weights do not say how many heads they are for. timm's plain ViTs (1.0.31) have 64 features a head, but for these
# sizes of tokens and these names.
_HEAD_DIMS = {1152: 72, 1280: 80, 1408: 88, 1536: 96, 1664: 104}
_HEAD_DIMS_BY_NAME = {"test_vit": 32, "vit_base_patch16_gap": 48}
_POST_NORM = "_rpn_"  # in the name of those whose blocks have other norms under the same names
_LAYERS = {  # of a block: timm's name, our name, timm's name of the scale behind it
    "norm1": ("norm1", ""),
    "attn.qkv": ("qkv", ""),
    "attn.proj": ("proj", "ls1.gamma"),
    "norm2": ("norm2", ""),
    "mlp.fc1": ("mlp.0", ""),
    "mlp.fc2": ("mlp.2", "ls2.gamma"),
}
_KNOWN = re.compile(
    r"(?!blocks\.|patch_embed\.|norm_pre\.).*|patch_embed\.proj\.(weight|bias)"
    rf"|blocks\.\d+\.(ls[12]\.gamma|({'|'.join(map(re.escape, _LAYERS))})\.(weight|bias))"
)


@dataclass(frozen=True)
class Start:
    """Weights that a net starts from.

    Args:
        tensors: by the names of our net.
        record: for `run.json`: `source`, the file's `sha256` if any, names `taken` and `kept` at their random start.
    """

    tensors: dict[str, Tensor]
    record: dict[str, Any]

    def __str__(self) -> str:
        """Say in a sentence what is taken and what is not."""
        taken, kept = (dict.fromkeys(name.partition(".")[0] for name in self.record[key]) for key in ("taken", "kept"))
        blocks = len({name.split(".")[1] for name in self.tensors if name.startswith("blocks.")})
        words = [f"{blocks} blocks" if name == "blocks" else name for name in taken]
        return f"{self.record['source']}: taken are {', '.join(words)}; {', '.join(kept)} start as without it"


def read_start(settings: config.Config) -> Start | None:
    """Return the weights that `model.init` names, as the net of these settings takes them; None without `model.init`.

    Raises:
        DemixError: for another net than the ViT, a source of another form, a file or model that cannot be read or is
            no plain ViT of timm, other sizes than those of the settings, and no file where timm is not installed.
    """
    init = settings.model.init
    if not init:
        return None
    net = build_net(settings)
    if not isinstance(net, ViT):
        raise DemixError(f"model.init: expected model.name=vit to start from {init}, received {settings.model.name}")
    match = _FORM.fullmatch(init)
    if match is None:
        raise DemixError(f"model.init: expected timm:MODEL or timm:MODEL@FILE, received {init!r}; write it so")
    model, file = match.groups()
    source, digest = (_download(model), None) if file is None else _read(Path(file))
    where = f"model.init: {init}"
    try:
        _check_source(source, net, model=model, where=where)
        tensors = _convert(source, net)
        for name, value in net.state_dict().items():
            if name in tensors and tensors[name].shape != value.shape:
                raise ValueError(f"{name} would have shape {tuple(tensors[name].shape)}, not {tuple(value.shape)}")
            if name in tensors and not tensors[name].isfinite().all():
                raise ValueError(f"{name} would have values that are no numbers")
    except (RuntimeError, ValueError, IndexError) as error:
        raise DemixError(
            f"{where}: expected weights of a plain ViT of timm, but {str(error).splitlines()[0]}; name another file"
        ) from error
    kept = [name for name in net.state_dict() if name not in tensors]
    return Start(tensors, {"source": init, "sha256": digest, "taken": list(tensors), "kept": kept})


def resample_patches(
    kernels: Float[Tensor, "embed_dim maps height width"], size: tuple[int, int]
) -> Float[Tensor, "embed_dim maps new_height new_width"]:
    """Return kernels that give for a resized patch what these give for the patch, with the least error if not quite."""
    resizing = torch.kron(_resizing(kernels.shape[2], size[0]), _resizing(kernels.shape[3], size[1]))
    new = kernels.double().flatten(2) @ torch.linalg.pinv(resizing).T
    return new.reshape(*kernels.shape[:2], *size).to(kernels.dtype)


def resample_rows(positions: Float[Tensor, "1 places embed_dim"], rows: int) -> Float[Tensor, "embed_dim rows 1"]:
    """Return the mean over the columns of positions on a square grid, resized to `rows`; tokens before it are left."""
    side = math.isqrt(positions.shape[1])
    grid = positions[0, positions.shape[1] - side * side :].reshape(side, side, -1).double()
    return (grid.mean(1).T @ _resizing(side, rows))[..., None].to(positions.dtype)


def _resizing(old: int, new: int) -> Float[Tensor, "old new"]:
    """Return the matrix by which bicubic resizing turns `old` pixels in a line into `new`.

    Both axes at once would be one call, but PyTorch 2.13 resizes to one column wrongly with antialias.
    """
    lines = torch.eye(old, dtype=torch.float64)[:, None, None]
    return functional.interpolate(lines, (1, new), mode="bicubic", antialias=True)[:, 0, 0]


def _convert(source: Mapping[str, Tensor], net: ViT) -> dict[str, Tensor]:
    """Return the tensors of our net that the source has, by our names."""
    kernels = source["patch_embed.proj.weight"]
    maps = net.patch_embed.in_channels
    alike = (kernels.mean(1, keepdim=True) * (kernels.shape[1] / maps)).expand(-1, maps, -1, -1)
    layers = {"patch_embed": (resample_patches(alike, net.patch_size), _bias(source, "patch_embed.proj"))}
    for place in range(len(net.blocks)):
        for name, (ours, scale) in _LAYERS.items():
            layer = f"blocks.{place}.{name}"
            weight, bias = source[f"{layer}.weight"], _bias(source, layer)
            gamma = source.get(f"blocks.{place}.{scale}")
            if gamma is not None:
                weight, bias = weight * gamma[:, None], bias * gamma
            layers[f"blocks.{place}.{ours}"] = (weight, bias)
    if "norm.weight" in source and f"blocks.{len(net.blocks)}.norm1.weight" not in source:
        layers["norm"] = (source["norm.weight"], _bias(source, "norm"))
    tensors = {
        f"{name}.{key}": value
        for name, pair in layers.items()
        for key, value in zip(("weight", "bias"), pair, strict=True)
    }
    if net.row_embed is not None:
        tensors["row_embed"] = resample_rows(source["pos_embed"], net.row_embed.shape[1])
    return tensors


def _bias(source: Mapping[str, Tensor], layer: str) -> Tensor:
    """Return a layer's bias, zeros where it has none."""
    weight = source[f"{layer}.weight"]
    return source.get(f"{layer}.bias", weight.new_zeros(len(weight)))


def _check_source(source: Mapping[str, Tensor], net: ViT, *, model: str, where: str) -> None:
    """Raise `DemixError` unless the source is a plain ViT whose blocks are those of the net."""
    depth = len({name.split(".")[1] for name in source if name.startswith("blocks.")})
    blocks = range(max(1, min(depth, len(net.blocks))))
    needed = ["patch_embed.proj.weight", "pos_embed"]
    needed += [f"blocks.{place}.{name}.weight" for place in blocks for name in _LAYERS]
    missing = next((name for name in needed if name not in source), None)
    strange = next((name for name in source if not _KNOWN.fullmatch(name)), None)
    if missing or strange or _POST_NORM in model:
        what = (
            f"found no {missing}" if missing else f"found {strange or 'norms elsewhere'}, for which ours has no place"
        )
        raise DemixError(f"{where}: expected a plain ViT of timm, {what}; try timm:vit_tiny_patch16_224")
    hidden, embed_dim = source["blocks.0.mlp.fc1.weight"].shape
    named = (value for name, value in _HEAD_DIMS_BY_NAME.items() if model.startswith(name))
    num_heads = embed_dim // next(named, _HEAD_DIMS.get(embed_dim, 64))
    block = cast(Block, net.blocks[0])
    ours = (net.patch_embed.out_channels, block.num_heads, cast(nn.Linear, block.mlp[0]).out_features)
    if ours != (embed_dim, num_heads, hidden) or len(net.blocks) > depth:
        raise DemixError(
            f"{where}: expected a net of its sizes, received embed_dim {ours[0]}, num_heads {ours[1]}, mlp_ratio "
            f"{ours[2] / ours[0]:g} and depth {len(net.blocks)}; set model.options.embed_dim={embed_dim}, num_heads="
            f"{num_heads}, mlp_ratio={hidden / embed_dim:g} and a depth of at most {depth}"
        )
    before = sum(source[name].shape[1] for name in ("cls_token", "dist_token", "reg_token") if name in source)
    places = source["pos_embed"].shape[1]
    if places - math.isqrt(places) ** 2 > before:
        raise DemixError(f"{where}: expected positions on a square grid, received {places}; name another model")


def _read(path: Path) -> tuple[dict[str, Tensor], str]:
    """Return a file's tensors as float32, and its SHA-256."""
    if path.suffix not in (".safetensors", *_PICKLED):
        forms = ", ".join((".safetensors", *_PICKLED))
        raise DemixError(
            f"model.init: {path}: expected a file of weights that ends in one of {forms}; convert it first"
        )
    try:
        content = path.read_bytes()
        if path.suffix == ".safetensors":
            found: Any = load(content)
        else:
            found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            found = next((found[key] for key in ("state_dict", "model") if key in found), found)
        tensors = {
            name: value.float() for name, value in found.items() if isinstance(name, str) and isinstance(value, Tensor)
        }
    except OSError as error:
        raise DemixError(f"model.init: {path}: cannot be read ({error.strerror or error}); name a file") from error
    except Exception as error:  # damaged pickles end in errors of many kinds, of struct and LookupErrors too
        raise DemixError(
            f"model.init: {path}: expected tensors by their names, but it cannot be understood as {path.suffix}; "
            "fetch it again"
        ) from error
    return tensors, hashlib.sha256(content).hexdigest()


def _download(model: str) -> dict[str, Tensor]:
    """Return a model's tensors as float32 from timm, which downloads them once and keeps them."""
    remedy = f"or name a file of its weights by timm:{model}@FILE"
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # a RuntimeError where torchvision is built for another torch
        raise DemixError(
            f"model.init: timm:{model}: expected timm, which cannot be loaded ({error}); "
            f"pip install 'demix-lab[vision]', {remedy}"
        ) from error
    try:
        tensors = timm.create_model(model, pretrained=True).state_dict()
    except Exception as error:  # no such model, no network: timm and what it downloads with have many kinds
        reason = str(error).strip().partition("\n")[0]
        raise DemixError(
            f"model.init: timm:{model}: timm has no weights of it here ({reason}); check the name, {remedy}"
        ) from error
    return {name: value.float() for name, value in tensors.items()}
