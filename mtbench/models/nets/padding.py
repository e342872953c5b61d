"""Which rows of a padded batch are computed at all."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Packed(NamedTuple):
    """The turns to compute, turn by turn, the longest transactions first."""

    order: Tensor
    """Transactions by length, (B,)."""
    places: Tensor
    """Where each computed turn lies in the flattened batch, (R,)."""
    counts: list[int]
    """How many transactions reach each turn; their sum is R."""
    real: Tensor
    """1 for a real turn, 0 for one that is computed because shapes are fixed, (R, 1), bool."""


def pack(mask: Tensor) -> Packed:
    """Leave padding out, as a packed sequence does: what is not there costs nothing and touches nothing.

    On a GPU the shapes would have to be fetched from the device, and a captured graph cannot: every turn is computed
    there, and ``real`` says which count.

    Args:
        mask: True for real turns, (B, T); padding is on the right.

    Raises:
        ValueError: padding before a real turn (on the CPU, where it can be seen for nothing).
    """
    batch, turns = mask.shape
    if mask.device.type != "cpu":
        order = torch.arange(batch, device=mask.device)
        places = torch.arange(batch * turns, device=mask.device).view(batch, turns).t().reshape(-1)
        return Packed(order, places, [batch] * turns, mask.t().reshape(-1, 1))
    lengths = mask.sum(1)
    if not torch.equal(mask, torch.arange(turns) < lengths[:, None]):
        raise ValueError("padding must be on the right: a padded turn stands before a real one")
    order = lengths.argsort(descending=True, stable=True)
    counts = [count for count in mask.sum(0).tolist() if count]
    places = torch.cat([order[:count] * turns + turn for turn, count in enumerate(counts)] or [order[:0]])
    return Packed(order, places, counts, torch.ones(len(places), 1, dtype=torch.bool))
