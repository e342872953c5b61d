"""The cascaded memory of FashionNTM (ICCV 2023, section 3.3), and with one stage the Neural Turing Machine.

Shapes: B batch, T turns, R real turns of a batch, d features, C stages, N rows and M columns of memory, H hidden.
Everything of all stages is stacked, stage first. A turn is a chain of C stages, and turns are a chain too, as the first
stage reads what the last one read a turn ago. What is off the chain is taken off it: the input products of all turns,
the products with the last turn's state of all stages, the write heads, the output, and the write after the last turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from mtbench.models.nets.addressing import SCALARS, focus, length, parse, read, write
from mtbench.models.nets.padding import pack
from mtbench.models.nets.parameters import Parameters, State, Weights
from mtbench.models.nets.products import plus_product

__all__ = ["CascadedMemory", "State"]

LATER = 2
"""The age of a conversation for which nothing is known beforehand."""

Sums = tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]


class CascadedMemory(Parameters):
    """CM-NTM: C memories, each read with what the one before it found.

    Args:
        dim: d, of what comes in and what comes out.
        stages: C. One is the Neural Turing Machine, without derived features.
        rows: N.
        columns: M; d where it is not given.
        hidden: H of each stage's LSTM.
        memory: what is there before the first turn. ``learned``, per row; ``constant``, 1e-6 everywhere, the public
            code; ``random``, drawn for each conversation from torch's generator, the paper: two calls differ.
        cascade: what a stage hands on within a turn. ``read``, the paper: r^c(n), which depends on this turn through
            its weights alone, so that the gradient dies on the way down. ``residual``: r^c(n) + o^c(n) V^c.
            ``write-first``: r^c(n), read from the memory that the stage has just written to. Gradient of the first
            stage's input weights over that of the last of 4, at the start of training (contrastive loss on the last
            turn, d = 384, H = M = 100, mean of 3 seeds; benchmarks/bench_memory.py --gradients):

                           1 turn   2 turns  4 turns
              read         3.8e-9   5.1e-7   4.6e-3
              write-first  7.3e-3   1.7e-2   5.4e-2
              residual     1.7e-1   2.3e-1   3.9e-1
        norm: of the derived features: ``batch`` (the paper), ``layer``, ``none``.
        write_previous: the weights that a write head interpolates with: its ``own`` of the last turn, or those of the
            ``read`` head, as the public code had it before June 2021. For ablation.
    """

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
        new = state is None
        state = State(*(part.index_select(1, packed.order) for part in state)) if state else self.start(batch)
        weights = self._weights(turns.device.type)
        counts = packed.counts
        # Where stages write after all have read, the last turn is not written, and the others are before the next one.
        writes = counts if self.cascade == "write-first" else [0, *counts[1:]][: len(counts)]
        sums = self._sums(weights, flat, packed.real, counts, writes)
        found = []
        with _no_autocast(turns.device.type):
            for n, (gates, asked, told) in enumerate(zip(*sums, strict=True)):
                state = State(*(part[:, : gates.shape[1]] for part in state))
                age = n if new else n + LATER
                gates = self._recall(weights, gates, state, age)
                state = self._write(weights, told, state) if n else state
                state = self._turn(weights, gates, asked, told, state, age)
                found.append(self._found(state))
        answers: Tensor = self.output(torch.cat(found) if found else flat.new_empty(0, self.hidden + self.columns))
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
        age, state = (LATER, state) if state else (0, self.start(turn.shape[0]))
        weights = self._weights(turn.device.type)
        counts = [turn.shape[0]]
        ((gates,), (asked,), (told,)) = self._sums(weights, turn, None, counts, counts)
        with _no_autocast(turn.device.type):
            state = self._turn(weights, self._recall(weights, gates, state, age), asked, told, state, age)
            return self.output(self._found(state)), self._write(weights, told, state)

    def _sums(self, weights: Weights, turns: Tensor, real: Tensor | None, counts: list[int], writes: list[int]) -> Sums:
        """What is known before the first turn of the sums at the gates, at the read heads, and at the write heads.

        Args:
            turns: f(n) of all turns, (R, d).
            real: which of them count, (R, 1).
            counts: how many conversations have each turn.
            writes: how many of them are written to in the call of each turn.

        Returns:
            For each turn: f^c(n) W + b (C, B, 4 H), and the biases of both kinds of heads, (C, B, what they emit).
        """
        features = turns.expand(self.stages, -1, -1) if self.derived is None else self.derived(turns, real)
        gates = plus_product(self.bias, features.to(self.bias.dtype), weights.inputs)
        gates = weights.own_hidden.collect(gates, shared=1)
        gates = weights.own_read.collect(gates, shared=1 + self.rows)
        gates = weights.link.collect(gates, shared=self.rows) if self.stages > 1 else gates
        asked = weights.read_head.collect(self.read_bias.expand(-1, sum(counts), -1))
        told = weights.write_head.collect(self.write_bias.expand(-1, sum(writes), -1))
        return torch.split(gates, counts, 1), torch.split(asked, counts, 1), torch.split(told, writes, 1)

    def _recall(self, weights: Weights, gates: Tensor, state: State, age: int) -> Tensor:
        """Add [r^c(n - 1); h^c(n - 1)] W: all stages at once, (C, B, 4 H).

        Before the first turn one row serves all. In the second, r is a mix of rows of the one first memory, and so is
        its product: N rows are multiplied instead of B. For that the state must not be written to yet.
        """
        if age == 0:
            known = self.known_first
            if known is None:
                known = weights.own_hidden.shared(state.hidden) + weights.own_read.shared(state.read)
            return gates + known
        gates = weights.own_hidden.all(gates, state.hidden)
        if age == 1 and self._one_memory(state, gates.shape[1]):
            rows = weights.own_read.shared(state.memory[:, 0]) if self.known_own is None else self.known_own
            return plus_product(gates, state.read_weights, rows)
        return weights.own_read.all(gates, state.read)

    def _one_memory(self, state: State, batch: int) -> bool:
        """Whether all was read from one first memory, and products with its rows cost less than with what was read."""
        known = batch > self.rows or self.known_own is not None
        return known and state.memory.shape[1] == 1 and self.cascade != "write-first"

    def _turn(self, weights: Weights, gates: Tensor, asked: Tensor, told: Tensor, state: State, age: int) -> State:
        """One turn down the cascade: every stage runs its controller and reads. Writing comes after.

        Args:
            gates: all but what comes from the stage before, (C, B, 4 H).
            asked: biases of the read heads, (C, B, M + 6).
            told: those of the write heads, where stages write before they read, (C, B, 3 M + 6).
            state: after the last turn.
            age: how many turns there were, as far as it matters.
        """
        batch = gates.shape[1]
        # What was read from one memory for all, r W = w^T (Mem W): N rows are multiplied once, instead of B.
        mixed = age == 0 and self.stages > 1 and self.cascade == "read" and self._one_memory(state, batch)
        if mixed:
            rows = weights.link.shared(link_rows(state)) if self.known_link is None else self.known_link
            handed = rows.new_full((batch, self.rows), 1 / self.rows)  # r^0(n) = r^C(n - 1), the same N times
        else:
            handed = state.read[-1].expand(batch, -1)
        previous = state.write_weights if self.write_previous == "own" else state.read_weights
        parts = (gates, asked, state.cell, state.memory, length(state.memory), state.read_weights, previous)
        stages: list[tuple[Tensor, ...]] = []
        for c, (sums, wants, cell, memory, lengths, before, wrote) in enumerate(
            zip(*map(torch.unbind, parts), strict=True)
        ):
            if self.stages > 1:
                sums = plus_product(sums, handed, rows[c]) if mixed else weights.link.one(c, sums, handed)
            hidden, cell = controller(sums, cell)
            if self.cascade == "write-first":
                memory, wrote = self._written(weights.write_head.one(c, told[c], hidden), memory, lengths, wrote)
                lengths = length(memory)
            focused = focus(parse(weights.read_head.one(c, wants, hidden)), memory, lengths, before, self.ring)
            found = read(focused, memory)
            handed = focused if mixed else found
            if self.cascade == "residual" and c + 1 < self.stages:
                handed = plus_product(found, hidden, weights.skip[c])
            stages.append((hidden, cell, found, memory, focused, wrote))
        if self.cascade == "write-first":
            return State(*(torch.stack(made) for made in zip(*stages, strict=True)))
        hidden, cell, found, focused = (torch.stack([made[part] for made in stages]) for part in (0, 1, 2, 4))
        return State(hidden, cell, found, state.memory, focused, previous)

    def _write(self, weights: Weights, told: Tensor, state: State) -> State:
        """The end of a turn: all stages write at once, after all have read.

        Args:
            told: biases of the write heads, (C, B, 3 M + 6).
            state: as ``_turn`` returns it; its write weights are those that the heads start from.
        """
        if self.cascade == "write-first":
            return state
        emitted = weights.write_head.all(told, state.hidden)
        memory, focused = self._written(emitted, state.memory, length(state.memory), state.write_weights)
        return state._replace(memory=memory, write_weights=focused)

    def _written(self, emitted: Tensor, memory: Tensor, lengths: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """The memory after what a write head emitted, (..., 3 M + 6), and the weights it was written with."""
        wanted, erase, add = torch.split(emitted, [self.columns + SCALARS, self.columns, self.columns], dim=-1)
        focused = focus(parse(wanted), memory, lengths, previous, self.ring)
        return write(focused, memory, torch.sigmoid(erase), add), focused

    @staticmethod
    def _found(state: State) -> Tensor:
        """[o^C(n); r^C(n)], (B, H + M)."""
        return torch.cat((state.hidden[-1], state.read[-1]), dim=-1)


def link_rows(state: State) -> Tensor:
    """What a stage may be handed in the first turn, as N rows of which it gets a mix, (C, N, M)."""
    rows = state.memory.shape[2]
    return torch.cat((state.read[-1:].expand(-1, rows, -1), state.memory[:-1, 0]))


def controller(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """An LSTM cell from the sums at its gates, (B, 4 H) in the order input, forget, output, candidate."""
    width = cell.shape[-1]
    opened, candidate = torch.split(gates, [3 * width, width], dim=-1)
    enter, keep, show = torch.split(torch.sigmoid(opened), width, dim=-1)
    cell = torch.addcmul(keep * cell, enter, torch.tanh(candidate))
    return show * torch.tanh(cell), cell


def _no_autocast(device: str) -> AbstractContextManager[object]:
    """Autocast would address in bfloat16; ``product`` casts what may be cast."""
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()
