"""The cascaded memory against plain loops, and each of its traps."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch")

from mtbench.core.options import options_of  # noqa: E402
from mtbench.models.cm_ntm import CmNtm, Ntm  # noqa: E402
from mtbench.models.learning.trainer import _groups  # noqa: E402
from mtbench.models.nets.addressing import focus_by_content, interpolate, neighbours, sharpen, shift  # noqa: E402
from mtbench.models.nets.cascade import CascadedMemory, State  # noqa: E402
from mtbench.models.nets.folded import folded  # noqa: E402
from mtbench.models.transformer import CausalTransformer  # noqa: E402
from tests.reference_cm_ntm import Reference  # noqa: E402

LITERAL = {"cascade": "read", "norm": "batch", "write_previous": "own", "memory": "constant"}
OPTIONS = [
    *(
        LITERAL | {"cascade": cascade, "write_previous": previous, "memory": "learned"}
        for cascade, previous in itertools.product(("read", "residual", "write-first"), ("own", "read"))
    ),
    LITERAL,
    LITERAL | {"cascade": "residual", "norm": "layer"},
    LITERAL | {"cascade": "write-first", "norm": "none"},
]
"""All but random memory, which has its own test."""


def made(seed: int = 0, **options) -> CascadedMemory:
    """A small network in float64, whose norms and biases are not at their start."""
    torch.manual_seed(seed)
    shape = {"dim": 5, "stages": 3, "rows": 3, "columns": 6, "hidden": 7} | options
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
        weights,
        cascade=net.cascade,
        norm=net.derived.norm if net.derived else "none",
        write_previous=net.write_previous,
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
    turns, mask = batch([2, 4, 1, 4, 3])
    buffers = {name: value.clone() for name, value in net.named_buffers()}
    expected, _ = reference(net, turns, mask, dict(net.named_parameters()) | buffers, training=training)
    found = net(turns, mask)
    close(found, expected)
    fast, slow = gradients(net, found, mask), gradients(net, expected, mask)
    assert fast.keys() == slow.keys()
    for name in fast:
        close(fast[name], slow[name], 1e-7)


@pytest.mark.parametrize("seed", range(8))
def test_they_agree_for_any_shape(seed):
    torch.manual_seed(100 + seed)
    dim, stages, rows, columns, hidden = (int(torch.randint(1, top, ())) for top in (8, 5, 5, 9, 9))
    lengths = torch.randint(1, 5, (int(torch.randint(1, 7, ())),)).tolist()
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
    turns, mask = batch([4, 4])
    expected, ends = reference(net, turns, mask)
    state = None
    with torch.no_grad():
        whole = net(turns, mask)
        for n in range(4):
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


@pytest.mark.parametrize("options", [*OPTIONS, {"stages": 1}], ids=lambda o: "-".join(map(str, o.values())))
def test_steps_give_the_gradients_of_forward(options):
    net = made(**options).eval()
    turns, mask = batch([4, 4])
    whole = gradients(net, net(turns, mask), mask)
    state, answers = None, []
    for n in range(4):
        answer, state = net.step(turns[:, n], state)
        answers.append(answer)
    stepped = gradients(net, torch.stack(answers, 1), mask)
    assert stepped["write_head"].abs().sum() > 0
    for name, gradient in whole.items():
        close(stepped[name], gradient)


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


@pytest.mark.parametrize("options", [*OPTIONS, {"stages": 1}], ids=lambda o: "-".join(map(str, o.values())))
def test_a_folded_network_gives_the_same_answers(options):
    net = made(**options).eval()
    quick = folded(net)
    for lengths in ([4], [3, 4], [1, 4, 2, 3, 3]):
        turns, mask = batch(lengths)
        close(quick(turns, mask), net(turns, mask).detach())
    state = known = None
    with torch.no_grad():
        for n in range(4):
            answer, state = net.step(turns[:1, n], state)
            found, known = quick.step(turns[:1, n], known)
            close(found, answer)
            for part, other in zip(known, state, strict=True):
                close(part, other)


def test_a_folded_network_draws_its_random_memory_anew():
    net = made(memory="random").eval()
    turns, mask = batch([3, 3])
    answers = []
    for each in (net, folded(net)):
        torch.manual_seed(3)
        answers.append(each(turns, mask))
    close(answers[0].detach(), answers[1])
    assert not torch.equal(folded(net)(turns, mask), answers[1])


def test_one_stage_is_the_vanilla_machine_without_derived_features_or_links():
    net = made(stages=1).eval()
    assert not [name for name in net.state_dict() if name.startswith("derived.")]
    assert net.link.numel() == net.skip.numel() == 0
    turns, mask = batch([3, 1])
    close(net(turns, mask), reference(net, turns, mask)[0])


def test_w_s_shifts_to_the_next_row_and_around_the_end():
    weights = torch.tensor([0.0, 0.0, 0.25, 0.75])
    ahead = shift(weights, torch.tensor([1.0, 0.0, 0.0]), neighbours(4))  # s_0 takes row i - 1
    assert ahead.tolist() == [0.75, 0.0, 0.0, 0.25]
    both = shift(weights, torch.tensor([0.0, 0.5, 0.5]), neighbours(4))
    assert both.tolist() == [0.0, 0.125, 0.5, 0.375]


def test_content_weights_are_a_softmax_of_beta_times_the_cosine():
    memory = torch.tensor([[3.0, 0.0], [0.0, 0.5]])  # cosines 1 and 0 with the key, whatever the lengths
    found = focus_by_content(torch.tensor([9.0, 0.0]), torch.tensor([2.0]), memory, memory.norm(dim=-1))
    close(found, torch.softmax(torch.tensor([2.0, 0.0]), 0), 1e-6)


def test_g_takes_the_content_weights_and_1_minus_g_the_last_ones():
    found = interpolate(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([0.25]))
    assert found.tolist() == [0.25, 0.75]


def test_sharpening_has_finite_gradients_at_no_weight_and_finite_weights_at_a_large_gamma():
    weights = torch.tensor([0.0, 0.3, 0.7], requires_grad=True)
    gamma = torch.tensor([1.0], requires_grad=True)
    sharpen(weights, gamma)[0].backward()
    assert weights.grad.isfinite().all() and gamma.grad.isfinite().all()
    close(sharpen(torch.tensor([0.0, 0.25, 0.75]), torch.tensor([2.0])), torch.tensor([0.0, 0.1, 0.9]), 1e-6)
    even = sharpen(torch.full((4,), 0.25), torch.tensor([500.0]))  # 0.25^500 is 0 in float32
    assert even.tolist() == [0.25] * 4


def test_what_stands_in_padding_changes_nothing_at_all():
    net = made(norm="batch").train()
    turns, mask = batch([3, 1, 2])
    runs = []
    for filler in (0.0, 7.0, float("nan")):
        again = made(norm="batch").train()
        filled = turns.masked_fill(~mask[..., None], filler).requires_grad_()
        answers = again(filled, mask)
        assert (answers[~mask] == 0).all()
        runs.append((answers.detach(), gradients(again, answers, mask), dict(again.named_buffers()), filled.grad))
        assert (filled.grad[~mask] == 0).all()
    for answers, grads, buffers, _ in runs[1:]:
        assert torch.equal(answers, runs[0][0])
        assert all(torch.equal(grads[name], runs[0][1][name]) for name in grads)
        assert all(torch.equal(buffers[name], runs[0][2][name]) for name in buffers)
    real = net.derived.linear(turns[mask]).unflatten(-1, (2, 5))
    net(turns, mask)
    close(net.derived.running_mean - made().derived.running_mean, 0.1 * (real.mean(0) - made().derived.running_mean))
    close(net.derived.running_var - made().derived.running_var, 0.1 * (real.var(0) - made().derived.running_var))


def test_more_padding_and_another_order_give_the_same_answers():
    net = made().eval()
    turns, mask = batch([2, 4, 1, 3, 4, 2])
    answers = net(turns, mask)
    wider, wide = torch.cat((turns, turns), 1), torch.cat((mask, torch.zeros_like(mask)), 1)
    close(net(wider, wide)[:, :4], answers)
    close(net(turns.flip(0), mask.flip(0)).flip(0), answers)
    for b in range(6):
        close(net(turns[b : b + 1], mask[b : b + 1])[0], answers[b])


def test_padding_before_a_real_turn_is_refused():
    with pytest.raises(ValueError, match="on the right"):
        made()(torch.zeros(1, 2, 5, dtype=torch.float64), torch.tensor([[False, True]]))


def test_a_batch_of_one_trains_with_the_running_statistics():
    net = made(norm="batch").train()
    before = {name: value.clone() for name, value in net.named_buffers()}
    turns, mask = batch([1])
    answers = net(turns, mask)
    close(answers, made(norm="batch").eval()(turns, mask))
    answers.sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())
    assert net.derived.linear.weight.grad.isfinite().all()


def test_an_empty_transaction_gives_zeros():
    turns, mask = batch([2, 3])
    mask[0] = False
    net = made().eval()
    answers = net(turns, mask)
    assert (answers[0] == 0).all()
    close(answers[1:], net(turns[1:], mask[1:]))
    assert (net(turns, torch.zeros_like(mask)) == 0).all()


def test_conversations_far_longer_than_any_trained_on_stay_finite():
    net = made().float().eval()
    state = None
    with torch.inference_mode():
        for turn in 10 * torch.randn(200, 2, 5):
            answer, state = net.step(turn, state)
    assert answer.isfinite().all() and all(part.isfinite().all() for part in state)
    close(state.read_weights.sum(-1), torch.ones(3, 2), 1e-5)


def test_there_is_no_sigmoid_at_the_output():
    turns, mask = batch([4] * 8)
    answers = made().eval()(turns, mask)
    assert answers.min() < -0.1


def fresh(seed: int = 0, **options) -> CascadedMemory:
    """A network as it is before training, in float32."""
    torch.manual_seed(seed)
    return CascadedMemory(32, **({"hidden": 24, "columns": 24} | options))


def after(net: CascadedMemory, turns: int, seed: int = 1) -> dict[str, torch.Tensor]:
    """Gradients of a contrastive loss on the last of some random turns."""
    torch.manual_seed(seed)
    made, targets = torch.randn(16, turns, 32), torch.nn.functional.normalize(torch.randn(16, 32), dim=-1)
    answers = torch.nn.functional.normalize(net(made, torch.ones(16, turns, dtype=torch.bool))[:, -1], dim=-1)
    torch.nn.functional.cross_entropy(10 * answers @ targets.T, torch.arange(16)).backward()
    return {name: p.grad for name, p in net.named_parameters()}


def test_trap_1_rows_of_a_constant_memory_stay_alike_and_learned_rows_do_not():
    turns = torch.randn(5, 3, 32)
    spread = {}
    for memory in ("constant", "learned"):
        net, state = fresh(memory=memory, cascade="read"), None
        with torch.no_grad():
            for turn in turns:
                _, state = net.step(turn, state)
        rows = state.memory
        spread[memory] = float((rows - rows.mean(2, keepdim=True)).abs().max() / rows.abs().max())
    assert spread["constant"] < 1e-4
    assert spread["learned"] > 0.05


def test_trap_1_the_key_learns_from_learned_rows_alone():
    size = {}
    for memory in ("constant", "learned"):
        grads = after(fresh(memory=memory, cascade="read"), 4)
        size[memory] = float(grads["read_head"][-1, :, :24].abs().max())
    assert size["constant"] < 1e-8  # below Adam's epsilon: no step
    assert size["learned"] > 1e-5


def test_trap_2_the_gradient_dies_down_the_literal_cascade_and_not_down_the_default():
    reaches = {}
    for cascade in ("read", "write-first", "residual"):
        stages = after(fresh(cascade=cascade), 1)["inputs"].flatten(1).norm(dim=1)
        reaches[cascade] = float(stages[0] / stages[-1])
    assert reaches["read"] < 1e-5 < 1e-4 < reaches["write-first"] < reaches["residual"]
    assert reaches["residual"] > 0.01
    assert fresh().cascade == "residual"


def test_trap_3_random_memory_differs_between_calls_and_the_others_do_not():
    turns, mask = torch.randn(6, 2, 32), torch.ones(6, 2, dtype=torch.bool)
    for memory, same in (("random", False), ("learned", True), ("constant", True)):
        net = fresh(memory=memory).eval()
        assert torch.equal(net(turns, mask), net(turns, mask)) == same
    net = fresh(memory="random").eval()
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append(net(turns, mask))
    assert torch.equal(*runs)  # from torch's generator


def test_random_memories_are_drawn_for_each_conversation_and_used_as_the_equations_say():
    net = made(memory="random").eval()
    turns, mask = batch([3, 3, 3, 3, 3, 3])
    torch.manual_seed(9)
    memory = net.start(6).memory
    torch.manual_seed(9)
    answers = net(turns, mask)
    assert (memory[:, 0] != memory[:, 1]).all()
    close(answers, reference(net, turns, mask, memory=list(memory.unbind(1)))[0])


def test_the_write_head_of_before_june_2021_changes_the_answers():
    turns, mask = batch([4, 4])
    own, old = made(write_previous="own").eval(), made(write_previous="read").eval()
    assert own.state_dict().keys() == old.state_dict().keys()
    same = (own(turns, mask) - old(turns, mask)).abs().amax((0, 2))
    assert same[0] == 0 < 1e-6 < same[3]


def test_a_gradient_reaches_every_parameter():
    for options in OPTIONS:
        net = made(**options)
        turns, mask = batch([4, 4, 4])
        for name, gradient in gradients(net, net(turns, mask), mask).items():
            if name == "first_write_weights" and options["write_previous"] == "read":
                continue  # the write heads start from the read heads' weights
            nothing = name == "derived.linear.bias" and options["norm"] == "batch"  # the mean takes it away again
            assert not gradient.numel() or nothing or gradient.abs().sum() > 0, name


def test_weight_decay_is_for_matrices_and_not_for_the_biases_scales_and_first_state_of_stages():
    for net, decaying in (
        (fresh(norm="layer"), "derived.linear.weight inputs link output.weight own_hidden own_read read_head skip"),
        (CausalTransformer(4, layers=1, heads=2, ages=3, dropout=0.0), "read.weight think.1.weight think.4.weight"),
    ):
        groups = _groups(list(net.parameters()), 0.5)
        assert [group["weight_decay"] for group in groups] == [0.5, 0.0]
        assert sum(len(group["params"]) for group in groups) == len(list(net.parameters()))
        decays = {id(parameter) for parameter in groups[0]["params"]}
        found = sorted(name.removeprefix("layers.0.") for name, p in net.named_parameters() if id(p) in decays)
        assert found == sorted([*decaying.split(), "write_head" if "skip" in decaying else "write.weight"])


def loaded(model, dim: int = 8):
    """A new model with the options of this one, and its network loaded as from a checkpoint."""
    inputs = {"combiner": {"options": {"dim": dim}, "inputs": {"features": dim}}}
    net = model.build(inputs).eval()
    if model.net["reader"].memory.stages > 1 and model.norm == "batch":
        torch.nn.init.uniform_(model.net["reader"].memory.derived.running_var, 0.5, 2)
    again = type(model)(**options_of(model))
    again.load(inputs, net.state_dict())
    return again


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
@pytest.mark.parametrize("start", ["learned", "constant", "random"])
def test_a_loaded_model_is_folded_unless_its_memory_is_random_and_answers_the_same(start, norm):
    turns, mask = torch.randn(5, 4, 8), torch.arange(4) < torch.tensor([1, 4, 2, 3, 4])[:, None]
    for model in (Ntm(start=start, device="cpu"), CmNtm(start=start, norm=norm, skip="none", device="cpu")):
        again = loaded(model)
        assert (again.reader.memory.known_first is not None) == (start != "random")
        assert model.reader.memory.known_first is None
        same = zip(again.net.state_dict().items(), model.net.state_dict().items(), strict=True)
        assert all(one == two and torch.equal(value, other) for (one, value), (two, other) in same)  # as it was trained
        if start != "random":
            with torch.no_grad():
                close(again.reader(turns, mask), model.reader(turns, mask), 1e-5)
        again.build(again.inputs)
        assert again.reader is again.net["reader"]  # what is trained anew is not what was loaded


def test_the_presets_of_the_paper_pin_what_the_defaults_may_change():
    for kind in (Ntm, CmNtm):
        pinned = {name: kind.PRESETS["paper"][name] for name in ("start", "rows", "columns", "width", "write_previous")}
        assert pinned == {"start": "constant", "rows": 4, "columns": 0, "width": 100, "write_previous": "own"}


def test_initial_values_are_those_of_the_public_code():
    torch.manual_seed(0)
    net = CascadedMemory(64, stages=4, rows=4, columns=48, hidden=100).requires_grad_(False)
    for weights in (net.inputs, net.own_read, net.own_hidden, net.link):
        assert float(weights.abs().max()) == pytest.approx(5 / (64 + 2 * 48 + 100) ** 0.5, rel=1e-3)
    assert not net.bias.any()
    assert float(net.read_head[..., :48].abs().max()) == pytest.approx(1.4 * (6 / 148) ** 0.5, rel=1e-2)
    assert float(net.read_head[..., 48].abs().max()) == pytest.approx(1.4 * (6 / 101) ** 0.5, rel=2e-2)
    assert float(net.first_hidden.std()) == pytest.approx(0.05, rel=0.15)
    assert float(net.first_read.std()) == pytest.approx(0.01, rel=0.2)
    assert float(net.first_read_weights.std()) == pytest.approx(1e-5, rel=0.5)
    assert float(CascadedMemory(64, memory="constant").start().memory.unique()) == pytest.approx(1e-6)


def test_bfloat16_computes_products_and_addresses_in_float32():
    net = fresh()
    turns, mask = torch.randn(6, 3, 32), torch.ones(6, 3, dtype=torch.bool)
    net.eval()
    with torch.no_grad():
        full = net(turns, mask)
        with torch.autocast("cpu", torch.bfloat16):
            half = net(turns, mask)
            _, state = net.step(turns[:, 0])
    assert all(part.dtype == torch.float32 for part in state)
    close(state.read_weights.sum(-1), torch.ones(4, 6), 1e-6)
    assert not torch.equal(half.float(), full)
    assert torch.nn.functional.cosine_similarity(half.float(), full, dim=-1).min() > 0.999
    with torch.autocast("cpu", torch.bfloat16):
        net.train()(turns, mask).float().square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.dtype == torch.float32 for p in net.parameters())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory": "none"}, "memory must be one of learned, constant, random, not 'none'"),
        ({"cascade": "skip"}, "cascade must be one of"),
        ({"stages": 0}, "stages must be at least 1, not 0"),
    ],
)
def test_an_option_that_is_not_there_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        CascadedMemory(4, **options)
