"""A Vision Transformer over the spectrogram: patches as tokens, every token attending to every other.

Dosovitskiy et al. 2021, *An Image is Worth 16x16 Words* (patch embedding, pre-norm encoder); Su et al. 2021, *RoFormer*
(rotary positions), here axial: one half of each head turns with the patch's row (frequency), the other with its
column (time). Frequency also gets a learned position, because a rotation only tells how far apart two patches are
and not how high.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from demix.models.attention import Block, rotary_angles
from demix.models.masknet import Features, Head, check_sizes, pad_to_multiple

POSITIONS = ("all", "rows", "none")


class ViT(nn.Module):
    """Mask logits for every stem by global self-attention over time-frequency patches.

    Args:
        bins: bins of the whole spectrum.
        stems: number of stems.
        channels: audio channels.
        bands: rows that the bins are pooled to; see `demix.models.bands`.
        phase: give the net the phase beside the magnitude.
        compression: of magnitudes, `log` or `power`; see `demix.models.masknet.Features`.
        patch_size: bands and frames of one patch.
        embed_dim: size of a token.
        depth: number of transformer blocks.
        num_heads: attention heads; `embed_dim` must be a multiple of four times their number.
        mlp_ratio: hidden size of the MLP over `embed_dim`.
        head_maps: maps per band and frame that a token unfolds to.
        head_width: hidden maps of the full-resolution head.
        positions: what a token knows of its place: `all`, `rows` (the learned frequency position alone: attention over
            time knows no order), or `none`.
        window_frames: attend at most this many frames back and ahead; None is global attention.

    Example:
        >>> net = ViT(bins=2049, stems=4, channels=2)
        >>> logits = net(torch.view_as_real(spectrum))        # (batch, 4, 2, 2049, frames)
    """

    CHECKPOINTED = ("blocks",)

    def __init__(
        self,
        *,
        bins: int,
        stems: int,
        channels: int,
        bands: int = 384,
        phase: bool = False,
        compression: str = "log",
        patch_size: tuple[int, int] = (16, 4),
        embed_dim: int = 256,
        depth: int = 8,
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        head_maps: int = 8,
        head_width: int = 16,
        positions: str = "all",
        window_frames: int | None = None,
    ) -> None:
        super().__init__()
        check_sizes(bins=bins, bands=bands, positive=(*patch_size, embed_dim, depth, num_heads, head_maps, head_width))
        if window_frames is not None and (not isinstance(window_frames, int) or window_frames < 0):
            raise ValueError(f"window_frames: expected a number of frames from 0 on, received {window_frames!r}")
        if positions not in POSITIONS:
            raise ValueError(f"positions: expected one of {', '.join(POSITIONS)}, received {positions!r}")
        if len(patch_size) != 2:
            raise ValueError(f"patch_size: expected bands and frames, received {patch_size}")
        if embed_dim % (4 * num_heads):
            raise ValueError(f"embed_dim: expected a multiple of 4 * num_heads = {4 * num_heads}, received {embed_dim}")
        self.patch_size = (patch_size[0], patch_size[1])
        self.head_maps, self.positions, self.window_frames = head_maps, positions, window_frames
        self.head_dim = embed_dim // num_heads
        rows = -(-bands // patch_size[0])
        self.features = Features(channels=channels, bins=bins, bands=bands, phase=phase, compression=compression)
        self.patch_embed = nn.Conv2d(self.features.count, embed_dim, self.patch_size, stride=self.patch_size)
        # Drawn in any case, so that the other weights of a control begin as those of the net that it is held against.
        row_embed = 0.02 * torch.randn(embed_dim, rows, 1)
        self.row_embed = None if positions == "none" else nn.Parameter(row_embed)
        self.blocks = nn.ModuleList(Block(embed_dim, num_heads, mlp_ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dim)
        self.unfold = nn.Linear(embed_dim, head_maps * self.patch_size[0] * self.patch_size[1])
        self.head = Head(maps=head_maps, features=self.features, width=head_width, stems=stems)

    def forward(
        self, spectrum: Float[Tensor, "batch channels bins frames 2"], *, by_band: bool = False
    ) -> Float[Tensor, "batch stems channels rows frames"]:
        """Return mask logits for a spectrum of any number of frames: a row for each bin, or `by_band` for each band."""
        features = self.features(spectrum)
        bands, frames = features.shape[-2:]
        grid = self.patch_embed(pad_to_multiple(features, *self.patch_size))
        grid = grid if self.row_embed is None else grid + self.row_embed
        rows, columns = grid.shape[-2:]
        tokens = grid.flatten(2).transpose(1, 2)
        angles = rotary_angles(rows, columns, self.head_dim, tokens.device) if self.positions == "all" else None
        mask = self._window(rows, columns, tokens.device)
        for block in self.blocks:
            tokens = block(tokens, angles, mask)
        maps = self._unpatchify(self.unfold(self.norm(tokens)), rows, columns)
        return self.head(maps[..., :bands, :frames], features, by_band=by_band)

    def _unpatchify(
        self, tokens: Float[Tensor, "batch tokens pixels"], rows: int, columns: int
    ) -> Float[Tensor, "batch maps height width"]:
        height, width = self.patch_size
        grid = tokens.reshape(tokens.shape[0], rows, columns, self.head_maps, height, width)
        return grid.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)

    def _window(self, rows: int, columns: int, device: torch.device) -> Bool[Tensor, "tokens tokens"] | None:
        if self.window_frames is None:
            return None
        column = torch.arange(columns, device=device).repeat(rows)
        return (column[:, None] - column[None, :]).abs() * self.patch_size[1] <= self.window_frames
