"""The losses of the papers: cross-entropy over cosines, the other targets of the batch as negatives."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Scale(nn.Module):
    """What the cosines are multiplied with before the softmax: learned, or fixed.

    FashionNTM states none. With scale 1 and a batch of 80 the loss cannot fall below ln(1 + 79 e^-2) = 2.46.

    Args:
        value: at the start.
        learned: whether it changes; never above 100, as in CLIP.
    """

    def __init__(self, value: float, *, learned: bool) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(value)), requires_grad=learned)

    def forward(self, cosines: Tensor) -> Tensor:
        scaled: Tensor = cosines * self.log.clamp(max=math.log(100.0)).exp()
        return scaled


def in_batch(
    queries: Tensor, candidates: Tensor, targets: Tensor, mask: Tensor, scale: nn.Module, *, mask_equal: bool = True
) -> Tensor:
    """Cross-entropy of every turn against the targets that the other transactions have at that turn, the mean.

    Args:
        queries: of every turn, length 1, (B, T, d).
        candidates: vectors of their targets, length 1, (B, T, d).
        targets: which images these are, (B, T).
        mask: which turns are real, (B, T).
        scale: of the cosines.
        mask_equal: a candidate that is the same image is no negative; False is the literal loss.
    """
    with torch.autocast(queries.device.type, enabled=False):  # bf16 would leave 60.5 and 61.0 with nothing between
        logits = scale(torch.einsum("btd,ctd->tbc", queries.float(), candidates.float()))  # (T, B, B)
    own = torch.eye(len(queries), dtype=torch.bool, device=queries.device)
    no_negative = ~mask.T[:, None, :]
    if mask_equal:
        no_negative = no_negative | (targets.T[:, :, None] == targets.T[:, None, :])
    logits = logits.masked_fill(no_negative & ~own, -torch.inf)
    losses = torch.logsumexp(logits, dim=2) - logits.diagonal(dim1=1, dim2=2)  # (T, B)
    loss: Tensor = losses.T[mask].mean()
    return loss


def among_all(queries: Tensor, images: Tensor, targets: Tensor, mask: Tensor, scale: nn.Module) -> Tensor:
    """Cross-entropy of every turn against all images given, the mean.

    Args:
        queries: of every turn, length 1, (B, T, d).
        images: vectors of the candidates, length 1, (I, d).
        targets: rows of the right ones, (B, T).
        mask: which turns are real, (B, T).
        scale: of the cosines.
    """
    with torch.autocast(queries.device.type, enabled=False):
        return nn.functional.cross_entropy(scale(queries[mask].float() @ images.T.float()), targets[mask])
