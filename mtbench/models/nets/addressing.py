"""Addressing of a Neural Turing Machine's memory (Graves et al., 2014, section 3), as pure functions.

Shapes: ... any leading dimensions, N rows of memory, M columns. Leading dimensions broadcast, so that one first memory
serves a whole batch. Sums of products are written as such: at B = 320, N = 4, M = 100, forward and back, keys times
rows take 0.18 ms so, and 1.6 ms as a batched matrix product (one thread).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

SCALARS = 6
"""What a head emits beside its key: beta, gamma, g and the three of s."""

SMALLEST = 1e-30
"""Below it a weight counts as none: log and its gradient stay finite, in float32 too."""


class Address(NamedTuple):
    """What a head asks for: key (..., M), beta (..., 1), g (..., 1), s (..., 3), gamma (..., 1)."""

    key: Tensor
    beta: Tensor
    g: Tensor
    s: Tensor
    gamma: Tensor


def parse(emitted: Tensor) -> Address:
    """The parts of what a head's linear map emits, (..., M + 6), each in its range (section 3.3)."""
    key, positive, g, s = torch.split(emitted, [emitted.shape[-1] - SCALARS, 2, 1, 3], dim=-1)
    beta, gamma = torch.split(functional.softplus(positive), 1, dim=-1)
    return Address(key, beta, torch.sigmoid(g), torch.softmax(s, dim=-1), 1 + gamma)


def length(vectors: Tensor) -> Tensor:
    """Euclidean length of (..., M): (...), at least 1e-8 as in torch's cosine similarity."""
    found: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
    return found.clamp_min(1e-8)


def focus_by_content(key: Tensor, beta: Tensor, memory: Tensor, lengths: Tensor) -> Tensor:
    """w_c = softmax over rows of beta cos(row, key), (..., N) (equations 5 and 6).

    Args:
        lengths: of the rows of the memory, (..., N): found once for all heads of a turn.
    """
    products = (memory * key.unsqueeze(-2)).sum(-1)
    return torch.softmax(products * (beta / (length(key).unsqueeze(-1) * lengths)), dim=-1)


def interpolate(content: Tensor, previous: Tensor, g: Tensor) -> Tensor:
    """w_g = g w_c + (1 - g) w_previous, (..., N) (equation 7)."""
    return torch.lerp(previous, content, g)


def neighbours(rows: int) -> Tensor:
    """Rows i - 1, i, i + 1 of a ring, for each i: (3 N,) of int64."""
    ring = torch.arange(rows)
    return torch.stack((ring - 1, ring, ring + 1), dim=-1).remainder(rows).flatten()


def shift(weights: Tensor, s: Tensor, ring: Tensor) -> Tensor:
    """w_s[i] = s_0 w_g[i - 1] + s_1 w_g[i] + s_2 w_g[i + 1], circular, (..., N) (equation 8).

    Args:
        ring: ``neighbours(N)``.
    """
    around = weights.index_select(-1, ring).view(*weights.shape, 3)
    return (around * s.unsqueeze(-2)).sum(-1)


def sharpen(weights: Tensor, gamma: Tensor) -> Tensor:
    """w = w_s^gamma over its sum, (..., N) (equation 9).

    As a softmax of gamma log w_s: with a large gamma every power underflows and the quotient would be 0 / 0; and the
    gradient is finite where a weight is 0.
    """
    return torch.softmax(gamma * weights.clamp_min(SMALLEST).log(), dim=-1)


def focus(address: Address, memory: Tensor, lengths: Tensor, previous: Tensor, ring: Tensor) -> Tensor:
    """The weights (..., N) of a head: by content, then by location (figure 2)."""
    content = focus_by_content(address.key, address.beta, memory, lengths)
    gated = interpolate(content, previous, address.g)
    return sharpen(shift(gated, address.s, ring), address.gamma)


def read(weights: Tensor, memory: Tensor) -> Tensor:
    """r = w^T Mem, (..., M) (equation 2)."""
    return (weights.unsqueeze(-1) * memory).sum(-2)


def write(weights: Tensor, memory: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Mem (1 - w e^T) + w a^T, (..., N, M) (equations 3 and 4)."""
    change = torch.addcmul(add.unsqueeze(-2), memory, erase.unsqueeze(-2), value=-1)
    return torch.addcmul(memory, weights.unsqueeze(-1), change)
