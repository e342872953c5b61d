"""CM-NTM in plain loops, from the equations: one conversation, one stage, one row at a time.

NTM: Graves et al. 2014, sections 3 and 4. Cascade: FashionNTM, ICCV 2023, section 3.3. Nothing here comes from the fast
module but its parameters, by their names and layout; float64, as given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Stage:
    """What one stage remembers of one conversation."""

    o: Tensor
    cell: Tensor
    r: Tensor
    rows: list[Tensor]
    w_read: Tensor
    w_write: Tensor


class Reference:
    """The network of a state_dict.

    Args:
        weights: the parameters of the fast module.
        derive: "batch" with running statistics, "batch-train" with those of the real turns, "layer" or "none".
    """

    def __init__(self, weights: Mapping[str, Tensor], *, cascade: str, norm: str, write_previous: str) -> None:
        self.w, self.cascade, self.norm, self.write_previous = weights, cascade, norm, write_previous
        self.stages, self.hidden = weights["first_hidden"].shape[0], weights["first_hidden"].shape[2]
        self.columns, self.rows = weights["first_read"].shape[2], weights["first_read_weights"].shape[2]

    def start(self, memory: Tensor) -> list[Stage]:
        """The stages before the first turn, with memories (C, N, M)."""
        return [
            Stage(
                self.w["first_hidden"][c, 0],
                self.w["first_cell"][c, 0],
                self.w["first_read"][c, 0],
                list(memory[c]),
                torch.softmax(self.w["first_read_weights"][c, 0], 0),
                torch.softmax(self.w["first_write_weights"][c, 0], 0),
            )
            for c in range(self.stages)
        ]

    def run(self, conversations: Sequence[Tensor], memories: Sequence[Tensor], *, training: bool = False):
        """All conversations, each (turns, d): what comes out of each turn, and what is remembered at the end."""
        derived = self.derive(conversations, training=training)
        answers, ends = [], []
        for features, memory in zip(derived, memories, strict=True):
            stages = self.start(memory)
            outputs = [self.turn(turn, stages) for turn in features]
            answers.append(outputs)
            ends.append(stages)
        return answers, ends

    def derive(self, conversations: Sequence[Tensor], *, training: bool) -> list[list[list[Tensor]]]:
        """f^1 .. f^C of every turn of every conversation; f^C is f."""
        if self.stages == 1:
            return [[[turn] for turn in turns] for turns in conversations]
        dim = conversations[0].shape[1]
        weight, bias = self.w["derived.linear.weight"], self.w["derived.linear.bias"]
        raw = [
            [
                [weight[c * dim : (c + 1) * dim] @ f + bias[c * dim : (c + 1) * dim] for c in range(self.stages - 1)]
                for f in turns
            ]
            for turns in conversations
        ]
        found = []
        every = [turn for turns in raw for turn in turns]
        for turns, originals in zip(raw, conversations, strict=True):
            found.append([])
            for turn, f in zip(turns, originals, strict=True):
                found[-1].append(
                    [self.normalise(x, c, [t[c] for t in every], training) for c, x in enumerate(turn)] + [f]
                )
        return found

    def normalise(self, x: Tensor, c: int, all_real: list[Tensor], training: bool) -> Tensor:
        """FC_c(f) after the norm of stage c, given that of all real turns."""
        if self.norm == "none":
            return x
        if self.norm == "layer":
            mean, var = x.mean(), ((x - x.mean()) ** 2).mean()
        elif training and len(all_real) >= 2:
            mean = sum(all_real) / len(all_real)
            var = sum((one - mean) ** 2 for one in all_real) / len(all_real)
        else:
            mean, var = self.w["derived.running_mean"][c], self.w["derived.running_var"][c]
        return (x - mean) / torch.sqrt(var + 1e-5) * self.w["derived.scale"][c] + self.w["derived.shift"][c]

    def turn(self, features: list[Tensor], stages: list[Stage]) -> Tensor:
        """One turn of one conversation; the stages are changed in place."""
        handed = stages[-1].r  # r^0(n) = r^C(n - 1)
        for c, stage in enumerate(stages):
            self.control(c, stage, features[c], handed)
            read_before, write_before = stage.w_read, stage.w_write
            previous = read_before if self.write_previous == "read" else write_before
            if self.cascade == "write-first":
                self.write(c, stage, previous)
            head = stage.o @ self.w["read_head"][c] + self.w["read_bias"][c, 0]
            stage.w_read = self.address(head, stage.rows, read_before)
            stage.r = sum(w * row for w, row in zip(stage.w_read, stage.rows, strict=True))
            if self.cascade != "write-first":
                self.write(c, stage, previous)
            handed = stage.r
            if self.cascade == "residual" and c + 1 < self.stages:
                handed = stage.r + stage.o @ self.w["skip"][c]
        last = stages[-1]
        return self.w["output.weight"] @ torch.cat([last.o, last.r]) + self.w["output.bias"]

    def control(self, c: int, stage: Stage, feature: Tensor, handed: Tensor) -> None:
        """The LSTM cell of stage c on [r^{c-1}(n); f^c(n); r^c(n-1)]; gates: input, forget, output, candidate."""
        gates = self.w["bias"][c, 0] + feature @ self.w["inputs"][c]
        gates = gates + stage.r @ self.w["own_read"][c] + stage.o @ self.w["own_hidden"][c]
        if self.stages > 1:
            gates = gates + handed @ self.w["link"][c]
        h = self.hidden
        i, f, o, g = (gates[part * h : (part + 1) * h] for part in range(4))
        stage.cell = torch.sigmoid(f) * stage.cell + torch.sigmoid(i) * torch.tanh(g)
        stage.o = torch.sigmoid(o) * torch.tanh(stage.cell)

    def write(self, c: int, stage: Stage, previous: Tensor) -> None:
        """Erase, then add, row by row."""
        m = self.columns
        head = stage.o @ self.w["write_head"][c] + self.w["write_bias"][c, 0]
        erase, add = torch.sigmoid(head[m + 6 : 2 * m + 6]), head[2 * m + 6 :]
        stage.w_write = self.address(head[: m + 6], stage.rows, previous)
        stage.rows = [row * (1 - w * erase) + w * add for w, row in zip(stage.w_write, stage.rows, strict=True)]

    def address(self, head: Tensor, rows: list[Tensor], previous: Tensor) -> Tensor:
        """The weights of a head, over rows; it emits the key, then beta, gamma, g and three of s."""
        m, n = self.columns, self.rows
        key, beta, gamma, g, s = head[:m], head[m], head[m + 1], head[m + 2], torch.softmax(head[m + 3 : m + 6], 0)
        beta, gamma, g = torch.log1p(beta.exp()), 1 + torch.log1p(gamma.exp()), torch.sigmoid(g)
        cosines = [(row @ key) / (row.norm().clamp_min(1e-8) * key.norm().clamp_min(1e-8)) for row in rows]
        content = [torch.exp(beta * cosine) for cosine in cosines]
        total = sum(content)
        gated = [g * content[i] / total + (1 - g) * previous[i] for i in range(n)]
        shifted = [s[0] * gated[(i - 1) % n] + s[1] * gated[i] + s[2] * gated[(i + 1) % n] for i in range(n)]
        powers = [weight**gamma for weight in shifted]
        return torch.stack([power / sum(powers) for power in powers])
