"""The nets once more in TensorFlow operations, each function the twin of one `forward` in `demix.models`.

Why by hand: when this was written litert-torch made no SavedModel and brought JAX and transformers with it, and onnx2tf
needed NumPy 1. These nets are some twenty operations. Weights are read from the trained PyTorch modules, and
`demix.export_tensorflow` compares the results: a net that has changed since is refused, not exported wrongly.

Maps are `(batch, bands, frames, maps)` in here, the order of TensorFlow. The number of frames may differ at every call.
This module imports TensorFlow: import it where it is used, and not at the top.
"""

import math
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import tensorflow as tf
import torch
from torch import nn

from demix.errors import DemixError
from demix.models import UNet, ViT
from demix.models.attention import ROTARY_BASE, Block
from demix.models.masknet import CONTRAST_BANDS, CONTRAST_FRAMES, EXPONENT, FLOOR, Features, Head
from demix.models.unet import Down, Up

Tensor = Any  # tf.Tensor: TensorFlow has no types


def compute_masks(net: nn.Module, spectrum: Tensor, mask: str) -> Tensor:
    """Run a trained net in TensorFlow.

    Args:
        net: a `UNet` or `ViT` in evaluation mode.
        spectrum: float32 `(batch, channels, bins, frames, 2)`, real and imaginary part last.
        mask: `softmax` over the stems, or `sigmoid`.

    Returns:
        Masks between 0 and 1, `(batch, stems, channels, bins, frames)`.

    Raises:
        DemixError: for a net that has no twin in here.
    """
    if isinstance(net, UNet) and not isinstance(net.bottleneck, nn.Identity):
        raise DemixError("model.options.bottleneck: expected 'plain' for TensorFlow; export this U-Net to ONNX")
    if not isinstance(net, UNet | ViT):
        raise DemixError(f"expected a UNet or ViT for TensorFlow, received {type(net).__name__}; export it to ONNX")
    features = _features(net.features, spectrum)
    bands, frames = features.shape[1], tf.shape(features)[2]
    maps = _unet(net, features) if isinstance(net, UNet) else _vit(net, features)
    maps = maps[:, :bands, :frames]
    return _head(net.head, maps, features, mask)


def _features(features: Features, spectrum: Tensor) -> Tensor:
    """`(batch, channels, bins, frames, 2)` to `(batch, bands, frames, maps)`."""
    pool = _constant(features.pool)
    signals = spectrum
    if features.pairs:
        left, right = spectrum[:, :1], spectrum[:, 1:]
        signals = tf.concat([spectrum, (left + right) / 2, (left - right) / 2], axis=1)
    power = tf.matmul(pool, tf.reduce_sum(tf.square(signals), axis=-1))
    power = power + FLOOR
    log = features.compression == "log"
    level = 0.5 * tf.math.log(power) if log else (tf.pow(power, EXPONENT / 2) - 1) / EXPONENT
    mean = tf.expand_dims(tf.reduce_mean(level[:, : features.channels], axis=1), axis=-1)
    maps = [
        _maps_last(level * _constant(features.gain) + _constant(features.offset)),
        # Padding that is "SAME" does not count in TensorFlow's means.
        mean - tf.nn.avg_pool2d(mean, (1, CONTRAST_FRAMES), strides=1, padding="SAME"),
        mean - tf.nn.avg_pool2d(mean, (CONTRAST_BANDS, 1), strides=1, padding="SAME"),
    ]
    if features.phase:
        energy = tf.reduce_sum(tf.square(spectrum), axis=-1, keepdims=True)
        compressed = spectrum * tf.pow(energy + 1e-8, -0.35)
        maps += [_maps_last(tf.matmul(pool, compressed[..., part])) for part in (0, 1)]
    return tf.concat(maps, axis=-1)


def _head(head: Head, maps: Tensor, features: Tensor, mask: str) -> Tensor:
    """Trunk's maps and features to masks `(batch, stems, channels, bins, frames)`."""
    hidden = _gelu(_conv(head.mix, tf.concat([maps, features], axis=-1)))
    logits = _conv(head.logits, hidden)
    bands, frames = logits.shape[1], tf.shape(logits)[2]
    logits = tf.reshape(logits, (-1, bands, frames, head.stems, head.channels))
    logits = tf.transpose(logits, (0, 4, 1, 2, 3))  # the stems last: TensorFlow Lite knows a softmax over the last axis
    masks = tf.nn.softmax(logits) if mask == "softmax" else tf.sigmoid(logits)
    return tf.gather(tf.transpose(masks, (0, 4, 1, 2, 3)), head.band.numpy(), axis=3)


def _unet(net: UNet, features: Tensor) -> Tensor:
    """Features to the maps of the last decoder step."""
    maps = _pad_to_multiple(features, net.stride, net.stride)
    skips = []
    for down in cast(Iterable[Down], net.encoder):
        maps = _down(down, maps)
        skips.append(maps)
    maps = skips.pop()
    for up in cast(Iterable[Up], net.decoder):
        maps = _up(up, maps)
        if skips:
            maps = tf.concat([maps, skips.pop()], axis=-1)
    return maps


def _down(down: Down, maps: Tensor) -> Tensor:
    return _gelu(_group_norm(down.norm, _conv(down.conv, maps)))


def _up(up: Up, maps: Tensor) -> Tensor:
    # Maps of one pixel lie together in PyTorch's shuffle, pixels of one map in TensorFlow's.
    weight = up.conv.weight
    kernel = weight.reshape(-1, 4, *weight.shape[1:]).transpose(0, 1).flatten(0, 1)
    maps = tf.nn.depth_to_space(tf.nn.conv2d(maps, _kernel(kernel), strides=1, padding="SAME"), 2)
    return _gelu(_group_norm(up.norm, maps))


def _group_norm(norm: nn.GroupNorm, maps: Tensor) -> Tensor:
    size = norm.num_channels // norm.num_groups
    share = tf.constant(np.kron(np.eye(norm.num_groups), np.full((size, size), 1 / size)).astype(np.float32))

    def average(values: Tensor) -> Tensor:
        """Mean of each map's group, `(batch, 1, 1, maps)`; axis by axis, as a sum of all at once loses digits."""
        return tf.matmul(tf.reduce_mean(tf.reduce_mean(values, axis=2, keepdims=True), axis=1, keepdims=True), share)

    centred = maps - average(maps)
    scale = tf.math.rsqrt(average(tf.square(centred)) + norm.eps)
    return centred * scale * _constant(norm.weight) + _constant(norm.bias)


def _vit(net: ViT, features: Tensor) -> Tensor:
    """Features to the maps that the tokens unfold to."""
    patched = _pad_to_multiple(features, *net.patch_size)
    grid = _conv(net.patch_embed, patched)
    if net.row_embed is not None:
        grid += _constant(net.row_embed.permute(1, 2, 0))
    rows, columns, size = grid.shape[1], tf.shape(grid)[2], grid.shape[3]
    tokens = tf.reshape(grid, (-1, rows * columns, size))
    angles = _rotary_angles(rows, columns, net.head_dim) if net.positions == "all" else None
    penalty = _window_penalty(net, rows, columns)
    for block in cast(Iterable[Block], net.blocks):
        tokens = _block(block, tokens, angles, penalty)
    return _unpatchify(net, _linear(net.unfold, _layer_norm(net.norm, tokens)), rows, columns)


def _block(block: Block, tokens: Tensor, angles: tuple[Tensor, Tensor] | None, penalty: Tensor) -> Tensor:
    count, size = tf.shape(tokens)[1], tokens.shape[2]
    heads = [
        tf.transpose(tf.reshape(part, (-1, count, block.num_heads, block.head_dim)), (0, 2, 1, 3))
        for part in tf.split(_linear(block.qkv, _layer_norm(block.norm1, tokens)), 3, axis=-1)
    ]
    query, key, value = heads
    if angles is not None:
        query, key = _rotate(query, angles), _rotate(key, angles)
    scores = tf.matmul(query, key, transpose_b=True) / math.sqrt(block.head_dim)
    attended = tf.matmul(tf.nn.softmax(scores + penalty), value)
    attended = tf.reshape(tf.transpose(attended, (0, 2, 1, 3)), (-1, count, size))
    tokens = tokens + _linear(block.proj, attended)
    into, _, out = cast(Iterable[Any], block.mlp)
    return tokens + _linear(out, _gelu(_linear(into, _layer_norm(block.norm2, tokens))))


def _rotary_angles(rows: int, columns: Tensor, head_dim: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every token's angles, `(tokens, head_dim / 2)` each."""
    quarter = head_dim // 4
    speeds = (ROTARY_BASE ** (-torch.arange(quarter) / quarter)).numpy()
    row = tf.range(rows, dtype=tf.float32)[:, None, None] * speeds + tf.zeros((1, columns, 1))
    column = tf.cast(tf.range(columns), tf.float32)[None, :, None] * speeds + tf.zeros((rows, 1, 1))
    angle = tf.reshape(tf.concat([row, column], axis=-1), (rows * columns, 2 * quarter))
    return tf.cos(angle), tf.sin(angle)


def _rotate(heads: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = angles
    first, second = tf.split(heads, 2, axis=-1)
    return tf.concat([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def _window_penalty(net: ViT, rows: int, columns: Tensor) -> Tensor:
    """What is added to the scores of two tokens: 0, or so much below it that the softmax gives 0."""
    if net.window_frames is None:
        return 0.0
    column = tf.reshape(tf.range(columns)[None] + tf.zeros((rows, 1), tf.int32), (-1,))
    distance = tf.abs(column[:, None] - column[None, :]) * net.patch_size[1]
    return -1e9 * tf.cast(distance > net.window_frames, tf.float32)


def _unpatchify(net: ViT, tokens: Tensor, rows: int, columns: Tensor) -> Tensor:
    height, width = net.patch_size
    grid = tf.reshape(tokens, (-1, columns, net.head_maps, height, width))  # rows beside the batch
    return tf.reshape(tf.transpose(grid, (0, 3, 1, 4, 2)), (-1, rows * height, columns * width, net.head_maps))


def _layer_norm(norm: nn.LayerNorm, tokens: Tensor) -> Tensor:
    mean = tf.reduce_mean(tokens, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(tokens - mean), axis=-1, keepdims=True)
    return (tokens - mean) * tf.math.rsqrt(variance + norm.eps) * _constant(norm.weight) + _constant(norm.bias)


def _linear(linear: nn.Linear, tokens: Tensor) -> Tensor:
    return tf.matmul(tokens, _constant(linear.weight.T)) + _constant(linear.bias)


def _conv(conv: nn.Conv2d, maps: Tensor) -> Tensor:
    # TensorFlow's own padding is one-sided at stride 2.
    below, right = (int(size) for size in conv.padding)
    padded = tf.pad(maps, ((0, 0), (below, below), (right, right), (0, 0))) if below or right else maps
    result = tf.nn.conv2d(padded, _kernel(conv.weight), strides=conv.stride, padding="VALID")
    return result if conv.bias is None else result + _constant(conv.bias)


def _gelu(maps: Tensor) -> Tensor:
    return tf.nn.gelu(maps, approximate=False)


def _pad_to_multiple(maps: Tensor, height: int, width: int) -> Tensor:
    bands, frames, count = maps.shape[1], tf.shape(maps)[2], maps.shape[3]
    below, right = -bands % height, -frames % width
    padded = tf.pad(maps, ((0, 0), (0, below), (0, right), (0, 0)))
    return tf.reshape(
        padded, (-1, bands + below, frames + right, count)
    )  # says which sizes are fixed: the pad does not


def _maps_last(maps: Tensor) -> Tensor:
    return tf.transpose(maps, (0, 2, 3, 1))


def _kernel(weight: torch.Tensor) -> Tensor:
    """PyTorch's `(after, before, height, width)` as TensorFlow's `(height, width, before, after)`."""
    return _constant(weight.permute(2, 3, 1, 0))


def _constant(values: torch.Tensor) -> Tensor:
    return tf.constant(np.ascontiguousarray(values.detach().cpu().numpy()))
