"""What CM-NTM learns and remembers: parameters with the initial values of the public code, and the state."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mtbench.models.nets.addressing import SCALARS, neighbours
from mtbench.models.nets.derived import NORMS, Derived
from mtbench.models.nets.products import Stacked
from mtbench.models.nets.still import still

CHOICES = {
    "memory": ("learned", "constant", "random"),
    "cascade": ("read", "residual", "write-first"),
    "norm": NORMS,
    "write_previous": ("own", "read"),
}


class State(NamedTuple):
    """All that is remembered of B conversations; stages first, so conversations are joined along dimension 1.

    B is 1 before the first turn, where all are alike.
    """

    hidden: Tensor
    """o^c, (C, B, H)."""
    cell: Tensor
    """(C, B, H)."""
    read: Tensor
    """r^c, (C, B, M)."""
    memory: Tensor
    """Mem^c, (C, B, N, M)."""
    read_weights: Tensor
    """(C, B, N)."""
    write_weights: Tensor
    """(C, B, N)."""


class Weights(NamedTuple):
    """The stacked weights as the turns of one call use them."""

    inputs: Tensor
    own_read: Stacked
    own_hidden: Stacked
    link: Stacked
    skip: tuple[Tensor, ...]
    read_head: Stacked
    write_head: Stacked


class Parameters(nn.Module):
    """The parameters of C stages, stacked. See `mtbench.models.nets.cascade.CascadedMemory`.

    Where the public code splits a map in several, so do the initial ranges here: a column of a head's map is drawn as
    if its part were a map of its own.
    """

    def __init__(
        self,
        dim: int,
        *,
        stages: int = 4,
        rows: int = 4,
        columns: int | None = None,
        hidden: int = 100,
        memory: str = "learned",
        cascade: str = "residual",
        norm: str = "batch",
        write_previous: str = "own",
    ) -> None:
        super().__init__()
        chosen = {"memory": memory, "cascade": cascade, "norm": norm, "write_previous": write_previous}
        for name, value in chosen.items():
            if value not in CHOICES[name]:
                raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}, not {value!r}")
        columns = dim if columns is None else columns
        for name, number in {"dim": dim, "stages": stages, "rows": rows, "columns": columns, "hidden": hidden}.items():
            if number < 1:
                raise ValueError(f"{name} must be at least 1, not {number}")
        self.dim, self.stages, self.rows, self.columns, self.hidden = dim, stages, rows, columns, hidden
        self.memory, self.cascade, self.write_previous = memory, cascade, write_previous

        c, h, m, n = stages, hidden, columns, rows
        before = 2 * m if c > 1 else m
        bound = 5 / (dim + before + h) ** 0.5
        self.derived = Derived(dim, c, norm=norm) if c > 1 else None
        self.inputs = nn.Parameter(torch.empty(c, dim, 4 * h).uniform_(-bound, bound))
        self.own_read = nn.Parameter(torch.empty(c, m, 4 * h).uniform_(-bound, bound))
        self.own_hidden = nn.Parameter(torch.empty(c, h, 4 * h).uniform_(-bound, bound))
        self.link = nn.Parameter(torch.empty(c if c > 1 else 0, m, 4 * h).uniform_(-bound, bound))
        self.bias = still(torch.zeros(c, 1, 4 * h))
        self.skip = nn.Parameter(_linear(c - 1 if cascade == "residual" else 0, h, (m,), gain=1.0))
        self.read_head = nn.Parameter(_linear(c, h, (m, 1, 1, 1, 3)))
        self.read_bias = still(0.01 * torch.randn(c, 1, m + SCALARS))
        self.write_head = nn.Parameter(_linear(c, h, (m, 1, 1, 1, 3, m, m)))
        self.write_bias = still(0.01 * torch.randn(c, 1, m + SCALARS + 2 * m))
        self.output = nn.Linear(h + m, dim)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.normal_(self.output.bias, std=0.01)

        self.first_hidden = still(0.05 * torch.randn(c, 1, h))
        self.first_cell = still(0.05 * torch.randn(c, 1, h))
        self.first_read = still(0.01 * torch.randn(c, 1, m))
        self.first_read_weights = still(1e-5 * torch.randn(c, 1, n))
        self.first_write_weights = still(1e-5 * torch.randn(c, 1, n))
        self.spread = (n + m) ** -0.5
        if memory == "learned":
            # Range of the public code's memory before it made all rows 1e-6. Rows have to differ from the start: equal
            # rows get equal weights and equal writes, the key has no gradient, and N x M memory is 1 x M memory. Norm
            # of that gradient after 4 turns, over all cascades: 3e-18 to 6e-14; with learned rows 1e-4 to 4e-3, and
            # 2e-5 to 9e-5 at the first stage (benchmarks/bench_memory.py --gradients).
            self.first_memory = still(torch.empty(c, 1, n, m).uniform_(-self.spread, self.spread))
        self.known_first: Tensor | None  # products that `mtbench.models.nets.folded` computes once
        self.known_own: Tensor | None
        self.known_link: Tensor | None
        for name in ("known_first", "known_own", "known_link"):
            self.register_buffer(name, None, persistent=False)
        self.ring: Tensor
        self.register_buffer("ring", neighbours(n), persistent=False)

    def start(self, batch: int = 1) -> State:
        """The state before the first turn: of one conversation for all, but memories of each where they are random."""
        like: Tensor = self.first_hidden
        if self.memory == "learned":
            memory: Tensor = self.first_memory
        elif self.memory == "constant":
            memory = like.new_full((self.stages, 1, self.rows, self.columns), 1e-6)
        else:
            memory = like.new_empty(self.stages, batch, self.rows, self.columns).uniform_(-self.spread, self.spread)
        weights = (torch.softmax(logits, dim=-1) for logits in (self.first_read_weights, self.first_write_weights))
        return State(like, self.first_cell, self.first_read, memory, *weights)

    def _weights(self, device: str) -> Weights:
        """The parameters, in autocast's type where that is on: cast once for all turns."""
        kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        inputs = self.inputs if kind is None else self.inputs.to(kind)
        own = Stacked(self.own_read, kind), Stacked(self.own_hidden, kind)
        heads = Stacked(self.read_head, kind), Stacked(self.write_head, kind)
        return Weights(inputs, *own, Stacked(self.link, kind), self.skip.unbind(0), *heads)


def _linear(stages: int, width: int, parts: tuple[int, ...], *, gain: float = 1.4) -> Tensor:
    """Linear maps from a width to parts, each Xavier-uniform, side by side: (C, width, sum of parts)."""
    made = []
    for part in parts:
        bound = gain * (6 / (width + part)) ** 0.5
        made.append(torch.empty(stages, width, part).uniform_(-bound, bound))
    return torch.cat(made, dim=-1)
