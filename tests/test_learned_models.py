"""Models that learn, with every option: a step is a forward pass, padding is not seen, losses are worked out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import cross_entropy, normalize  # noqa: E402

from mtbench.core.errors import MtbenchError  # noqa: E402
from mtbench.core.options import options_of  # noqa: E402
from mtbench.core.registry import MODELS  # noqa: E402
from mtbench.core.types import Gallery, History, Transaction, Turn  # noqa: E402
from mtbench.evaluation.firewall.check import check  # noqa: E402
from mtbench.evaluation.ranker import fold_of  # noqa: E402
from mtbench.models.combiner import Combiner  # noqa: E402
from mtbench.models.learning import sequence  # noqa: E402
from mtbench.models.learning.examples import examples_of  # noqa: E402
from mtbench.models.learning.sequence import Reader  # noqa: E402
from mtbench.models.protocol import Catalogue  # noqa: E402

D = 8
SMALL: dict[str, dict[str, Any]] = {
    "lstm": {"width": 5},
    "gru": {"width": 5},
    "transformer": {"layers": 2, "heads": 2, "ages": 2},
    "ntm": {"rows": 3, "columns": 4, "width": 5},
    "cm-ntm": {"stages": 3, "rows": 3, "columns": 4, "width": 5},
}
SEQUENCES = list(SMALL)


class Drawn:
    """Features that follow from the name of an image, or from the text: 8 numbers."""

    proxy = "user features"
    reads_text = True

    def images(self, image_ids: Sequence[str]) -> Any:
        return self._of("image", image_ids)

    def texts(self, texts: Sequence[str]) -> Any:
        return self._of("text", texts)

    def describe(self) -> dict[str, Any]:
        return {"name": "drawn", "proxy": self.proxy, "dim": D, "key": "0"}

    def _of(self, kind: str, names: Sequence[str]) -> Any:
        rows = [np.random.default_rng([len(kind), *map(ord, name)]).normal(size=D) for name in names]
        return np.array(rows, np.float32).reshape(len(names), D)


CATALOGUE = Catalogue({}, features=Drawn)
WALKS = {"dress": ["abcde", "fgh", "bd", "hac"], "shirt": ["klm", "nokl"]}
GALLERIES = {
    category: Gallery("train", category, "all-images", tuple(sorted(set("".join(walks)))))
    for category, walks in WALKS.items()
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Networks of a few numbers are faster without helpers."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def transactions() -> list[Transaction]:
    return [
        Transaction(
            f"{category}.{walk}",
            category,
            tuple(Turn(a, (f"{a} to {b}" if a != "g" else "",), b) for a, b in pairwise(walk)),
        )
        for category, walks in WALKS.items()
        for walk in walks
    ]


TRAIN = fold_of(transactions(), GALLERIES, CATALOGUE)
HISTORIES = list(TRAIN.histories)
NOTHING = fold_of([], GALLERIES, CATALOGUE)


def part(history: History, start: int, stop: int) -> History:
    return History(history.category, history.references[start:stop], history.feedback[start:stop])


def made(name: str, **options: Any) -> Any:
    """A model with drawn weights, none of them 0, as after a long training."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        plugin = MODELS.get(name)
        if name == "combiner":
            model = plugin(device="cpu", **{"dim": 6, **options})
            model.build({"features": D})
        else:
            single = Combiner(dim=6, device="cpu")
            single.build({"features": D})
            model = plugin(device="cpu", **{**SMALL[name], **options})
            model.build({"combiner": {"options": options_of(single), "inputs": single.inputs}})
        with torch.no_grad():
            for parameter in model.net.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        model.net.eval()
    return model


def stepped(model: Any, history: History) -> list[Any]:
    """The vectors after each turn."""
    state, found = None, []
    for turn in range(len(history)):
        vector, state = model.step(part(history, turn, turn + 1), state, CATALOGUE)
        assert vector.shape == (1, 6)
        found.append(vector[0])
    return found


# Steps, padding, later turns


@pytest.mark.parametrize("reads", ["query", "parts"])
@pytest.mark.parametrize("skip", ["none", "turn", "ewma"])
@pytest.mark.parametrize("name", SEQUENCES)
def test_turns_one_by_one_give_what_the_whole_history_gives_and_nothing_later_is_seen(
    name: str, skip: str, reads: str
) -> None:
    model = made(name, skip=skip, reads=reads, alpha=0.6)
    for history in HISTORIES[:2]:
        prefixes = [part(history, 0, n) for n in range(1, len(history) + 1)]
        whole = model.embed_histories(prefixes, CATALOGUE)  # shorter ones padded to the longest
        assert whole.dtype == np.float32
        assert np.linalg.norm(whole, axis=1) == pytest.approx(np.ones(len(prefixes)), abs=1e-5)
        assert np.array(stepped(model, history)) == pytest.approx(whole, abs=2e-5)


@pytest.mark.parametrize("name", [*SEQUENCES, "combiner"])
def test_what_else_is_in_a_batch_has_no_influence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(name)
    together = model.embed_histories(HISTORIES, CATALOGUE)
    alone = np.concatenate([model.embed_histories([history], CATALOGUE) for history in HISTORIES])
    assert together == pytest.approx(alone, abs=2e-5)
    assert model.embed_histories(HISTORIES[::-1], CATALOGUE)[::-1] == pytest.approx(together, abs=2e-5)
    monkeypatch.setattr(sequence, "AT_ONCE", 2)
    assert model.embed_histories(HISTORIES, CATALOGUE) == pytest.approx(together, abs=2e-5)


@pytest.mark.parametrize("name", SEQUENCES)
def test_what_stands_in_the_padding_has_no_influence(name: str) -> None:
    model = made(name, skip="ewma")
    turns, mask = (
        torch.randn(3, 4, 6),
        torch.tensor([[True] * 4, [True, False, False, False], [True, True, False, False]]),
    )
    with torch.inference_mode():
        clean = model.reader(turns * mask[..., None], mask)
        other = model.reader(torch.where(mask[..., None], turns, torch.tensor(1e4)), mask)
    assert torch.allclose(clean[mask], other[mask], atol=2e-5)


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_memory_remembers(name: str) -> None:
    model = made(name)
    first, second = HISTORIES[0], HISTORIES[1]
    one = History("dress", (*first.references[:1], *second.references), (*first.feedback[:1], *second.feedback))
    found = model.embed_histories([one, second], CATALOGUE)
    assert np.abs(found[0] - found[1]).max() > 1e-4


@pytest.mark.parametrize("name", SEQUENCES)
def test_two_dialogues_at_once_do_not_disturb_each_other(name: str) -> None:
    model = made(name)
    one, two = HISTORIES[0], HISTORIES[3]
    alone = [stepped(model, history) for history in (one, two)]
    states: list[Any] = [None, None]
    for turn in range(len(two)):
        for k, history in enumerate((one, two)):
            kept = states[k]
            found, states[k] = model.step(part(history, turn, turn + 1), kept, CATALOGUE)
            assert found[0] == pytest.approx(alone[k][turn], abs=1e-6)
            again, _ = model.step(part(history, turn, turn + 1), kept, CATALOGUE)  # a state may be used twice
            assert again == pytest.approx(found, abs=1e-6)


def test_the_combiner_remembers_nothing() -> None:
    model = made("combiner")
    whole = model.embed_histories(HISTORIES[:1], CATALOGUE)
    assert model.embed_histories([HISTORIES[0].last(1)], CATALOGUE) == pytest.approx(whole, abs=1e-6)
    assert stepped(model, HISTORIES[0])[-1] == pytest.approx(whole[0], abs=1e-6)


@pytest.mark.parametrize("name", SEQUENCES)
def test_more_turns_than_any_before_and_empty_feedback_are_read(name: str) -> None:
    model = made(name)
    long = History("dress", tuple("abcdefgh" * 5), ("",) * 40)
    found = model.embed_histories([long, part(long, 0, 1)], CATALOGUE)
    assert np.isfinite(found).all()
    assert stepped(model, long)[-1] == pytest.approx(found[0], abs=1e-4)


# What goes round the memory


class Fixed(torch.nn.Module):
    """A memory that always says the same."""

    def forward(self, turns: Any, mask: Any) -> Any:
        return torch.tensor([0.0, 2.0]).expand_as(turns)

    def step(self, turn: Any, state: Any) -> Any:
        return torch.tensor([[0.0, 2.0]]), None


@pytest.mark.parametrize(
    ("skip", "second"),
    [
        ("none", (0.0, 1.0)),  # the memory alone, brought to length 1
        ("turn", (-0.6, 0.8 + 1.0)),  # f_qry(2) + gate * memory
        ("ewma", (-0.6 * 0.75 + 0.25, 0.8 * 0.75 + 1.0)),  # 3/4 f_qry(2) + 1/4 f_qry(1) + gate * memory
    ],
)
def test_what_goes_round_the_memory_by_hand(skip: str, second: tuple[float, float]) -> None:
    reader = Reader(Fixed(), 2, parts=False, skip=skip, alpha=0.75)
    if skip != "none":
        assert float(reader.gate) == 0.0
        reader.gate.data.fill_(0.5)
    turns = torch.tensor([[[1.0, 0.0], [-0.6, 0.8]]])
    with torch.no_grad():
        found = reader(turns, torch.ones(1, 2, dtype=torch.bool))
        assert torch.allclose(found[0, 1], normalize(torch.tensor(second), dim=0))
        first, state = reader.step(turns[:, 0], None)
        last, _ = reader.step(turns[:, 1], state)
    assert torch.allclose(first[0], found[0, 0])
    assert torch.allclose(last[0], found[0, 1])


@pytest.mark.parametrize("name", SEQUENCES)
def test_before_any_training_a_model_with_a_skip_is_its_combiner(name: str) -> None:
    model = made(name, skip="turn")
    model.reader.gate.data.zero_()
    found = model.embed_histories(HISTORIES, CATALOGUE)
    assert found == pytest.approx(model.single.embed_histories(HISTORIES, CATALOGUE), abs=1e-5)


# Losses


@pytest.mark.parametrize("supervise", ["all", "last"])
@pytest.mark.parametrize("reads", ["query", "parts"])
@pytest.mark.parametrize("negatives", ["batch", "train"])
@pytest.mark.parametrize("name", SEQUENCES)
def test_the_loss_of_a_batch_by_hand(name: str, negatives: str, reads: str, supervise: str) -> None:
    model = made(name, negatives=negatives, scale=5.0, reads=reads, supervise=supervise)
    scale = float(model.net["scale"].log.exp())
    learner = sequence._Frozen(model, examples_of(TRAIN, CATALOGUE))
    rows = [0, 2, 3]
    with torch.no_grad():
        found = float(learner.loss(np.array(rows)))

    gallery = list(GALLERIES["dress"].image_ids)
    ends = [(row, len(HISTORIES[row]) - 1) for row in rows]  # of any length, against each other
    by_turn = [[(row, turn) for row in rows if len(HISTORIES[row]) > turn] for turn in range(4)]
    losses = []
    for together in [ends] if supervise == "last" else by_turn:
        targets = [TRAIN.targets[row][turn] for row, turn in together]
        for (row, turn), target in zip(together, targets, strict=True):
            candidates = gallery if negatives == "train" else [target, *sorted(set(targets) - {target})]
            images = torch.from_numpy(model.embed_images(candidates, CATALOGUE))
            query = torch.from_numpy(model.embed_histories([part(HISTORIES[row], 0, turn + 1)], CATALOGUE))
            losses.append(float(cross_entropy(scale * query @ images.T, torch.tensor([candidates.index(target)]))))
    assert found == pytest.approx(np.mean(losses), abs=1e-4)


@pytest.mark.parametrize("name", ["combiner", *SEQUENCES])
def test_training_makes_the_loss_smaller_and_leaves_the_combiner_alone(name: str) -> None:
    plugin = MODELS.get(name)
    model = plugin(epochs=8, rate=0.01, schedule="constant", device="cpu", **SMALL.get(name, {"dim": 4, "dropout": 0}))
    found = model.trainer().run(model.phases(TRAIN, NOTHING, CATALOGUE))
    losses = [epoch["loss"] for epoch in found[list(found)[-1]]["epochs"][1:]]
    assert losses[-1] < losses[0]
    if name != "combiner":
        below = [p for n, p in model.net.named_parameters() if n.startswith("combiner.")]
        assert below
        assert not any(parameter.requires_grad for parameter in below)


@pytest.mark.parametrize("name", ["lstm", "cm-ntm"])
def test_one_transaction_is_enough_to_train(name: str) -> None:
    one = fold_of(transactions()[:1], GALLERIES, CATALOGUE)
    for negatives in ("batch", "train"):
        model = MODELS.get(name)(epochs=1, negatives=negatives, device="cpu", **SMALL[name])
        model.fit(one, NOTHING, CATALOGUE)
        assert np.isfinite(model.embed_histories(one.histories, CATALOGUE)).all()


def test_dev_chooses_the_epoch_of_combiner_and_memory() -> None:
    model = MODELS.get("lstm")(epochs=2, device="cpu", width=3)
    found = model.fit(TRAIN, TRAIN, CATALOGUE)
    assert list(found) == ["combiner", "lstm"]
    assert all(set(phase) == {"best_epoch", "of", "mean", "measure"} for phase in found.values())
    assert found["lstm"]["of"] == 2
    assert found["lstm"]["mean"] == pytest.approx(TRAIN.score(model))  # the weights are those of that epoch


def test_the_combiner_starts_as_the_weighted_sum_of_what_the_features_know() -> None:
    model = Combiner(dim=D, device="cpu")
    phase = next(model.phases(TRAIN, NOTHING, CATALOGUE))
    phase.net.eval()
    images, texts = (torch.from_numpy(values) for values in (Drawn().images(["a"]), Drawn().texts(["x"])))
    query = normalize(0.7 * normalize(images, dim=-1) + normalize(texts, dim=-1), dim=-1)
    with torch.no_grad():  # a turn of the axes leaves cosines as they are
        found = model.composer.query(images, texts) @ model.composer.target(images).T
    assert found.item() == pytest.approx((query @ normalize(images, dim=-1).T).item(), abs=1e-5)


# Told in words


@pytest.mark.parametrize("name", ["combiner", *SEQUENCES])
def test_a_model_that_is_not_trained_says_so(name: str) -> None:
    with pytest.raises(RuntimeError, match="not trained yet: call fit, or load a checkpoint"):
        MODELS.get(name)().embed_histories(HISTORIES, CATALOGUE)


def test_heads_must_divide_the_queries() -> None:
    with pytest.raises(MtbenchError, match=r"heads \(4\) must divide the size of the queries \(6\)"):
        made("transformer", heads=4)


@pytest.mark.parametrize("name", ["combiner", "lstm", "transformer"])
def test_the_firewall_finds_nothing(name: str) -> None:
    report = check(name, options={"epochs": "1", "device": "cpu"})
    assert [finding for finding in report.findings if finding.status == "fail"] == []
