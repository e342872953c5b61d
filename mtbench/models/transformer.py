"""A modern comparator: a small causal transformer over the turns, pre-norm, learned places (Vaswani et al., 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtbench.core.errors import MtbenchError
from mtbench.models.learning.sequence import SequenceModel


class CausalTransformer(nn.Module):
    """Turn n attends to turns 1 to n. A place is the age of a turn, counted back from the one that asks.

    Ages, unlike numbers from the start, mean the same in a longer dialogue; turns older than any in training share
    the greatest age. They are a learned bias of each head on the logits, so that a step needs no older place again.
    """

    def __init__(self, dim: int, *, layers: int, heads: int, ages: int, dropout: float) -> None:
        super().__init__()
        if dim % heads:
            raise MtbenchError(f"heads ({heads}) must divide the size of the queries ({dim})")
        self.age_bias = nn.Parameter(torch.zeros(heads, ages))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                dim, heads, 2 * dim, dropout, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, turns: Tensor, mask: Tensor) -> Tensor:
        """(B, T, d) to (B, T, d). Padding is on the right, so no real turn sees it."""
        batch, length, _ = turns.shape
        place = torch.arange(length, device=turns.device)
        age = place[:, None] - place[None, :]
        bias = self.age_bias[:, age.clamp(0, self.age_bias.shape[1] - 1)]
        bias = bias.masked_fill(age < 0, -torch.inf).repeat(batch, 1, 1)
        for layer in self.layers:
            turns = layer(turns, src_mask=bias)
        found: Tensor = self.norm(turns)
        return found

    def step(self, turn: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """One turn (B, d). The state is all turns so far: attention has no smaller one."""
        turns = turn[:, None] if state is None else torch.cat([state, turn[:, None]], dim=1)
        mask = torch.ones(turns.shape[:2], dtype=torch.bool, device=turn.device)
        return self(turns, mask)[:, -1], turns


@dataclass(kw_only=True)
class Transformer(SequenceModel):
    """A small causal transformer over f_qry: what a memory is compared with today.

    Args:
        layers, heads: of the encoder.
        ages: how many turns back are told apart.
        dropout: in the layers.
    """

    layers: int = 2
    heads: int = 4
    ages: int = 8
    dropout: float = 0.1

    def memory(self, dim: int) -> nn.Module:
        """The network for vectors of this size."""
        return CausalTransformer(dim, layers=self.layers, heads=self.heads, ages=self.ages, dropout=self.dropout)
