"""A trained CM-NTM for use alone: what does not depend on the turns is computed once."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mtbench.models.nets.cascade import CascadedMemory, State, link_rows


@torch.no_grad()
def folded(net: CascadedMemory) -> CascadedMemory:
    """A copy for inference that gives the same answers: what is trained or loaded later does not reach it.

    FC_c and BatchNorm fold into the input weights, and the products of the first state are known. Where one
    conversation runs at a time, reading the weights is nearly all that takes time; of 4 turns (C = 4, H = M = d = 768)
    the literal cascade then takes a fifth less, and the residual one a sixth.
    """
    made = copy.deepcopy(net).eval().requires_grad_(False)
    if made.derived is not None and made.derived.norm != "layer":
        derived, made.derived = made.derived, None
        weight = derived.linear.weight.view(*derived.width, made.dim)  # (C - 1, d, d): out, in
        bias = derived.linear.bias.view(derived.width)
        if derived.norm == "batch":
            scale = derived.scale * (derived.running_var + derived.eps).rsqrt()
            weight, bias = weight * scale.unsqueeze(-1), (bias - derived.running_mean) * scale + derived.shift
        made.bias[:-1] += bias.unsqueeze(1) @ made.inputs[:-1]
        made.inputs[:-1] = weight.mT @ made.inputs[:-1]
    first = made.start()
    made.known_first = first.hidden @ made.own_hidden + first.read @ made.own_read
    if made.memory != "random":
        made.known_own = first.memory[:, 0] @ made.own_read
        if made.stages > 1:
            made.known_link = link_rows(first) @ made.link
    return made


def traced(net: CascadedMemory) -> Callable[[Tensor, State], tuple[Tensor, State]]:
    """``step`` of one conversation after its first turn, folded, recorded once and run without Python."""
    made = folded(net)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shapes are fixed here, and torch says that it will drop its tracer one day
        turn = made.bias.new_zeros(1, made.dim)
        _, state = made.step(turn)
        recorded = torch.jit.freeze(torch.jit.trace(_Flat(made).eval(), (turn, *state), check_trace=False))  # type: ignore[no-untyped-call]

    def step(turn: Tensor, state: State) -> tuple[Tensor, State]:
        answer, *parts = recorded(turn, *state)
        return answer, State(*parts)

    return step


class _Flat(nn.Module):
    """``step`` with tensors alone, as tracing needs it."""

    def __init__(self, net: CascadedMemory) -> None:
        super().__init__()
        self.net = net

    def forward(self, turn: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        answer, state = self.net.step(turn, State(*parts))
        return answer, *state
