"""A Vision Transformer over the spectrogram: patches as tokens, every token attending to every other.

Dosovitskiy et al. 2021, *An Image is Worth 16x16 Words* (patch embedding, pre-norm encoder); Su et al. 2021, *RoFormer*
(rotary positions), here axial: one half of each head turns with the patch's row (frequency), the other with its
column (time). Frequency also gets a learned position, because a rotation only tells how far apart two patches are
and not how high.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from demix.models.masknet import Features, Head, check_sizes, pad_to_multiple

ROTARY_BASE = 100.0  # lowest rotation: one radian in 100 patches, the length of a long segment


class ViT(nn.Module):
    """Mask logits for every stem by global self-attention over time-frequency patches.

    Args:
        bins: bins of the whole spectrum.
        stems: number of stems.
        channels: audio channels.
        bands: rows that the bins are pooled to; see `demix.models.bands`.
        phase: give the net the phase beside the log magnitude.
        patch_size: bands and frames of one patch.
        embed_dim: size of a token.
        depth: number of transformer blocks.
        num_heads: attention heads; `embed_dim` must be a multiple of four times their number.
        mlp_ratio: hidden size of the MLP over `embed_dim`.
        head_maps: maps per band and frame that a token unfolds to.
        head_width: hidden maps of the full-resolution head.
        rotary: turn queries and keys by their position; without it, attention over time knows no order.
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
        patch_size: tuple[int, int] = (16, 4),
        embed_dim: int = 256,
        depth: int = 8,
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        head_maps: int = 8,
        head_width: int = 16,
        rotary: bool = True,
        window_frames: int | None = None,
    ) -> None:
        super().__init__()
        check_sizes(bins=bins, bands=bands, positive=(*patch_size, embed_dim, depth, num_heads, head_maps, head_width))
        if window_frames is not None and (not isinstance(window_frames, int) or window_frames < 0):
            raise ValueError(f"window_frames: expected a number of frames from 0 on, received {window_frames!r}")
        if len(patch_size) != 2:
            raise ValueError(f"patch_size: expected bands and frames, received {patch_size}")
        if embed_dim % (4 * num_heads):
            raise ValueError(f"embed_dim: expected a multiple of 4 * num_heads = {4 * num_heads}, received {embed_dim}")
        self.patch_size = (patch_size[0], patch_size[1])
        self.head_maps, self.rotary, self.window_frames = head_maps, rotary, window_frames
        self.head_dim = embed_dim // num_heads
        rows = -(-bands // patch_size[0])
        self.features = Features(channels=channels, bins=bins, bands=bands, phase=phase)
        self.patch_embed = nn.Conv2d(self.features.count, embed_dim, self.patch_size, stride=self.patch_size)
        self.row_embed = nn.Parameter(0.02 * torch.randn(embed_dim, rows, 1))
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
        grid = self.patch_embed(pad_to_multiple(features, *self.patch_size)) + self.row_embed
        rows, columns = grid.shape[-2:]
        tokens = grid.flatten(2).transpose(1, 2)
        angles = rotary_angles(rows, columns, self.head_dim, tokens.device) if self.rotary else None
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


class Block(nn.Module):
    """One pre-norm transformer block: attention, then an MLP, each added to its input."""

    def __init__(self, embed_dim: int, num_heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.num_heads, self.head_dim = num_heads, embed_dim // num_heads
        self.norm1 = nn.LayerNorm(embed_dim)
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.norm2 = nn.LayerNorm(embed_dim)
        hidden = int(embed_dim * mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(embed_dim, hidden), nn.GELU(), nn.Linear(hidden, embed_dim))

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens embed_dim"],
        angles: Float[Tensor, "2 tokens half"] | None,
        mask: Bool[Tensor, "tokens tokens"] | None,
    ) -> Float[Tensor, "batch tokens embed_dim"]:
        """Return the tokens after attention and MLP."""
        query, key, value = self._heads(tokens, angles)
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        tokens = tokens + self.proj(attended.transpose(1, 2).flatten(2))
        return tokens + self.mlp(self.norm2(tokens))

    def weights(
        self,
        tokens: Float[Tensor, "batch tokens embed_dim"],
        angles: Float[Tensor, "2 tokens half"] | None,
        mask: Bool[Tensor, "tokens tokens"] | None,
        *,
        queries: Int[Tensor, " queries"],
    ) -> Float[Tensor, "batch heads queries tokens"]:
        """Return how much each of some tokens attends to every token, which `forward` never holds; rows add up to 1."""
        query, key, _ = self._heads(tokens, angles)
        scores = query[:, :, queries] @ key.transpose(-2, -1) / self.head_dim**0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[queries], -torch.inf)
        return scores.softmax(dim=-1)

    def _heads(
        self, tokens: Float[Tensor, "batch tokens embed_dim"], angles: Float[Tensor, "2 tokens half"] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, `(batch, heads, tokens, head_dim)` each."""
        qkv = self.qkv(self.norm1(tokens))
        qkv = qkv.reshape(*tokens.shape[:2], 3, self.num_heads, self.head_dim)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        if angles is not None:
            query, key = rotate(query, angles), rotate(key, angles)
        return query, key, value


def rotary_angles(rows: int, columns: int, head_dim: int, device: torch.device) -> Float[Tensor, "2 tokens half"]:
    """Cosine and sine by which pairs of a head's features turn: first half by row, second half by column."""
    quarter = head_dim // 4
    speeds = ROTARY_BASE ** (-torch.arange(quarter, device=device) / quarter)
    row = torch.arange(rows, device=device).repeat_interleave(columns)
    column = torch.arange(columns, device=device).repeat(rows)
    angle = torch.cat([row[:, None] * speeds, column[:, None] * speeds], dim=1)
    return torch.stack([angle.cos(), angle.sin()])


def rotate(
    heads: Float[Tensor, "batch heads tokens head_dim"], angles: Float[Tensor, "2 tokens half"]
) -> Float[Tensor, "batch heads tokens head_dim"]:
    """Turn each pair (feature, feature + half) of every token by the token's angles."""
    cosine, sine = angles
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)
