"""A modern comparator: a small causal transformer over the turns (Vaswani et al., 2017), pre-norm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from mtbench.models.learning.sequence import SequenceModel
from mtbench.models.nets.still import still

Seen: TypeAlias = tuple[Tensor, Tensor]
"""Keys and values of the turns so far, each (B, heads, T, d / heads)."""


class Block(nn.Module):
    """Attention over the turns so far, then a network of two layers; each added to what came in."""

    def __init__(self, dim: int, heads: int, ages: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(dim)
        self.read = nn.Linear(dim, 3 * dim)
        self.write = nn.Linear(dim, dim)
        self.age = still(torch.zeros(heads, ages))
        self.think = nn.Sequential(
            *(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * dim, dim))
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, turns: Tensor, seen: Seen | None = None) -> tuple[Tensor, Seen]:
        """New turns (B, T, d) after those seen, and all seen then."""
        query, key, value = (
            part.reshape(*part.shape[:2], self.heads, -1).transpose(1, 2)
            for part in torch.chunk(self.read(self.before(turns)), 3, dim=-1)
        )
        if seen is not None:
            key, value = torch.cat([seen[0], key], dim=2), torch.cat([seen[1], value], dim=2)
        found = scaled_dot_product_attention(query, key, value, attn_mask=self._bias(query.shape[2], key.shape[2]))
        turns = turns + self.drop(self.write(found.transpose(1, 2).flatten(2)))
        return turns + self.drop(self.think(turns)), (key, value)

    def _bias(self, new: int, every: int) -> Tensor:
        """What is added to the logits of attention, (heads, new, every): learned by age, and nothing from later on.

        Ages, unlike places counted from the start, mean the same in a longer dialogue. Turns that are older than any
        told apart share the greatest age.
        """
        place = torch.arange(every, device=self.age.device)
        age = place[every - new :, None] - place[None, :]
        bias: Tensor = self.age[:, age.clamp(0, self.age.shape[1] - 1)].masked_fill(age < 0, -torch.inf)
        return bias


class CausalTransformer(nn.Module):
    """Turn n attends to turns 1 to n."""

    def __init__(self, dim: int, *, layers: int, heads: int, ages: int, dropout: float) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"heads ({heads}) must divide the size of the queries ({dim})")
        self.layers = nn.ModuleList(Block(dim, heads, ages, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, turns: Tensor, mask: Tensor) -> Tensor:
        """(B, T, d) to (B, T, d). Padding is on the right, so no real turn sees it."""
        for layer in self.layers:
            turns, _ = layer(turns)
        found: Tensor = self.norm(turns)
        return found

    def step(self, turn: Tensor, state: tuple[Seen, ...] | None) -> tuple[Tensor, tuple[Seen, ...]]:
        """One turn (B, d). The state is every key and value so far: attention has no smaller one."""
        turns, states = turn[:, None], []
        for number, layer in enumerate(self.layers):
            turns, seen = layer(turns, state[number] if state else None)
            states.append(seen)
        return self.norm(turns[:, 0]), tuple(states)


@dataclass(kw_only=True)
class Transformer(SequenceModel):
    """A small causal transformer over f_qry: what a memory is compared with today.

    Args:
        layers, heads: of the encoder.
        ages: how many turns back are told apart.
        dropout: in the layers.
    """

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {"layers": (1, math.inf), "heads": (1, math.inf), "ages": (1, math.inf), "dropout": (0, 1)}
    )

    layers: int = 2
    heads: int = 4
    ages: int = 8
    dropout: float = 0.1

    def memory(self, dim: int) -> nn.Module:
        """The network for queries of this size."""
        return CausalTransformer(dim, layers=self.layers, heads=self.heads, ages=self.ages, dropout=self.dropout)
