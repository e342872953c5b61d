"""The training loop, its recipe, losses and batches: by hand, on networks of a few numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn.functional import cross_entropy, normalize  # noqa: E402

from mtbench.core.errors import MtbenchError  # noqa: E402
from mtbench.core.types import Gallery, History  # noqa: E402
from mtbench.models.learning.examples import Examples, batches_of, examples_of, padded  # noqa: E402
from mtbench.models.learning.losses import Scale, among_all, in_batch  # noqa: E402
from mtbench.models.learning.recipe import Recipe  # noqa: E402
from mtbench.models.learning.resume import Folder  # noqa: E402
from mtbench.models.learning.trainer import DivergedError, Phase, Trainer, steady  # noqa: E402
from mtbench.models.protocol import Catalogue, Fold  # noqa: E402

PLAIN = Recipe(epochs=3, batch=2, rate=0.1, decay=0.0, schedule="constant", clip=0.0)


class KilledError(BaseException):
    """What ends a process; no `except Exception` stops it."""


@dataclass
class Job:
    """Two phases of a network with dropout on four rows; dev scores follow from the weights."""

    recipe: Recipe = PLAIN
    score: Callable[[nn.Module], float] | None = lambda net: torch.sigmoid(net[0].weight.sum()).item()
    seen: list[tuple[str, list[int]]] = field(default_factory=list)
    nets: list[nn.Module] = field(default_factory=list)

    def phases(self) -> Iterator[Phase]:
        for name in ("first", "second"):
            net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
            if self.nets:  # as a memory starts from its combiner
                net[0].load_state_dict(self.nets[-1][0].state_dict())
            self.nets.append(net)
            yield self.phase(name, net)

    def phase(self, name: str, net: nn.Module) -> Phase:
        rows = torch.arange(12.0).view(4, 3) / 10

        def loss(batch: Any) -> Tensor:
            self.seen.append((name, batch.tolist()))
            return (net(rows[batch]) - 1).square().mean()

        score = self.score
        scores = (lambda: {"mean": score(net), "R@5": 0.5}) if score else None
        return Phase(name, net, self.recipe, lambda rng: rng.permutation(4).reshape(2, 2), loss, scores)

    def bytes(self) -> list[bytes]:
        return [value.numpy().tobytes() for net in self.nets[-2:] for value in net.state_dict().values()]


def one(
    net: nn.Module,
    loss: Callable[[Any], Tensor],
    *,
    recipe: Recipe = PLAIN,
    steps: int = 1,
    scores: Sequence[float] | None = None,
    store: Any = None,
    log: list[float] | None = None,
) -> dict[str, Any]:
    """The record of one phase, with dev scores that are written down."""
    left = iter(scores or ())

    def score() -> dict[str, float]:
        return {"mean": next(left)}

    def batches(rng: np.random.Generator) -> list[int]:
        return list(range(steps))

    phase = Phase("small", net, recipe, batches, loss, score if scores is not None else None)
    return Trainer(store=store).run([phase])["small"]


def number(value: float = 1.0) -> nn.Module:
    net = nn.Linear(1, 1)
    nn.init.constant_(net.weight, value)
    nn.init.constant_(net.bias, value)
    return net


# Killed and taken up again


class Dies(Folder):
    """A store in whose process something ends at the n-th call of a method, before or after it."""

    def __init__(self, path: Path, method: str, n: int, when: str) -> None:
        super().__init__(path, "key", every=0)
        calls = itertools.count(1)
        real = getattr(self, method)

        def call(*arguments: Any) -> Any:
            ends = next(calls) == n
            if ends and when == "before":
                raise KilledError
            found = real(*arguments)
            if ends:
                raise KilledError
            return found

        setattr(self, method, call)


@pytest.fixture(scope="module")
def whole() -> tuple[list[bytes], dict[str, Any]]:
    """The weights and the record of a training that nobody ended."""
    job = Job()
    record = Trainer(seed=3).run(job.phases())
    return job.bytes(), record


@pytest.mark.parametrize(
    ("method", "n", "when", "left"),
    [
        ("begun", 1, "before", 12),  # before anything is saved: 2 phases of 3 epochs of 2 steps are left
        ("keep", 1, "before", 12),
        ("keep", 1, "after", 10),
        ("keep", 2, "after", 8),
        ("finish", 1, "before", 6),  # all epochs of phase 1 are saved
        ("finish", 1, "after", 6),  # between the phases
        ("begun", 2, "before", 6),
        ("keep", 5, "before", 4),
        ("keep", 5, "after", 2),
        ("finish", 2, "before", 0),
        ("finish", 2, "after", 0),
    ],
)
def test_a_training_that_was_killed_goes_on_where_it_was_and_ends_with_the_same_bytes(
    tmp_path: Path, whole: Any, method: str, n: int, when: str, left: int
) -> None:
    job = Job()
    with pytest.raises(KilledError):
        Trainer(seed=3, store=Dies(tmp_path, method, n, when)).run(job.phases())
    again = Job()
    record = Trainer(seed=3, store=Folder(tmp_path, "key", every=0)).run(again.phases())
    assert (again.bytes(), record) == whole
    assert len(again.seen) == left


def test_it_may_be_killed_in_every_epoch(tmp_path: Path, whole: Any) -> None:
    for _ in range(6):
        with pytest.raises(KilledError):
            Trainer(seed=3, store=Dies(tmp_path, "keep", 1, "after")).run(Job().phases())
    job = Job()
    assert Trainer(seed=3, store=Folder(tmp_path, "key")).run(job.phases()) == whole[1]
    assert job.bytes() == whole[0]
    assert job.seen == []


def test_a_half_epoch_is_done_again(tmp_path: Path, whole: Any) -> None:
    job = Job()
    calls = itertools.count()

    def dies(net: nn.Module) -> float:
        if next(calls) == 2:  # epoch 0 and 1 are scored
            raise KilledError
        return torch.sigmoid(net[0].weight.sum()).item()

    job.score = dies
    with pytest.raises(KilledError):
        Trainer(seed=3, store=Folder(tmp_path, "key", every=0)).run(job.phases())
    again = Job()
    assert Trainer(seed=3, store=Folder(tmp_path, "key")).run(again.phases()) == whole[1]
    assert again.bytes() == whole[0]


def test_the_state_is_saved_now_and_then_and_not_every_epoch(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        Trainer(store=Dies(tmp_path, "finish", 1, "before")).run(Job().phases())
    assert (tmp_path / "now.safetensors").is_file()
    patient = tmp_path / "patient"
    job = Job()
    Trainer(store=Folder(patient, "key", every=3600)).run(job.phases())
    assert sorted(path.name for path in patient.iterdir()) == ["phase-0.safetensors", "phase-1.safetensors"]


@pytest.mark.parametrize("name", ["now.safetensors", "phase-0.safetensors"])
def test_a_state_that_is_cut_off_is_not_used_and_says_so(
    tmp_path: Path, whole: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KilledError):
        Trainer(seed=3, store=Dies(tmp_path, "keep", 4, "after")).run(Job().phases())
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:-7])
    job = Job()
    assert Trainer(seed=3, store=Folder(tmp_path, "key", every=0)).run(job.phases()) == whole[1]
    assert job.bytes() == whole[0]
    assert f"{file} is no safetensors file, or is cut off" in caplog.text
    assert "starts anew" in caplog.text


def test_the_state_of_another_training_is_not_used_and_says_so(
    tmp_path: Path, whole: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KilledError):
        Trainer(seed=4, store=Dies(tmp_path, "keep", 4, "after")).run(Job().phases())
    job = Job()
    assert Trainer(seed=3, store=Folder(tmp_path, "other")).run(job.phases()) == whole[1]
    assert job.bytes() == whole[0]
    assert "phase-0.safetensors is of another training, and is not used" in caplog.text


# What follows from the seed


def test_order_and_dropout_follow_from_the_seed_alone(whole: Any) -> None:
    def run(seed: int) -> Job:
        job = Job()
        torch.rand(seed + 1), np.random.default_rng().random()  # whatever was drawn before
        Trainer(seed=seed).run(job.phases())
        return job

    one, same, other = run(3), run(3), run(4)
    assert one.bytes() == same.bytes() == whole[0]
    assert one.seen == same.seen
    assert one.bytes() != other.bytes()
    assert one.seen != other.seen
    orders = [[row for _, batch in one.seen[2 * epoch : 2 * epoch + 2] for row in batch] for epoch in range(6)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len({tuple(order) for order in orders[:3]}) > 1  # each epoch has its own


def test_the_settings_of_torch_are_of_the_training_inside_and_as_before_outside() -> None:
    def settings() -> tuple[Any, ...]:
        return (
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            bool(torch.tensor([1e-40]).mul(1.0) == 0),
            torch.get_rng_state().tolist(),
        )

    as_found = settings()
    try:
        torch.set_num_threads(2)
        for flush, strict in ((True, True), (False, False)):
            torch.set_flush_denormal(flush)
            torch.use_deterministic_algorithms(strict, warn_only=strict)
            before = settings()
            with steady(0):
                assert settings()[:4] == (1, True, False, True)
                torch.rand(3)
            assert settings() == before
            with pytest.raises(KilledError), steady(0):
                raise KilledError
            assert settings() == before
    finally:
        torch.set_num_threads(as_found[0])
        torch.use_deterministic_algorithms(as_found[1], warn_only=as_found[2])
        torch.set_flush_denormal(as_found[3])


# The best epoch on dev


def descending(net: nn.Module) -> Callable[[Any], Tensor]:
    return lambda batch: net(torch.ones(1, 1)).sum()  # each step of Adam takes 0.1 off weight and bias


@pytest.mark.parametrize(
    ("scores", "patience", "best", "epochs"),
    [
        ([0.1, 0.3, 0.3, 0.2], 0, 1, 3),  # of equals the first
        ([0.5, 0.4, 0.3, 0.5], 0, 0, 3),  # the first weights are a candidate too
        ([0.1, 0.2, 0.3, 0.4], 0, 3, 3),
        ([0.3, 0.2, 0.4, 0.1], 1, 0, 1),
        ([0.3, 0.4, 0.2, 0.4], 2, 1, 3),
        ([0.3, 0.4, 0.2, 0.1], 1, 1, 2),
    ],
)
def test_the_best_epoch_on_dev_is_kept_and_patience_ends_the_training(
    scores: list[float], patience: int, best: int, epochs: int
) -> None:
    net = number()
    recipe = Recipe(epochs=3, rate=0.1, decay=0.0, schedule="constant", clip=0.0, patience=patience)
    record = one(net, descending(net), recipe=recipe, scores=scores)
    assert record["best_epoch"] == best
    assert [epoch["epoch"] for epoch in record["epochs"]] == list(range(epochs + 1))
    assert [epoch["mean"] for epoch in record["epochs"]] == scores[: epochs + 1]
    assert "loss" not in record["epochs"][0]
    assert [epoch["loss"] for epoch in record["epochs"][1:]] == pytest.approx([2 - 0.2 * n for n in range(epochs)])
    assert net.weight.item() == pytest.approx(1 - 0.1 * best, abs=1e-6)
    assert not net.training


def test_without_a_dev_part_the_last_epoch_is_kept_whatever_the_patience() -> None:
    net = number()
    recipe = Recipe(epochs=3, rate=0.1, decay=0.0, schedule="constant", clip=0.0, patience=1)
    record = one(net, descending(net), recipe=recipe)
    assert (record["best_epoch"], len(record["epochs"])) == (3, 4)
    assert net.weight.item() == pytest.approx(0.7, abs=1e-6)


def test_the_scores_on_dev_are_those_of_a_network_that_drops_nothing() -> None:
    job = Job(score=lambda net: 0.0 if net.training else 1.0)
    record = Trainer().run(job.phases())
    assert {epoch["mean"] for phase in record.values() for epoch in phase["epochs"]} == {1.0}


def test_the_loss_of_an_epoch_is_the_mean_over_its_steps() -> None:
    net = number()
    values = iter([1.0, 2.0, 6.0])
    record = one(net, lambda batch: net.weight.sum() * 0 + next(values), recipe=Recipe(epochs=1, clip=0), steps=3)
    assert record["epochs"][1]["loss"] == 3.0


def test_nothing_to_learn_from_is_told() -> None:
    net = number()
    with pytest.raises(MtbenchError, match="small: the train part has nothing to learn from"):
        one(net, descending(net), steps=0)


# A loss that is no number


@pytest.mark.parametrize("clip", [0.0, 1.0])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_names_step_and_epoch_and_leaves_the_best_weights(value: float, clip: float) -> None:
    net = number()
    calls = itertools.count(1)

    def loss(batch: int) -> Tensor:
        return net(torch.ones(1, 1)).sum() * (value if next(calls) == 4 + 3 else 1.0)

    recipe = Recipe(epochs=3, rate=0.1, decay=0.0, schedule="constant", clip=clip)
    with pytest.raises(DivergedError, match=r"small: the loss is (nan|inf).* at step 3 of epoch 2\. Lower") as found:
        one(net, loss, recipe=recipe, steps=4, scores=[0.1, 0.2])
    assert "--set rate (0.1)" in str(found.value)
    assert net.weight.item() == pytest.approx(1 - 0.4, abs=1e-5)  # after four steps of the first epoch
    assert found.value.phases["small"]["best_epoch"] == 1
    assert len(found.value.phases["small"]["epochs"]) == 2
    assert not net.training


def test_the_phases_before_are_in_the_record_of_one_that_diverged() -> None:
    job = Job()
    first, second = job.phase("first", nn.Sequential(nn.Linear(3, 1))), number()
    bad = Phase("second", second, PLAIN, lambda rng: [0], lambda batch: second.weight.sum() * math.nan, None)
    with pytest.raises(DivergedError) as found:
        Trainer().run([first, bad])
    assert list(found.value.phases) == ["first", "second"]
    assert found.value.phases["first"]["best_epoch"] in range(4)


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_a_gradient_that_is_no_number_in_the_last_step_is_found(clip: float) -> None:
    net = number()
    recipe = Recipe(epochs=2, rate=0.1, clip=clip)
    with pytest.raises(DivergedError, match="step 1 of epoch 1"):  # the root has no slope at 0
        one(net, lambda batch: (net.weight * 0).sqrt().sum(), recipe=recipe)
    assert net.weight.item() == 1.0


def test_weights_that_give_no_scores_any_more_are_a_divergence_and_those_of_the_start_an_error() -> None:
    net = number()

    def run(ends: int) -> None:
        calls = itertools.count()

        def score() -> Mapping[str, float]:
            if next(calls) == ends:
                raise MtbenchError("scores are not finite")
            return {"mean": 0.1}

        Trainer().run([Phase("small", net, PLAIN, lambda rng: [0], descending(net), score)])

    with pytest.raises(DivergedError, match="after step 1 of epoch 2 dev gives: scores are not finite"):
        run(2)
    with pytest.raises(MtbenchError, match=r"^scores are not finite$"):
        run(0)


# The recipe


def test_the_rate_of_one_cycle_by_hand() -> None:
    recipe = Recipe(rate=2.0, schedule="one-cycle")  # of ten steps three go up
    quarter, three_quarters = 0.5 * (1 - math.cos(math.pi / 3)), 0.5 * (1 - math.cos(2 * math.pi / 3))
    assert (quarter, three_quarters) == pytest.approx((0.25, 0.75))
    rates = [recipe.rate_at(step, 10) for step in range(10)]
    assert rates[:4] == pytest.approx([0.08, 2 * (0.04 + 0.96 * 0.25), 2 * (0.04 + 0.96 * 0.75), 2.0])
    assert rates[9] == pytest.approx(1 - math.cos(math.pi / 7))
    assert rates[3:] == sorted(rates[3:], reverse=True)


def test_the_rates_of_constant_and_cosine_by_hand() -> None:
    assert [Recipe(rate=2.0, schedule="constant").rate_at(step, 3) for step in range(3)] == [2.0, 2.0, 2.0]
    cosine = [Recipe(rate=2.0, schedule="cosine").rate_at(step, 4) for step in range(4)]
    assert cosine == pytest.approx([2.0, 1 + math.sqrt(0.5), 1.0, 1 - math.sqrt(0.5)])


def test_the_schedule_runs_over_all_steps_of_all_epochs() -> None:
    net = number()
    rates: list[float] = []
    real = torch.optim.AdamW.step

    def step(self: Any, *arguments: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        assert len({group["lr"] for group in self.param_groups}) == 1
        return real(self, *arguments)

    recipe = Recipe(epochs=2, rate=2.0, schedule="cosine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", step)
        one(net, descending(net), recipe=recipe, steps=2)
    assert rates == pytest.approx([2.0, 1 + math.sqrt(0.5), 1.0, 1 - math.sqrt(0.5)])


@pytest.mark.parametrize(("clip", "norm"), [(0.5, 0.5), (0.0, 50.0), (80.0, 50.0)])
def test_the_gradient_is_clipped_to_its_norm(clip: float, norm: float) -> None:
    net = number()  # gradients 30 and 40: a norm of 50
    recipe = Recipe(epochs=1, clip=clip)
    one(net, lambda batch: 30 * net.weight.sum() + 40 * net.bias.sum(), recipe=recipe)
    found = math.hypot(float(net.weight.grad), float(net.bias.grad))
    assert found == pytest.approx(norm, rel=1e-4)
    assert float(net.weight.grad) / found == pytest.approx(0.6, rel=1e-4)


def test_matrices_decay_and_nothing_else_does() -> None:
    net = number(2.0)
    recipe = Recipe(epochs=1, rate=0.1, decay=0.5, schedule="constant")
    one(net, lambda batch: 0 * net(torch.ones(1, 1)).sum(), recipe=recipe, steps=2)
    assert net.weight.item() == pytest.approx(2 * (1 - 0.1 * 0.5) ** 2)
    assert net.bias.item() == 2.0


def test_what_wants_no_gradient_stays_as_it_is() -> None:
    net = number(2.0)
    net.weight.requires_grad_(requires_grad=False)
    recipe = Recipe(epochs=2, rate=0.1, decay=0.5, schedule="constant")
    one(net, descending(net), recipe=recipe)
    assert net.weight.item() == 2.0
    assert net.bias.item() == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("epochs", 0, 1), ("batch", 0, 1), ("rate", -1.0, 0), ("decay", -0.1, 0), ("clip", -1.0, 0), ("patience", -1, 0)],
)
def test_a_recipe_that_cannot_be_is_refused(name: str, value: float, least: int) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be {least} or more, not {value}$"):
        Recipe(**{name: value})


# Losses


def vectors(*shape: int, seed: int = 0) -> Tensor:
    return normalize(torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float(), dim=-1)


def test_the_loss_in_a_batch_is_the_plain_cross_entropy() -> None:
    queries, candidates = vectors(4, 1, 6), vectors(4, 1, 6, seed=1)
    targets, mask = torch.arange(4)[:, None], torch.ones(4, 1, dtype=torch.bool)
    found = in_batch(queries, candidates, targets, mask, Scale(7.0, learned=False))
    assert found == pytest.approx(float(cross_entropy(7 * queries[:, 0] @ candidates[:, 0].T, torch.arange(4))))


@pytest.mark.parametrize("mask_equal", [True, False])
def test_the_same_target_twice_in_a_batch_is_no_negative_unless_the_loss_is_literal(mask_equal: bool) -> None:
    queries = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[0.6, 0.8]]])
    candidates = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]]])
    targets, mask = torch.tensor([[5], [5], [6]]), torch.ones(3, 1, dtype=torch.bool)
    found = in_batch(queries, candidates, targets, mask, Scale(1.0, learned=False), mask_equal=mask_equal)
    e = math.exp
    twice = 1 if mask_equal else 2
    by_hand = (
        -math.log(e(1) / (twice * e(1) + e(0)))  # (1, 0) is alike with 5, 5, 6: 1, 1, 0
        - math.log(e(0) / (twice * e(0) + e(1)))  # (0, 1): 0, 0, 1
        - math.log(e(0.8) / (2 * e(0.6) + e(0.8)))  # (0.6, 0.8): 0.6, 0.6, 0.8
    )
    assert float(found) == pytest.approx(by_hand / 3)


def test_turns_are_compared_with_the_same_turn_of_those_that_have_it() -> None:
    queries, candidates = vectors(3, 2, 5), vectors(3, 2, 5, seed=1)
    targets = torch.tensor([[0, 1], [2, 3], [4, 0]])
    mask = torch.tensor([[True, True], [True, True], [True, False]])
    scale = Scale(4.0, learned=False)
    found = in_batch(queries, candidates, targets, mask, scale)
    first = cross_entropy(4 * queries[:, 0] @ candidates[:, 0].T, torch.arange(3), reduction="sum")
    second = cross_entropy(4 * queries[:2, 1] @ candidates[:2, 1].T, torch.arange(2), reduction="sum")
    assert float(found) == pytest.approx(float(first + second) / 5)
    queries[2, 1], candidates[2, 1], targets[2, 1] = torch.nan, 7.0, 3  # what is padded may be anything
    assert float(in_batch(queries, candidates, targets, mask, scale)) == pytest.approx(float(first + second) / 5)


def test_the_gradient_of_what_is_padded_is_zero() -> None:
    queries, candidates = vectors(2, 2, 5).requires_grad_(), vectors(2, 2, 5, seed=1).requires_grad_()
    mask = torch.tensor([[True, True], [True, False]])
    in_batch(queries, candidates, torch.tensor([[0, 1], [2, 0]]), mask, Scale(4.0, learned=False)).backward()
    for tensor in (queries, candidates):
        assert torch.isfinite(tensor.grad).all()
        assert not tensor.grad[1, 1].any()
        assert tensor.grad[:, 0].any()


def test_a_batch_of_one_has_nothing_to_tell_apart_and_trains_all_the_same() -> None:
    net = nn.Linear(5, 5)
    before = net.weight.detach().clone()
    query, candidate = vectors(1, 1, 5), vectors(1, 1, 5, seed=1)
    mask = torch.ones(1, 1, dtype=torch.bool)

    def loss(batch: Any) -> Tensor:
        return in_batch(net(query), candidate, torch.zeros(1, 1), mask, Scale(3.0, learned=False))

    record = one(net, loss, recipe=Recipe(epochs=2, decay=0.0))
    assert [epoch["loss"] for epoch in record["epochs"][1:]] == [0.0, 0.0]
    assert torch.equal(net.weight, before)


def test_the_literal_loss_cannot_fall_below_its_floor() -> None:
    signs = 2 * torch.eye(80) - 1  # each query is alike with its own target, and opposite to all others
    targets, mask = torch.arange(80)[:, None], torch.ones(80, 1, dtype=torch.bool)
    found = in_batch(signs[:, None], torch.eye(80)[:, None], targets, mask, Scale(1.0, learned=False), mask_equal=False)
    assert float(found) == pytest.approx(math.log(1 + 79 * math.exp(-2)), abs=1e-5)
    assert float(found) == pytest.approx(2.46, abs=0.005)


def test_the_loss_among_all_images_is_the_plain_cross_entropy_of_the_real_turns() -> None:
    queries, images = vectors(2, 2, 5), vectors(7, 5, seed=1)
    targets, mask = torch.tensor([[3, 6], [0, 2]]), torch.tensor([[True, True], [True, False]])
    found = among_all(queries, images, targets, mask, Scale(4.0, learned=False))
    rows = torch.stack([queries[0, 0], queries[0, 1], queries[1, 0]])
    assert float(found) == pytest.approx(float(cross_entropy(4 * rows @ images.T, torch.tensor([3, 6, 0]))))


def test_a_scale_is_learned_or_fixed_and_never_above_a_hundred() -> None:
    assert float(Scale(15.0, learned=False)(torch.tensor(0.5))) == pytest.approx(7.5)
    assert float(Scale(500.0, learned=True)(torch.tensor(0.5))) == pytest.approx(50.0)
    learned = {learned: Scale(2.0, learned=learned).log.requires_grad for learned in (True, False)}
    assert learned == {True: True, False: False}


# Examples and batches


class Letters:
    """Features of letters: the vector of an image is (its place, 1), that of a text (its length, 0)."""

    proxy = "user features"

    def __init__(self, *, reads_text: bool = True) -> None:
        self.reads_text = reads_text

    def images(self, image_ids: Sequence[str]) -> Any:
        return np.array([[ord(image) - ord("a"), 1] for image in image_ids], np.float32).reshape(len(image_ids), 2)

    def texts(self, texts: Sequence[str]) -> Any:
        return np.array([[len(text), 0] for text in texts], np.float32).reshape(len(texts), 2)

    def describe(self) -> dict[str, Any]:
        return {}


def examples(*walks: str, reads_text: bool = True) -> Examples:
    """Of walks such as ``dress a is red b is long c``; a lone ``-`` is empty feedback."""
    histories, targets = [], []
    for walk in walks:
        category, *rest = walk.split()
        images, texts = rest[::2], ["" if text == "-" else text for text in rest[1::2]]
        histories.append(History(category, tuple(images[:-1]), tuple(texts)))
        targets.append(tuple(images[1:]))
    galleries = {"dress": Gallery("train", "dress", "all-images", ())}
    fold = Fold(histories, targets, galleries, lambda model: {}, lambda: pytest.fail("not asked for"))
    return examples_of(fold, Catalogue({}, features=lambda: Letters(reads_text=reads_text)))


def test_examples_are_rows_of_vectors_padded_on_the_right() -> None:
    found = examples("dress a red b long c", "shirt b - a")
    assert found.mask.tolist() == [[True, True], [True, False]]
    assert found.categories.tolist() == [0, 1]
    shown = found.images[found.references][found.mask]
    assert shown.tolist() == [[0, 1], [1, 1], [1, 1]]
    assert found.texts[found.feedback][found.mask].tolist() == [[3, 0], [4, 0], [0, 0]]  # empty feedback is zero
    assert found.images[found.targets][found.mask].tolist() == [[1, 1], [2, 1], [0, 1]]
    assert len(found.images) == 3  # each image once
    assert found.references.dtype == torch.int64


def test_feedback_that_is_empty_everywhere_is_zero() -> None:
    assert examples("dress a - b").texts.tolist() == [[0, 0]]


def test_single_turns_are_distinct_in_the_order_of_their_first_occurrence() -> None:
    found = examples("dress a red b long c", "dress a red b blue d", "shirt a red b", "dress b long c").single_turns()
    assert found.images[found.references[:, 0], 0].tolist() == [0, 1, 1, 0]  # of the first, then of the second ...
    assert found.images[found.targets[:, 0], 0].tolist() == [1, 2, 3, 1]
    assert found.categories.tolist() == [0, 0, 0, 1]  # another category is another turn
    assert found.mask.shape == (4, 1)
    assert found.mask.all()


def test_features_without_texts_and_a_part_without_transactions_are_told() -> None:
    with pytest.raises(MtbenchError, match="know images only"):
        examples("dress a red b", reads_text=False)
    with pytest.raises(MtbenchError, match="no transactions to learn from"):
        examples()


@pytest.mark.parametrize("size", [1, 2, 4, 5, 100])
def test_every_row_is_in_one_batch_of_one_category_and_of_a_size_like_the_others(size: int) -> None:
    categories = np.array([0] * 9 + [1] * 5)
    batches = batches_of(categories, size, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(14))
    for category, n in ((0, 9), (1, 5)):
        sizes = [len(batch) for batch in batches if categories[batch[0]] == category]
        assert all(len(set(categories[batch])) == 1 for batch in batches)
        assert (sum(sizes), len(sizes)) == (n, -(-n // size))
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) <= size


def test_batches_are_drawn_anew_with_each_generator_and_categories_are_mixed() -> None:
    categories = np.array([0] * 8 + [1] * 8)
    drawn = [batches_of(categories, 2, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    lists = [[batch.tolist() for batch in batches] for batches in drawn]
    assert lists[0] == lists[1] != lists[2]
    order = [int(categories[batch[0]]) for batch in drawn[0]]
    assert order not in ([0] * 4 + [1] * 4, [1] * 4 + [0] * 4)


def test_turns_of_histories_one_after_the_other_are_laid_out_in_rows() -> None:
    rows, mask = padded([1, 3])
    assert rows.tolist() == [[0, 0, 0], [1, 2, 3]]
    assert mask.tolist() == [[True, False, False], [True, True, True]]
