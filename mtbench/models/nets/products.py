"""Matrix products of weights that all stages stack and all turns share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def product(left: Tensor, right: Tensor) -> Tensor:
    """A matrix product in the type of the weights, returned in the type of the state."""
    return torch.matmul(left.to(right.dtype), right).to(left.dtype)


def plus_product(sums: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Sums + left right, in one call where the types allow it."""
    if left.dtype != right.dtype:
        return sums + product(left, right)
    return torch.baddbmm(sums, left, right) if left.dim() == 3 else torch.addmm(sums, left, right)


class Stacked:
    """One weight of all stages, (C, in, out), for the turns of one call.

    Its gradient is computed once, from the rows of all turns, instead of once a use: a product over few rows writes
    and adds a full-size gradient each time, 38 MB for one of the largest at H = M = 768. So the turns use the weight
    without its gradient, and ``collect``, through which the sums of all turns go, adds it on the way back.

    Args:
        weight: the parameter.
        kind: the type to compute in, where it is another.
    """

    def __init__(self, weight: Tensor, kind: torch.dtype | None = None) -> None:
        self.whole = weight if kind is None else weight.to(kind)
        self.late = torch.is_grad_enabled() and self.whole.requires_grad
        self.now = self.whole.detach() if self.late else self.whole
        self.stages = self.now.unbind(0)
        self.used: list[list[Tensor]] = [[] for _ in self.stages]
        self.used_shared: list[Tensor] = []
        self.spare: Tensor | None = None

    def collect(self, sums: Tensor, shared: int = 0) -> Tensor:
        """The sums of all turns as they are, ready to have products added.

        Args:
            sums: (C, R, out); the turns will add products of the last r <= R of them.
            shared: how many rows ``shared`` may get in all.
        """
        if self.late:
            spare = sums.new_zeros(len(self.stages), shared, sums.shape[-1])
            sums, self.spare = _Collect.apply(sums, spare, self.whole, self.used, self.used_shared)  # type: ignore[no-untyped-call]
        return sums

    def all(self, sums: Tensor, rows: Tensor) -> Tensor:
        """Sums (C, B, out) + rows (C, B, in) W."""
        if self.late:
            for used, part in zip(self.used, rows.detach().unbind(0), strict=True):
                used.append(part)
        return plus_product(sums, rows, self.now)

    def one(self, stage: int, sums: Tensor, rows: Tensor) -> Tensor:
        """Sums (B, out) + rows (B, in) W^c."""
        if self.late:
            self.used[stage].append(rows.detach())
        return plus_product(sums, rows, self.stages[stage])

    def shared(self, rows: Tensor) -> Tensor:
        """(C, n, in) to (C, n, out), of a few rows that serve the whole batch."""
        if self.spare is None:
            return product(rows, self.now)
        start = sum(used.shape[1] for used in self.used_shared)
        self.used_shared.append(rows.detach())
        return plus_product(self.spare[:, start : start + rows.shape[1]], rows, self.now)


class _Collect(torch.autograd.Function):
    """The sums as they are; on the way back, the gradient of the weight from all of them."""

    @staticmethod
    def forward(
        ctx: Any, sums: Tensor, spare: Tensor, weight: Tensor, used: list[list[Tensor]], shared: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        ctx.used, ctx.shared, ctx.like = used, shared, weight
        return sums.view_as(sums), spare.view_as(spare)

    @staticmethod
    def backward(ctx: Any, sums: Tensor, spare: Tensor) -> tuple[Tensor | None, ...]:
        found = torch.empty_like(ctx.like)
        for c, (out, used) in enumerate(zip(found, ctx.used, strict=True)):
            shared = [rows[c] for rows in ctx.shared]
            count, few = sum(map(len, used)), sum(map(len, shared))
            if not count + few:
                out.zero_()
                continue
            rows = torch.cat((*used, *shared)).to(found.dtype)
            gradient = sums[c, sums.shape[1] - count :]
            gradient = torch.cat((gradient, spare[c, :few])) if few else gradient
            torch.mm(rows.t(), gradient.to(found.dtype), out=out)
        return sums, None, found, None, None
