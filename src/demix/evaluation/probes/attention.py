"""How far a ViT's heads look: attention weights by distance in time and in rows of patches.

A weight says where a head reads, not whether what it reads matters downstream (Jain and Wallace 2019, *Attention is not
Explanation*); the context curve says that. Distances of heads over depth as in Dosovitskiy et al. 2021, figure 7.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from demix.config import SAMPLE_RATE
from demix.evaluation.probes.moments import Floats, Moments
from demix.evaluation.probes.probed import ProbedNet
from demix.evaluation.probes.tables import AttentionRow
from demix.models import ViT

SHARE = 0.9  # of the weights, for the farther of the two distances


@dataclass(frozen=True)
class Attention:
    """How far the tokens of the probed column look, averaged over them.

    Args:
        columns: share of the weights at a distance of 0, 1, ... columns, `(layers, heads, columns)`.
        rows: mean distance in rows, `(layers, heads)`.
        entropy: of the weights over the logarithm of how many tokens may be attended to, `(layers, heads)`.
    """

    columns: Floats
    rows: Floats
    entropy: Floats


@contextmanager
def watched(net: ViT, queries: Tensor) -> Iterator[list[Tensor]]:
    """Keep what every block's heads attend to while the net runs.

    Args:
        net: the net.
        queries: numbers of the tokens whose weights are kept.

    Yields:
        A list to which each block adds its weights, `(batch, heads, queries, tokens)`.
    """
    kept: list[Tensor] = []

    def keep(block: Any, inputs: tuple[Any, ...]) -> None:
        kept.append(block.weights(*inputs, queries=queries))

    handles = [block.register_forward_pre_hook(keep) for block in net.blocks]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def attend(net: ViT, spectra: Tensor, queries: Tensor) -> Tensor:
    """Run the net on one window and return the weights `(layers, heads, queries, tokens)`."""
    with torch.inference_mode(), watched(net, queries) as kept:
        net(spectra, by_band=True)
    return torch.stack(kept)[:, 0]


def grid_of(net: ViT, frames: int) -> tuple[int, int]:
    """Return how many rows and columns of patches a spectrum of so many frames has."""
    height, width = net.patch_size
    return -(-net.features.bands // height), -(-frames // width)


def measure_attention(net: ProbedNet, moments: Moments) -> list[Attention]:
    """Measure at every moment how far the tokens look whose patches hold the probed frame, one in every row."""
    vit = net.net
    if not isinstance(vit, ViT):
        return []
    rows, columns = grid_of(vit, 2 * net.middle + 1)
    column = net.middle // vit.patch_size[1]
    queries = torch.arange(rows, device=net.device) * columns + column
    reachable = _reachable(vit, column, columns) * rows
    found = []
    for window in torch.from_numpy(moments.mixtures):
        weights = attend(vit, net.spectra(window[None]), queries).double()
        entropy = torch.special.entr(weights).sum(-1).mean(-1)
        grid = weights.reshape(*weights.shape[:-1], rows, columns)
        found.append(
            Attention(
                columns=_by_distance(grid.sum(3).mean(2), column),
                rows=_mean_row_distance(grid.sum(4)),
                entropy=(entropy / np.log(reachable) if reachable > 1 else torch.ones_like(entropy)).cpu().numpy(),
            )
        )
    return found


def attention_rows(net: ProbedNet, found: list[Attention]) -> list[AttentionRow]:
    """Average over moments, and write a row for every head of every layer."""
    if not found or not isinstance(net.net, ViT):
        return []
    column_seconds = net.net.patch_size[1] * net.stft.hop_length / SAMPLE_RATE
    columns = max(one.columns.shape[-1] for one in found)  # windows of short songs have fewer
    shares = np.mean([np.pad(one.columns, ((0, 0), (0, 0), (0, columns - one.columns.shape[-1]))) for one in found], 0)
    rows = np.mean([one.rows for one in found], axis=0)
    entropy = np.mean([one.entropy for one in found], axis=0)
    distances = np.arange(shares.shape[-1])
    return [
        AttentionRow(
            net.system,
            net.group,
            layer,
            head,
            mean_seconds=float(shares[layer, head] @ distances * column_seconds),
            p90_seconds=float(np.argmax(np.cumsum(shares[layer, head]) >= SHARE - 1e-9) * column_seconds),
            mean_rows=float(rows[layer, head]),
            entropy_share=float(entropy[layer, head]),
        )
        for layer, head in np.ndindex(*rows.shape)
    ]


def _reachable(net: ViT, column: int, columns: int) -> int:
    """Return how many columns a token of this column may attend to."""
    if net.window_frames is None:
        return columns
    distance = np.abs(np.arange(columns) - column) * net.patch_size[1]
    return int((distance <= net.window_frames).sum())


def _by_distance(shares: Tensor, column: int) -> Floats:
    """Sum the weights `(layers, heads, columns)` of the columns that are equally far before and after `column`."""
    columns = shares.shape[-1]
    distance = (torch.arange(columns, device=shares.device) - column).abs()
    found = torch.zeros_like(shares).index_add_(-1, distance, shares)
    values: Floats = found.cpu().numpy()
    return values


def _mean_row_distance(shares: Tensor) -> Floats:
    """Average the distance in rows over weights `(layers, heads, queries, rows)`, query `i` being in row `i`."""
    row = torch.arange(shares.shape[-1], device=shares.device)
    distance = (row[:, None] - row[None, :]).abs()
    values: Floats = (shares * distance).sum(-1).mean(-1).cpu().numpy()
    return values
