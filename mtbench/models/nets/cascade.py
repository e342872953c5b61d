"""The cascaded memory of FashionNTM (ICCV 2023, section 3.3), and with one stage the Neural Turing Machine.

Shapes: B batch, T turns, R real turns of a batch, d features, C stages, N rows and M columns of memory, H hidden.
Everything of all stages is stacked, stage first. A turn is a chain of C stages, and turns are a chain too, as the first
stage reads what the last one read a turn ago. What is off the chain is taken off it: the input products of all turns,
the products with the last turn's state of all stages, the write heads, the output, and the write after the last turn.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mtbench.models.nets.addressing import SCALARS, focus, length, neighbours, parse, read, write
from mtbench.models.nets.derived import NORMS, Derived
from mtbench.models.nets.padding import pack
from mtbench.models.nets.products import Stacked, product

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
    skip: Stacked
    read_head: Stacked
    write_head: Stacked


def controller(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """An LSTM cell from the sums at its gates, (B, 4 H) in the order input, forget, output, candidate."""
    width = cell.shape[-1]
    opened, candidate = gates.split((3 * width, width), dim=-1)
    enter, keep, show = torch.sigmoid(opened).split((width, width, width), dim=-1)
    cell = torch.addcmul(keep * cell, enter, torch.tanh(candidate))
    return show * torch.tanh(cell), cell


class CascadedMemory(nn.Module):
    """CM-NTM: C memories, each read with what the one before it found.

    Args:
        dim: d, of what comes in and what comes out.
        stages: C. One is the Neural Turing Machine, without derived features.
        rows: N.
        columns: M; d where it is not given.
        hidden: H of each stage's LSTM.
        memory: what is there before the first turn. ``learned``, per row; ``constant``, 1e-6 everywhere, the public
            code; ``random``, drawn for each conversation from torch's generator, the paper: two calls differ.
        cascade: what a stage hands on within a turn.
        norm: of the derived features: ``batch`` (the paper), ``layer``, ``none``.
        write_previous: the weights that a write head interpolates with: its ``own`` of the last turn, or those of the
            ``read`` head, as the public code had it before June 2021. For ablation.
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
        self.memory_kind, self.cascade, self.write_previous = memory, cascade, write_previous

        c, h, m, n = stages, hidden, columns, rows
        before = 2 * m if c > 1 else m
        bound = 5 / (dim + before + h) ** 0.5
        self.derived = Derived(dim, c, norm=norm) if c > 1 else None
        self.inputs = nn.Parameter(torch.empty(c, dim, 4 * h).uniform_(-bound, bound))
        self.own_read = nn.Parameter(torch.empty(c, m, 4 * h).uniform_(-bound, bound))
        self.own_hidden = nn.Parameter(torch.empty(c, h, 4 * h).uniform_(-bound, bound))
        self.link = nn.Parameter(torch.empty(c if c > 1 else 0, m, 4 * h).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(c, 1, 4 * h))
        self.skip = nn.Parameter(_linear(c - 1 if cascade == "residual" else 0, h, (m,), gain=1.0))
        self.read_head = nn.Parameter(_linear(c, h, (m, 1, 1, 1, 3)))
        self.read_bias = nn.Parameter(0.01 * torch.randn(c, 1, m + SCALARS))
        self.write_head = nn.Parameter(_linear(c, h, (m, 1, 1, 1, 3, m, m)))
        self.write_bias = nn.Parameter(0.01 * torch.randn(c, 1, m + SCALARS + 2 * m))
        self.output = nn.Linear(h + m, dim)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.normal_(self.output.bias, std=0.01)

        self.first_hidden = nn.Parameter(0.05 * torch.randn(c, 1, h))
        self.first_cell = nn.Parameter(0.05 * torch.randn(c, 1, h))
        self.first_read = nn.Parameter(0.01 * torch.randn(c, 1, m))
        self.first_read_weights = nn.Parameter(1e-5 * torch.randn(c, 1, n))
        self.first_write_weights = nn.Parameter(1e-5 * torch.randn(c, 1, n))
        self.spread = (n + m) ** -0.5
        if memory == "learned":
            self.first_memory = nn.Parameter(torch.empty(c, 1, n, m).uniform_(-self.spread, self.spread))
        self.ring: Tensor
        self.register_buffer("ring", neighbours(n), persistent=False)

    def start(self, batch: int = 1) -> State:
        """The state before the first turn, of one conversation that stands for all (of each, where memory is random)."""
        like = self.first_hidden
        if self.memory_kind == "learned":
            memory = self.first_memory
        elif self.memory_kind == "constant":
            memory = like.new_full((self.stages, 1, self.rows, self.columns), 1e-6)
        else:
            memory = like.new_empty(self.stages, batch, self.rows, self.columns).uniform_(-self.spread, self.spread)
        weights = (torch.softmax(logits, dim=-1) for logits in (self.first_read_weights, self.first_write_weights))
        return State(like, self.first_cell, self.first_read, memory, *weights)

    def forward(self, turns: Tensor, mask: Tensor, state: State | None = None) -> Tensor:
        """f'(n) of every turn.

        Args:
            turns: f(n), (B, T, d).
            mask: True for real turns, (B, T); padding is on the right.
            state: what was remembered before the first of them.

        Returns:
            (B, T, d), 0 where there is padding.
        """
        batch, count, dim = turns.shape
        packed = pack(mask)
        flat = turns.reshape(-1, dim).index_select(0, packed.places).masked_fill(~packed.real, 0)
        state = self.start(batch) if state is None else state
        if state.hidden.shape[1] > 1:
            state = State(*(part.index_select(1, packed.order) for part in state))
        weights = self._weights(turns.device.type)
        sums = self._sums(weights, flat, packed.real, packed.counts)
        found = []
        with _no_autocast(turns.device.type):
            for n, (gates, asked, written) in enumerate(zip(*sums, strict=True)):
                state = State(*(part[:, : gates.shape[1]] for part in state))
                gates = self._recall(weights, gates, state)
                if n:
                    state = self._write(weights, written, state)
                state = self._turn(weights, gates, asked, state)
                found.append(self._found(state))
        answers = self.output(torch.cat(found) if found else flat.new_empty(0, self.hidden + self.columns))
        answers = answers.masked_fill(~packed.real, 0)
        return answers.new_zeros(batch * count, dim).index_copy(0, packed.places, answers).view(batch, count, dim)

    def step(self, turn: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """One more turn of B conversations, in time that does not depend on how many came before.

        Args:
            turn: f(n), (B, d).
            state: what the last call returned; None before the first turn.

        Returns:
            f'(n), (B, d), and the state to go on with.
        """
        state = self.start(len(turn)) if state is None else state
        weights = self._weights(turn.device.type)
        real = torch.ones(len(turn), 1, dtype=torch.bool, device=turn.device)
        ((gates,), (asked,), _) = self._sums(weights, turn, real, [len(turn)])
        with _no_autocast(turn.device.type):
            state = self._turn(weights, self._recall(weights, gates, state), asked, state)
            found = self._found(state)
            state = self._write(weights, self.write_bias, state)
        return self.output(found), state

    def _sums(self, weights: Weights, turns: Tensor, real: Tensor, counts: list[int]) -> tuple[Sequence[Tensor], ...]:
        """What is known before the first turn of the sums at the gates, at the read heads, and at the write heads.

        Returns:
            For each turn: f^c(n) W + b (C, B, 4 H), and the biases of the heads, (C, B, what they emit). The write
            heads wait: theirs are for the turn before, so the first is for nothing.
        """
        features = turns.unsqueeze(0) if self.derived is None else self.derived(turns, real)
        gates = product(features.to(self.bias.dtype), weights.inputs) + self.bias
        gates = weights.link.collect(weights.own_read.collect(weights.own_hidden.collect(gates)))
        asked = weights.read_head.collect(self.read_bias.expand(-1, sum(counts), -1))
        later = [0, *counts[1:]]
        written = weights.write_head.collect(self.write_bias.expand(-1, sum(later), -1))
        return gates.split(counts, 1), asked.split(counts, 1), written.split(later, 1)

    def _recall(self, weights: Weights, gates: Tensor, state: State) -> Tensor:
        """Add [r^c(n - 1); h^c(n - 1)] W: all stages at once, (C, B, 4 H).

        Before the first turn one row serves all. In the second, r is a mix of rows of the one first memory, and so is
        its product: N rows are multiplied instead of B. For that the state must not be written to yet.
        """
        batch = gates.shape[1]
        if state.hidden.shape[1] < batch:
            return gates + (weights.own_hidden.shared(state.hidden) + weights.own_read.shared(state.read))
        gates = gates + weights.own_hidden.all(state.hidden)
        if self._one_memory(state, batch):
            return gates + product(state.read_weights, weights.own_read.shared(state.memory[:, 0]))
        return gates + weights.own_read.all(state.read)

    def _one_memory(self, state: State, batch: int) -> bool:
        """Whether all of B > N conversations still have one memory."""
        return state.memory.shape[1] == 1 and batch > self.rows

    def _turn(self, weights: Weights, gates: Tensor, asked: Tensor, state: State) -> State:
        """One turn down the cascade: every stage runs its controller and reads. Writing comes after.

        Args:
            gates: all but what comes from the stage before, (C, B, 4 H).
            asked: biases of the read heads, (C, B, M + 6).
            state: after the last turn.
        """
        directions = state.memory / length(state.memory)
        parts = (gates, asked, state.cell, state.memory, directions, state.read_weights, state.write_weights)
        handed = state.read[-1]  # r^0(n) = r^C(n - 1)
        stages = []
        for c, (sums, wants, cell, memory, toward, before, previous) in enumerate(
            zip(*(p.unbind(0) for p in parts), strict=True)
        ):
            if self.stages > 1:
                sums = sums + weights.link.one(c, handed.expand(len(sums), -1))
            hidden, cell = controller(sums, cell)
            focused = focus(parse(weights.read_head.one(c, hidden) + wants), toward, before, self.ring)
            found = handed = read(focused, memory)
            if self.cascade == "residual" and c < self.stages - 1:
                handed = found + product(hidden, weights.skip.whole[c])
            stages.append((hidden, cell, found, focused))
        hidden, cell, found, focused = (torch.stack(made) for made in zip(*stages, strict=True))
        previous = state.write_weights if self.write_previous == "own" else state.read_weights
        return State(hidden, cell, found, state.memory, focused, previous)

    def _write(self, weights: Weights, bias: Tensor, state: State) -> State:
        """The end of a turn: all stages write at once, after all have read."""
        emitted = weights.write_head.all(state.hidden) + bias
        wanted, erase, add = emitted.split((self.columns + SCALARS, self.columns, self.columns), dim=-1)
        focused = focus(parse(wanted), state.memory / length(state.memory), state.write_weights, self.ring)
        memory = write(focused, state.memory, torch.sigmoid(erase), add)
        return state._replace(memory=memory, write_weights=focused)

    @staticmethod
    def _found(state: State) -> Tensor:
        """[o^C(n); r^C(n)], (B, H + M)."""
        return torch.cat((state.hidden[-1], state.read[-1]), dim=-1)

    def _weights(self, device: str) -> Weights:
        """The parameters, in autocast's type where that is on: cast once for all turns."""
        kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        inputs = self.inputs if kind is None else self.inputs.to(kind)
        rest = (self.own_read, self.own_hidden, self.link, self.skip, self.read_head, self.write_head)
        return Weights(inputs, *(Stacked(weight, kind) for weight in rest))


def _no_autocast(device: str) -> AbstractContextManager[object]:
    """Autocast would address in bfloat16; ``product`` casts what may be cast."""
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def _linear(stages: int, width: int, parts: tuple[int, ...], *, gain: float = 1.4) -> Tensor:
    """Linear maps from a width to parts of other widths, side by side: (C, width, sum of parts), each Xavier-uniform."""
    made = []
    for part in parts:
        bound = gain * (6 / (width + part)) ** 0.5
        made.append(torch.empty(stages, width, part).uniform_(-bound, bound))
    return torch.cat(made, dim=-1)
