"""Attention over time-frequency tokens: the transformer block, and rotary positions in two dimensions."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

ROTARY_BASE = 100.0  # lowest rotation: one radian in 100 patches, the length of a long segment


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
