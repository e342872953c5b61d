"""Matrix products of weights that all stages stack and all turns share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def product(left: Tensor, right: Tensor) -> Tensor:
    """A matrix product in the type of the weights, returned in the type of the state."""
    return torch.matmul(left.to(right.dtype), right).to(left.dtype)


class Stacked:
    """One weight of all stages, (C, in, out), for the turns of one call.

    Its gradient is computed once, from the rows of all turns, instead of once a turn: a product over few rows writes
    and adds a full-size gradient each time (76 MB for the own weights at H = M = 768). So the turns use the weight
    without its gradient, and ``collect``, through which the sums of all turns go, adds it on the way back.

    Args:
        weight: the parameter.
        kind: the type to compute in, where it is another.
    """

    def __init__(self, weight: Tensor, kind: torch.dtype | None = None) -> None:
        self.whole = weight if kind is None else weight.to(kind)
        self.late = torch.is_grad_enabled() and self.whole.requires_grad
        self.now = self.whole.detach() if self.late else self.whole
        # unbind, not an index: the gradient of weight[c] would be a full-size zero for every use
        self.stages = self.now.unbind(0)
        self.used: list[list[Tensor]] = [[] for _ in self.stages]

    def collect(self, sums: Tensor) -> Tensor:
        """Sums (C, R, out) of all turns, to which the turns will add products with rows of the last r <= R of them."""
        return _Collect.apply(sums, self.whole, self.used) if self.late else sums  # type: ignore[no-any-return, no-untyped-call]

    def all(self, rows: Tensor) -> Tensor:
        """(C, B, in) to (C, B, out)."""
        if self.late:
            for used, part in zip(self.used, rows.detach().unbind(0), strict=True):
                used.append(part)
        return product(rows, self.now)

    def one(self, stage: int, rows: Tensor) -> Tensor:
        """(B, in) to (B, out)."""
        if self.late:
            self.used[stage].append(rows.detach())
        return product(rows, self.stages[stage])

    def shared(self, rows: Tensor) -> Tensor:
        """(C, n, in) to (C, n, out), for a few rows that serve the whole batch. Their gradient does not wait."""
        return product(rows, self.whole)


class _Collect(torch.autograd.Function):
    """The sums as they are; on the way back, the gradient of the weight from all of them."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor, weight: Tensor, used: list[list[Tensor]]) -> Tensor:
        ctx.used, ctx.like = used, weight
        return sums.view_as(sums)

    @staticmethod
    def backward(ctx: Any, sums: Tensor) -> tuple[Tensor, Tensor | None, None]:
        if not any(ctx.used):
            return sums, None, None
        found = torch.empty_like(ctx.like)
        for out, used, gradient in zip(found, ctx.used, sums, strict=True):
            rows = torch.cat(used).to(found.dtype)
            torch.mm(rows.t(), gradient[len(gradient) - len(rows) :].to(found.dtype), out=out)
        return sums, found, None
