"""Derived features of FashionNTM (section 3.3): f^c = BatchNorm(FC_c(f)), for every stage but the last: it reads f."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtbench.models.nets.still import still

NORMS = ("batch", "layer", "none")


class Derived(nn.Module):
    """The features of C stages, from those of a turn.

    One linear map and one BatchNorm do for all stages: a BatchNorm is per feature anyway.

    Args:
        norm: ``batch`` (the paper), ``layer``, or ``none``. A BatchNorm sees real turns alone.
        momentum: of the running statistics.
    """

    def __init__(self, dim: int, stages: int, *, norm: str = "batch", momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.norm, self.momentum, self.eps = norm, momentum, eps
        self.width = (stages - 1, dim)
        self.linear = nn.Linear(dim, (stages - 1) * dim)
        if norm != "none":
            self.scale = still(torch.ones(self.width))
            self.shift = still(torch.zeros(self.width))
        if norm == "batch":
            self.running_mean: Tensor
            self.running_var: Tensor
            self.register_buffer("running_mean", torch.zeros(self.width))
            self.register_buffer("running_var", torch.ones(self.width))

    def forward(self, turns: Tensor, real: Tensor | None = None) -> Tensor:
        """Features of each stage.

        Args:
            turns: f (R, d).
            real: which of them count, (R, 1), bool; all where it is not given.

        Returns:
            f^c (C, R, d).
        """
        features = self.linear(turns).unflatten(-1, self.width)
        if self.norm == "batch":
            full = torch.promote_types(features.dtype, torch.float32)
            mean, var = self._statistics(features.to(full), real)
            scale = self.scale * (var + self.eps).rsqrt()
            features = torch.addcmul(self.shift - mean * scale, features, scale)
        elif self.norm == "layer":
            features = functional.layer_norm(features, self.width[1:], eps=self.eps) * self.scale + self.shift
        return torch.cat((features.transpose(0, 1), turns.unsqueeze(0).to(features.dtype)))

    def _statistics(self, features: Tensor, real: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and variance (C - 1, d) of the real turns; the running ones in eval, or where fewer than 2 are real.

        A variance needs two: torch's BatchNorm raises on one, and a batch of one is a legal batch here.
        """
        if not self.training:
            return self.running_mean, self.running_var
        counts = features.new_ones(len(features), 1, 1) if real is None else real.to(features.dtype).unsqueeze(-1)
        count = counts.sum()
        mean = (features * counts).sum(0) / count.clamp_min(1)
        var = ((features - mean).square() * counts).sum(0) / count.clamp_min(1)
        enough = count >= 2
        with torch.no_grad():
            step = self.momentum * enough.to(mean.dtype)
            self.running_mean.lerp_(mean, step)
            self.running_var.lerp_(var * count / (count - 1).clamp_min(1), step)
        return torch.where(enough, mean, self.running_mean), torch.where(enough, var, self.running_var)
