"""The cascaded memory against plain loops, and each of its traps."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch")

from mtbench.models.nets.addressing import focus_by_content, interpolate, neighbours, sharpen, shift  # noqa: E402
from mtbench.models.nets.cascade import CascadedMemory, State  # noqa: E402
from tests.reference_cm_ntm import Reference  # noqa: E402

OPTIONS = [
    {"cascade": cascade, "norm": norm, "write_previous": previous, "memory": memory}
    for cascade, norm, previous, memory in itertools.product(
        ("read", "residual", "write-first"), ("batch", "layer", "none"), ("own", "read"), ("learned", "constant")
    )
]
"""All but random memory, which has its own test."""


def made(seed: int = 0, **options) -> CascadedMemory:
    """A small network in float64, whose norms and biases are not at their start."""
    torch.manual_seed(seed)
    shape = {"dim": 5, "stages": 3, "rows": 4, "columns": 6, "hidden": 7} | options
    net = CascadedMemory(shape.pop("dim"), **shape).double()
    with torch.no_grad():
        for name, values in net.state_dict().items():
            if name.startswith("derived.") or "weights" in name or name == "bias":
                values.add_(torch.rand_like(values))
    return net


def batch(lengths: list[int], dim: int = 5, seed: int = 1):
    """Random turns of conversations of some lengths, nonsense where there is padding, and the mask."""
    torch.manual_seed(seed)
    turns = torch.randn(len(lengths), max(lengths), dim, dtype=torch.float64)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return turns.masked_fill(~mask[..., None], 1e6), mask


def reference(net: CascadedMemory, turns, mask, weights=None, memory=None, training: bool = False):
    """What the loops say: answers (B, T, d) with 0 at padding, and the stages of each conversation at its end."""
    weights = dict(net.state_dict(keep_vars=True)) if weights is None else weights
    if memory is None:
        constant = torch.full((net.stages, net.rows, net.columns), 1e-6, dtype=torch.float64)
        memory = [weights["first_memory"][:, 0] if "first_memory" in weights else constant] * len(turns)
    slow = Reference(
        weights, cascade=net.cascade, norm=net.derived.norm if net.derived else "none", write_previous=net.write_previous
    )
    real = [turn[kept] for turn, kept in zip(turns, mask, strict=True)]
    answers, ends = slow.run(real, memory, training=training)
    out = torch.zeros_like(turns)
    rows = [torch.stack([*answer, *out[b, len(answer) :]]) for b, answer in enumerate(answers)]
    return torch.stack(rows), ends


def gradients(net: CascadedMemory, answers, mask) -> dict[str, torch.Tensor]:
    """The gradient of a loss that weighs every number of every real turn differently."""
    torch.manual_seed(2)
    loss = (answers * torch.randn_like(answers) * mask[..., None]).sum()
    net.zero_grad()
    loss.backward()
    return {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in net.named_parameters()}


def close(one, two, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o.values()))
def test_the_fast_network_gives_the_outputs_and_gradients_of_the_loops(options, training):
    net = made(**options).train(training)
    turns, mask = batch([2, 4, 1, 3, 4, 2])
    buffers = {name: value.clone() for name, value in net.named_buffers()}
    expected, _ = reference(net, turns, mask, dict(net.named_parameters()) | buffers, training=training)
    found = net(turns, mask)
    close(found, expected)
    fast, slow = gradients(net, found, mask), gradients(net, expected, mask)
    assert fast.keys() == slow.keys()
    for name in fast:
        close(fast[name], slow[name], 1e-7)


@pytest.mark.parametrize("seed", range(12))
def test_they_agree_for_any_shape(seed):
    torch.manual_seed(100 + seed)
    dim, stages, rows, columns, hidden = (int(torch.randint(1, top, ())) for top in (8, 5, 6, 9, 9))
    lengths = torch.randint(1, 6, (int(torch.randint(1, 9, ())),)).tolist()
    options = OPTIONS[int(torch.randint(len(OPTIONS), ()))]
    net = made(seed, dim=dim, stages=stages, rows=rows, columns=columns, hidden=hidden, **options).eval()
    turns, mask = batch(lengths, dim, seed)
    expected, _ = reference(net, turns, mask)
    found = net(turns, mask)
    close(found, expected)
    fast, slow = gradients(net, found, mask), gradients(net, expected, mask)
    for name in fast:
        close(fast[name], slow[name], 1e-7)
    with torch.inference_mode():
        close(net(turns, mask), expected.detach())


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o.values()))
def test_steps_give_the_answers_of_forward_and_the_state_of_the_loops(options):
    net = made(**options).eval()
    turns, mask = batch([5, 5, 5])
    expected, ends = reference(net, turns, mask)
    state = None
    with torch.no_grad():
        whole = net(turns, mask)
        for n in range(5):
            answer, state = net.step(turns[:, n], state)
            close(answer, whole[:, n])
            close(answer, expected[:, n].detach())
    for b, stages in enumerate(ends):
        for c, stage in enumerate(stages):
            close(state.hidden[c, b], stage.o)
            close(state.cell[c, b], stage.cell)
            close(state.read[c, b], stage.r)
            close(state.memory[c, b], torch.stack(stage.rows))
            close(state.read_weights[c, b], stage.w_read)
            close(state.write_weights[c, b], stage.w_write)


@pytest.mark.parametrize("cascade", ["read", "residual", "write-first"])
def test_a_conversation_goes_on_from_a_state(cascade):
    net = made(cascade=cascade).eval()
    turns, mask = batch([5, 5, 5, 5, 5, 5])
    with torch.no_grad():
        state = None
        for n in range(2):
            _, state = net.step(turns[:, n], state)
        close(net(turns[:, 2:], mask[:, 2:], state), net(turns, mask)[:, 2:])


def test_live_conversations_are_joined_and_parted_along_dimension_1():
    net = made().eval()
    turns, _ = batch([2, 2])
    with torch.no_grad():
        alone = [net.step(turns[b : b + 1, 0])[1] for b in range(2)]
        together = State(*(torch.cat(parts, dim=1) for parts in zip(*alone, strict=True)))
        answer, _ = net.step(turns[:, 1], together)
        close(answer[:1], net.step(turns[:1, 1], alone[0])[0])
        close(answer[1:], net.step(turns[1:, 1], alone[1])[0])
