"""The Dialog Manager against plain loops, its losses by hand, and its trainings from end to end on a tiny shoebox."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from torch.nn.functional import cross_entropy  # noqa: E402

import mtbench  # noqa: E402
from mtbench.cli import main  # noqa: E402
from mtbench.cli.tables import training_table  # noqa: E402
from mtbench.core.errors import MtbenchError  # noqa: E402
from mtbench.core.types import Gallery, History, Image  # noqa: E402
from mtbench.data.truth import Truth  # noqa: E402
from mtbench.evaluation.evaluate import evaluate  # noqa: E402
from mtbench.evaluation.inputs import Settings, features_of, words_of  # noqa: E402
from mtbench.evaluation.ranking import rank_embeddings  # noqa: E402
from mtbench.evaluation.ready import catalogue_of, fold  # noqa: E402
from mtbench.evaluation.record import Phases  # noqa: E402
from mtbench.features.store import build_encoder, encode  # noqa: E402
from mtbench.models.checkpoint import open_checkpoint  # noqa: E402
from mtbench.models.dialog_manager import DialogManager  # noqa: E402
from mtbench.models.learning import dialogue_losses, dialogue_stages  # noqa: E402
from mtbench.models.learning.dialogue_losses import (  # noqa: E402
    hinge,
    improved,
    look_ahead,
    reinforce,
    sample,
    self_critical,
    supervised,
)
from mtbench.models.learning.dialogue_stages import Stages, parts_of, registered, stages_of  # noqa: E402
from mtbench.models.learning.dialogues import Openings, Stage, Talk, draw, hold, percentile, standing  # noqa: E402
from mtbench.models.learning.resume import Folder  # noqa: E402
from mtbench.models.learning.trainer import Trainer  # noqa: E402
from mtbench.models.learning.vocabulary import Vocabulary  # noqa: E402
from mtbench.models.nets.dialog_manager import Network, Seen  # noqa: E402
from mtbench.models.protocol import BLANK, Catalogue, Fold  # noqa: E402
from mtbench.simulation.dialogue import Manner  # noqa: E402
from mtbench.simulation.simulate import SimulateSettings, simulate  # noqa: E402
from mtbench.training.train import TrainSettings, train  # noqa: E402
from mtbench.users.nearest_pair import NearestPair  # noqa: E402
from mtbench.users.protocol import World  # noqa: E402
from mtbench.users.world import training_world  # noqa: E402

SMALL = {"embedding": 6, "filters": 7, "dim": 8, "device": "cpu"}
SHORT = {**SMALL, "epochs": 2, "batch": 32, "dialogues": 64, "dev_dialogues": 16, "turns": 3}
SHORT |= {"improve_epochs": 1, "improve_dialogues": 16}

WORDS = ("more", "less", "red", "blue", "long")
HISTORIES = [
    History("dress", ("a",), ("more red",)),
    History("dress", ("b", "c", "a"), ("red", "", "less blue and zebra striped than the long long one")),
    History("dress", (BLANK, "d"), ("more long", "more red, less blue")),
]


class Vectors:
    """Five numbers for every image, drawn from its name."""

    proxy, reads_text = "caption", False

    def images(self, image_ids):
        drawn = [np.random.default_rng(list(f"image {name}".encode())).normal(size=5) for name in image_ids]
        return np.array(drawn, np.float32).reshape(-1, 5)

    def describe(self):
        return {"name": "vectors"}


@pytest.fixture
def catalogue() -> Catalogue:
    images = {name: Image(name, "dress", f"a dress {name}", (name, "dress")) for name in "abcdefghij"}
    return Catalogue(images, words="caption", features=Vectors)


@pytest.fixture
def manager() -> DialogManager:
    model = DialogManager(**SMALL, length=6, scale=2.0)
    net = model.build({"features": 5, "words": list(WORDS)}).eval()
    with torch.no_grad():
        for value in net.state_dict().values():
            if value.dtype == torch.float32:
                value.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(value.numel())))
        net.text.batch_norm.running_var.abs_().add_(0.5)
        net.text.embedding.weight[0] = 0
    return model


# The network


def slowly(model: DialogManager, history: History, catalogue: Catalogue) -> np.ndarray:
    """The state after a history, number by number in float64, from the formulas."""
    w = {name: value.double().numpy() for name, value in model.net.state_dict().items()}

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    hidden = np.zeros(8)
    for reference, text in zip(history.references, history.feedback, strict=True):
        feature = 2.0 * catalogue.image_features([reference])[0].astype(float)
        image = w["image_encoder.weight"] @ feature + w["image_encoder.bias"]
        tokens = [token for token in model.vocabulary.tokens([text])[0].tolist() if token][:6]
        words = [w["text.embedding.weight"][token] for token in tokens]
        if len(words) == 1:
            words.append(np.zeros(6))
        pairs = [
            w["text.convolution.weight"] @ np.concatenate([words[k], words[k + 1]]) + w["text.convolution.bias"]
            for k in range(len(words) - 1)
        ]
        best = np.max(pairs, axis=0)
        normed = (best - w["text.batch_norm.running_mean"]) / np.sqrt(w["text.batch_norm.running_var"] + 1e-5)
        normed = normed * w["text.batch_norm.weight"] + w["text.batch_norm.bias"]
        said = w["text.out.weight"] @ normed + w["text.out.bias"]
        x = w["response.weight"] @ (image + said) + w["response.bias"]
        i = np.split(w["tracker.weight_ih"] @ x + w["tracker.bias_ih"], 3)
        h = np.split(w["tracker.weight_hh"] @ hidden + w["tracker.bias_hh"], 3)
        reset, update = sigmoid(i[0] + h[0]), sigmoid(i[1] + h[1])
        new = np.tanh(i[2] + reset * h[2])
        hidden = (1 - update) * new + update * hidden
    return w["head.weight"] @ hidden + w["head.bias"]


def test_the_network_is_what_the_formulas_say(manager: DialogManager, catalogue: Catalogue) -> None:
    found = manager.embed_histories(HISTORIES, catalogue)
    for row, history in zip(found, HISTORIES, strict=True):
        np.testing.assert_allclose(row[:-1] / 2, slowly(manager, history, catalogue), rtol=1e-4, atol=1e-4)
    assert (found[:, -1] == -1).all()


def test_the_dot_product_orders_as_the_squared_distance(manager: DialogManager, catalogue: Catalogue) -> None:
    queries = manager.embed_histories(HISTORIES, catalogue)
    images = manager.embed_images("abcdefghij", catalogue)
    states, vectors = queries[:, :-1].astype(float) / 2, images[:, :-1].astype(float)
    distances = ((states[:, None] - vectors) ** 2).sum(-1)
    np.testing.assert_allclose(queries @ images.T, (states**2).sum(-1)[:, None] - distances, rtol=1e-4, atol=1e-3)
    ranks = rank_embeddings(queries, images, np.arange(3), similarity=manager.similarity, depth=10)
    assert ranks.top.tolist() == distances.argsort(axis=1, kind="stable").tolist()


def test_the_engine_and_the_training_score_alike(manager: DialogManager, catalogue: Catalogue) -> None:
    queries, images = manager.embed_histories(HISTORIES, catalogue), manager.embed_images("abcde", catalogue)
    seen = manager.manager.gallery(torch.from_numpy(catalogue.image_features("abcde")))
    scores = manager.manager.scores(torch.from_numpy(queries[:, :-1] / 2), seen)
    np.testing.assert_allclose(scores.detach().numpy(), queries @ images.T, rtol=1e-5, atol=1e-4)


def test_turn_by_turn_is_the_whole_history(manager: DialogManager, catalogue: Catalogue) -> None:
    for history in HISTORIES:
        state = None
        for turn in range(len(history)):
            one = History("dress", history.references[turn : turn + 1], history.feedback[turn : turn + 1])
            found, state = manager.step(one, state, catalogue)
            whole = manager.embed_histories([history.first(turn + 1)], catalogue)
            np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-5)


def test_neither_the_batch_nor_padding_nor_the_order_matters(manager: DialogManager, catalogue: Catalogue) -> None:
    together = manager.embed_histories(HISTORIES, catalogue)
    turned = manager.embed_histories(HISTORIES[::-1], catalogue)[::-1]
    for row, history in enumerate(HISTORIES):
        alone = manager.embed_histories([history], catalogue)[0]
        np.testing.assert_allclose(together[row], alone, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(turned[row], alone, rtol=1e-5, atol=1e-5)
    tokens = torch.tensor([[4, 5, 0], [6, 0, 0]])
    more = torch.nn.functional.pad(tokens, (0, 9))
    assert torch.equal(manager.manager.text(tokens), manager.manager.text(more))
    torch.testing.assert_close(manager.manager.text(tokens[1:, :1]), manager.manager.text(tokens)[1:])


def test_words_after_the_sixteenth_are_not_read() -> None:
    net = Network(3, 30, dim=4, embedding=4, filters=64).eval()
    tokens = torch.arange(4, 28)[None]
    assert torch.equal(net.text(tokens), net.text(tokens[:, :16]))
    assert not torch.equal(net.text(tokens), net.text(tokens[:, :12]))


def test_a_batch_of_one_learns_with_the_statistics_there_are() -> None:
    net = Network(3, 10, dim=4, embedding=4, filters=4)
    tokens = torch.tensor([[4, 5]])
    before = net.text.batch_norm.running_mean.clone()
    assert torch.equal(net.train().text(tokens), net.eval().text(tokens))
    assert torch.equal(net.text.batch_norm.running_mean, before)


def test_many_histories_are_read_in_pieces(manager: DialogManager, catalogue: Catalogue) -> None:
    found = manager.embed_histories([HISTORIES[0]] * 1024 + [HISTORIES[1]], catalogue)
    np.testing.assert_allclose(found[1023:], manager.embed_histories(HISTORIES[:2], catalogue), rtol=1e-5, atol=1e-5)


def test_without_training_it_says_so(catalogue: Catalogue) -> None:
    with pytest.raises(RuntimeError, match="not trained"):
        DialogManager(**SMALL).embed_histories(HISTORIES, catalogue)


# Losses


def test_the_hinge_by_hand() -> None:
    states, right = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    wrong = torch.tensor([[[0.0, 2.0], [0.0, 1.0], [0.5, 0.0]]])
    # 1 - 4 + 0.1 < 0; 1 - 1 + 0.1; 1 - 0.25 + 0.1
    torch.testing.assert_close(hinge(states, right, wrong, 0.1), torch.tensor([[0.0, 0.1, 0.85]]))


def test_an_action_that_did_better_than_greedy_becomes_likelier() -> None:
    for gain, sign in ((1.0, 1), (-1.0, -1), (0.0, 0)):
        images, state = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5]], requires_grad=True)
        before = (-(state - images).square()).log_softmax(1)[:, 1]
        reinforce(torch.tensor([0.5 + gain]), torch.tensor([0.5]), before).backward()
        assert int(torch.sign(-state.grad)) == sign  # a step down the gradient goes to image 1, or from it
        after = (-(state - 0.1 * state.grad - images).square()).log_softmax(1)[:, 1]
        assert int(torch.sign(after - before)) == sign


def test_actions_are_drawn_as_often_as_they_are_likely() -> None:
    torch.manual_seed(0)
    logits = torch.log(torch.tensor([[0.2, 0.3, 0.5]])).repeat(20_000, 1)
    chosen, chance = sample(logits)
    shares = torch.bincount(chosen) / len(chosen)
    torch.testing.assert_close(shares, torch.tensor([0.2, 0.3, 0.5]), atol=0.015, rtol=0)
    torch.testing.assert_close(chance.exp(), torch.tensor([0.2, 0.3, 0.5])[chosen])


@dataclass
class Named:
    """Says the name of the image that is shown, and notes how often it is called."""

    calls: list[int] = field(default_factory=list)

    def say(self, situations, world):
        self.calls.append(len(situations))
        return [one.shown for one in situations]


class Jumps(torch.nn.Module):
    """What is said, as a place on a line."""

    def __init__(self, jumps):
        super().__init__()
        self.jumps = torch.tensor([0.0] * 3 + list(jumps))

    def forward(self, tokens):
        return self.jumps[tokens[:, :1]]


class Toy(Network):
    """Its state after image ``k`` is the point ``jumps[k]`` on a line, whatever went before."""

    def __init__(self, places, jumps):
        super().__init__(1, len(places) + 3, dim=1, embedding=1, filters=1)
        self.places = torch.tensor(places)[:, None]
        self.text = Jumps(jumps)
        self.shift = torch.nn.Parameter(torch.zeros(()))

    def gallery(self, features):
        return Seen(self.places, self.places.square().sum(-1))

    def image(self, features):
        return features

    def step(self, image, text, hidden):
        state = text + self.shift
        return state, state if hidden is None else hidden + 1


def toy(places, jumps):
    names = tuple("abcdefghij"[: len(places)])
    net = Toy(places, jumps)
    features = torch.tensor(places)[:, None]
    stage = Stage("dress", names, features, Named(), World({}, None), Vocabulary(names))
    return net, stage, net.gallery(features)


def test_the_look_ahead_takes_the_image_with_the_least_sum_of_ranks() -> None:
    # From a, near are b and c. After b the state is at 1, where the target e is far; after c at 9, beside it.
    net, stage, seen = toy([0.0, 1.0, 2.0, 5.0, 9.0], [0.0, 1.0, 9.0, 5.0, 9.0])
    talk = Talk(np.array([4]), np.array([[0]]), (("a",),), np.array([1]))
    nearest = np.array([[1, 2]])
    ranks = [hold(net, stage, seen, talk.show(nearest[:, k]), 2, torch.zeros(1, 1))[0].tolist() for k in (0, 1)]
    # b: of c, d, e the target is the last; then c is shown, and the state jumps to e. c: at once, and e is shown.
    assert ranks == [[[3.0, 1.0]], [[1.0, 1.0]]]
    assert look_ahead(net, stage, seen, talk, torch.zeros(1, 1), nearest, 2).tolist() == [2]
    assert look_ahead(net, stage, seen, talk, torch.zeros(1, 1), np.array([[1, 4]]), 2).tolist() == [4]  # found
    assert look_ahead(net, stage, seen, talk, torch.zeros(1, 1), np.array([[2, 4]]), 2).tolist() == [2]  # equal sums


def test_policy_improvement_is_a_cross_entropy_of_the_best_image() -> None:
    net, stage, seen = toy([0.0, 1.0, 2.0, 5.0, 9.0], [0.0, 1.0, 9.0, 5.0, 9.0])
    openings = Openings(0, np.array([4]), np.array([0]), np.array([1]), np.array([[[3, 1], [0, 0]]]))
    found = improved(net, net, seen, stage, openings, candidates=2, negatives=2)
    # One turn counts. The state is at 0, where a is shown, so that b and c are near; c is the best; d and b are drawn.
    by_hand = cross_entropy(torch.tensor([[81 - 4.0, 81 - 25.0, 81 - 1.0]]), torch.tensor([0]))
    torch.testing.assert_close(found.detach(), by_hand)
    found.backward()
    assert net.shift.grad < 0  # a step down the gradient goes up, to c


def test_a_state_that_learns_and_one_that_looks_ahead_are_two() -> None:
    net, stage, seen = toy([0.0, 1.0, 2.0, 5.0, 9.0], [0.0, 1.0, 9.0, 5.0, 9.0])
    target, _, _ = toy([0.0, 1.0, 2.0, 5.0, 9.0], [0.0, 1.0, 9.0, 5.0, 9.0])
    with torch.no_grad():
        net.shift.fill_(5.0)
    openings = Openings(0, np.array([4]), np.array([0]), np.array([1]), np.array([[[3, 1], [0, 0]]]))
    found = improved(net, target, seen, stage, openings, candidates=2, negatives=2)
    by_hand = cross_entropy(torch.tensor([[-9.0, 0.0, -16.0]]), torch.tensor([0]))  # c is still the best; from 5
    torch.testing.assert_close(found.detach(), by_hand)


@pytest.mark.parametrize("drawn", [[2, 1], [1, 2]])
def test_the_best_image_does_not_count_against_itself(drawn) -> None:
    net, stage, seen = toy([0.0, 1.0, 2.0, 5.0, 9.0], [0.0, 1.0, 9.0, 5.0, 9.0])
    openings = Openings(0, np.array([4]), np.array([0]), np.array([1]), np.array([[drawn, [0, 0]]]))
    found = improved(net, net, seen, stage, openings, candidates=2, negatives=2)
    # The state is at 0; the best is c, at 2, and only b, at 1, is another image: -log(e^-4 / (e^-4 + e^-1)).
    assert found.item() == pytest.approx(math.log(1 + math.exp(3)), rel=1e-5)


def test_the_best_image_against_itself_alone_teaches_nothing() -> None:
    net, stage, seen = toy([0.0, 1.0, 2.0, 5.0, 9.0], [0.0, 1.0, 9.0, 5.0, 9.0])
    openings = Openings(0, np.array([4]), np.array([0]), np.array([1]), np.array([[[2, 2], [0, 0]]]))
    found = improved(net, net, seen, stage, openings, candidates=2, negatives=2)
    found.backward()
    assert found.item() == 0
    assert net.shift.grad.item() == 0


@pytest.mark.parametrize(
    ("negatives", "hinges", "compared", "beside"),
    [
        (2, 1, 1 + math.exp(3), [56, 48]),
        (3, 1, 1 + math.exp(3) + math.exp(4), [56, 48]),
        (2, 3, 1 + math.exp(3), [56, 80, 81, 48, 64, 63]),
    ],
)
def test_the_hinge_and_the_comparison_take_the_first_of_the_images_drawn(negatives, hinges, compared, beside) -> None:
    net, stage, seen = toy([0.0, 1.0, 2.0, 5.0, 9.0], [0.0, 1.0, 9.0, 5.0, 9.0])
    openings = Openings(0, np.array([4]), np.array([0]), np.array([1]), np.array([[[3, 1, 0], [3, 1, 0]]]))
    found = improved(net, net, seen, stage, openings, candidates=2, negatives=negatives, hinges=hinges, supervise=2.0)
    # Drawn are d, b and a, at 5, 1 and 0; the target is at 9, the state at 0 and then, as b is shown, at 1. The hinges
    # are 81 - 25, 81 - 1, 81 - 0; 64 - 16, 64 - 0, 64 - 1. Of c, the best, at 2, the share is
    # e^-4 / (e^-4 + e^-25 + e^-1 + e^0).
    assert found.item() == pytest.approx(math.log(compared) + 2 * sum(beside) / len(beside), rel=1e-6)


# Losses of many dialogues, against one dialogue at a time, number by number

PLACES = (0.0, 0.5, 1.1, 1.8, 2.6, 3.5)
JUMPS = (1.03, 2.28, 0.41, 3.12, 1.47, 0.23)


class Recalls(Toy):
    """Its state after image ``k`` is ``JUMPS[k]``, and a quarter of the jump before: it must not mix up dialogues."""

    def step(self, image, text, hidden):
        return text + self.shift + (0 if hidden is None else hidden / 4), text


def recalling(shift=0.0):
    _, stage, seen = toy(PLACES, JUMPS)
    net = Recalls(PLACES, JUMPS)
    with torch.no_grad():
        net.shift.fill_(shift)
    return net, stage, seen


def opened(first, targets):
    """Openings of four turns, with three images at each that are not the target."""
    drawn = np.random.default_rng(3).integers(len(PLACES) - 1, size=(len(first), 4, 3))
    drawn += drawn >= np.array(targets)[:, None, None]
    return Openings(0, np.array(targets), np.array(first), np.arange(len(first)), drawn)


def held(first, target, show):
    """The state and the images left, the nearest first, at each turn of a dialogue of four; it ends with the target."""
    shown, turns = [first], []
    while len(turns) < 4 and shown[-1] != target:
        state = JUMPS[shown[-1]] + (JUMPS[shown[-2]] / 4 if len(shown) > 1 else 0)
        left = [image for image in range(len(PLACES)) if image not in shown]
        turns.append((state, sorted(left, key=lambda image: abs(state - PLACES[image]))))
        shown.append(show(len(turns) - 1, turns[-1][1]))
    return turns


def greedily(turn, left):
    return left[0]


def gained(turns, target):
    """The sum of the rewards of four turns: 1 from when the target is found."""
    return sum(1 - left.index(target) / (len(left) - 1) for _, left in turns) + 4 - len(turns)


def chance_of(image, images, state):
    """The logarithm of its chance among some images, and how fast that grows with the state."""
    weights = [math.exp(-((state - PLACES[one]) ** 2)) for one in images]
    middle = sum(weight * PLACES[one] for weight, one in zip(weights, images, strict=True)) / sum(weights)
    return np.array([-((state - PLACES[image]) ** 2) - math.log(sum(weights)), 2 * (PLACES[image] - middle)])


def hinges_of(state, target, others, margin):
    """The hinge against each of some images, and how fast each grows with the state."""
    found = []
    for other in others:
        value = (state - PLACES[target]) ** 2 - (state - PLACES[other]) ** 2 + margin
        found.append([value, 2 * (PLACES[other] - PLACES[target])] if value > 0 else [0.0, 0.0])
    return found


def beside(hinges):
    """Their mean; 0 of none."""
    return np.sum(hinges, axis=0) / max(len(hinges), 1)


def assert_value_and_slope(loss, net, expected):
    loss.backward()
    np.testing.assert_allclose([loss.item(), net.shift.grad.item()], expected, rtol=1e-4)


def test_supervised_learning_is_the_mean_hinge_of_every_turn_until_the_target_is_found() -> None:
    net, stage, _ = recalling()
    first, targets = [1, 0, 3, 0], [4, 1, 0, 4]
    openings = opened(first, targets)
    talks = [held(*pair, greedily) for pair in zip(first, targets, strict=True)]
    assert [len(turns) for turns in talks] == [1, 2, 4, 3]
    terms = [
        hinges_of(state, target, others, 0.3)
        for turns, target, drawn in zip(talks, targets, openings.others, strict=True)
        for (state, _), others in zip(turns, drawn[: len(turns)], strict=True)
    ]
    assert 0 < np.mean([value > 0 for value, _ in np.concatenate(terms)]) < 1
    assert_value_and_slope(supervised(net, stage, openings, margin=0.3), net, np.concatenate(terms).mean(axis=0))


def choosing(choices):
    """In place of `sample`: the choices of each dialogue at its turns, of which it has so many."""
    turns = iter([[mine[turn] for mine in choices if len(mine) > turn] for turn in range(3)])

    def chosen(logits):
        columns = torch.tensor(next(turns))
        return columns, logits.log_softmax(1).gather(1, columns[:, None])[:, 0]

    return chosen


@pytest.mark.parametrize("supervise", [0.0, 2.0])
def test_self_critical_learning_is_what_one_dialogue_after_the_other_gains(supervise, monkeypatch) -> None:
    net, stage, _ = recalling()
    first, targets, choices = [4, 2, 3], [1, 4, 5], [[2], [1, 2], [1, 2, 2]]
    openings = opened(first, targets)
    losses, hinges, better = [], [], []
    for start, target, mine, drawn in zip(first, targets, choices, openings.others, strict=True):
        turns = held(start, target, lambda turn, left, mine=mine: left[(*mine, 0)[turn]])
        better.append(gained(turns, target) - gained(held(start, target, greedily), target))
        chances = [chance_of(left[choice], left[:3], state) for (state, left), choice in zip(turns, mine, strict=False)]
        losses.append(-better[-1] * np.sum(chances, axis=0))
        for (state, _), others in zip(turns, drawn, strict=False):
            hinges += hinges_of(state, target, others, 0.3)
    # The first finds its target at once, where greedily it would not; the second later than that; the third never.
    assert np.sign(better).tolist() == [1, -1, -1]
    monkeypatch.setattr(dialogue_losses, "sample", choosing(choices))
    found = self_critical(net, stage, openings, candidates=3, margin=0.3, supervise=supervise)
    assert_value_and_slope(found, net, np.mean(losses, axis=0) + supervise * beside(hinges))


@pytest.mark.parametrize(("target", "better"), [(2, 1.0), (3, -1.0)])
def test_a_choice_becomes_likelier_where_it_finds_more_than_the_greedy_one(target, better, monkeypatch) -> None:
    # After a the state is at 1.4: b, at 1, is the nearest, then c, at 2, and c is chosen. After b it is at 4, after c
    # at 0. If c is the target: 1/2, then 1 as it is found; greedily 1/2, then 0 as c is farther from 4 than d is. If
    # d is: 0, then 0 as d is farther from 0 than b is; greedily 0, then 1.
    net, stage, _ = toy([0.0, 1.0, 2.0, 4.0], [1.4, 4.0, 0.0, 0.0])
    openings = Openings(0, np.array([target]), np.array([0]), np.array([1]), np.ones((1, 2, 1), np.int64))
    monkeypatch.setattr(dialogue_losses, "sample", choosing([[1]]))
    found = self_critical(net, stage, openings, candidates=2)
    # The chance of c: e^-0.36 / (e^-0.16 + e^-0.36); it grows by 2 (2 - the mean of 1 and 2) as the state does.
    chance = 1 / (1 + math.exp(0.2))
    assert_value_and_slope(found, net, [-better * math.log(chance), -better * 2 * (1 - chance)])
    state = 1.4 - 0.1 * net.shift.grad.item()
    after = 1 / (1 + math.exp((state - 2) ** 2 - (state - 1) ** 2))
    assert np.sign(after - chance) == better


def looked_ahead(first, target, path, left):
    """Of the three nearest, the one after which, greedily, the target has the least sum of ranks."""
    sums = []
    for image in left[:3]:
        shown = [*path, image]
        turns = held(first, target, lambda turn, left, shown=shown: (*shown, *left[:1] * 4)[turn])
        later = [left.index(target) + 1 for _, left in turns[len(shown) :]]
        sums.append(sum(later) + 4 - max(len(turns), len(shown)))
    return left[int(np.argmin(sums))]


@pytest.mark.parametrize(("negatives", "hinges", "supervise"), [(3, 0, 0.0), (2, 3, 2.0), (3, 1, 2.0)])
def test_policy_improvement_counts_every_turn_of_every_dialogue_alike(negatives, hinges, supervise) -> None:
    (net, stage, seen), (target, _, _) = recalling(shift=0.3), recalling()
    first, targets = [1, 0, 3], [4, 1, 0]
    openings = opened(first, targets)
    losses, terms = [], []
    for start, wanted, drawn in zip(first, targets, openings.others, strict=True):
        path = []
        for turn, (state, left) in enumerate(held(start, wanted, greedily)):
            terms += hinges_of(state + 0.3, wanted, drawn[turn, :hinges], 0.3)
            if turn < 3:
                best = looked_ahead(start, wanted, path, left)
                others = [image for image in drawn[turn, :negatives].tolist() if image != best]
                losses.append(-chance_of(best, [best, *others], state + 0.3))
                path.append(left[0])
    assert len(losses) == 1 + 2 + 3  # the first finds its target in the first turn, the second in the second
    expected = np.mean(losses, axis=0) + (supervise * beside(terms) if supervise else 0)
    options = {"negatives": negatives, "hinges": hinges, "margin": 0.3, "supervise": supervise}
    assert_value_and_slope(improved(net, target, seen, stage, openings, candidates=3, **options), net, expected)


# Dialogues


def test_ranks_leave_out_what_was_shown_and_count_ties_by_half() -> None:
    talk = Talk(np.array([1, 0]), np.array([[0, 3], [1, 1]]), ((), ()), np.array([0, 1]))
    left, ranks = standing(torch.tensor([[9.0, 1.0, 1.0, 8.0, 0.0], [1.0, 5.0, 1.0, 1.0, 2.0]]), talk)
    assert ranks.tolist() == [1.5, 3.0]
    assert left.argmax(1).tolist() == [1, 4]
    assert percentile(torch.tensor([1.0, 3.0]), torch.tensor([3.0, 3.0])).tolist() == [1.0, 0.0]


def test_all_dialogues_speak_in_one_call_and_one_that_found_is_silent() -> None:
    net, stage, seen = toy([0.0, 1.0, 2.0, 5.0, 9.0], [0.0, 1.0, 9.0, 5.0, 9.0])
    talk = Talk(np.array([1, 4, 2]), np.array([[0], [0], [2]]), ((),) * 3, np.arange(3))
    ranks, sizes = hold(net, stage, seen, talk, 3)
    assert stage.simulator.calls == [2, 1, 1]  # the third is over before it begins, the first after a turn
    assert ranks.tolist() == [[1.0, 1.0, 1.0], [4.0, 3.0, 1.0], [1.0, 1.0, 1.0]]
    assert sizes[0].tolist() == [4.0, 3.0, 2.0]


def test_what_a_user_draws_in_training_is_drawn_anew_at_every_turn() -> None:
    _, stage, _ = toy([0.0, 1.0, 2.0, 5.0, 9.0], [0.0] * 5)
    seeds = []

    class Notes(Named):
        def say(self, situations, world):
            seeds.extend(one.seed for one in situations)
            return super().say(situations, world)

    talk = Talk(np.array([3, 4]), np.array([[0], [0]]), ((), ()), np.array([0, 1]))
    for shown in (1, 2):
        talk = talk.answer(replace(stage, simulator=Notes())).show(np.array([shown, shown]))
    assert len(set(seeds)) == len(seeds) == 4


def test_openings_are_drawn_evenly_and_differ_from_the_target() -> None:
    found = draw([4, 12], 8000, np.random.default_rng(0), batch=100, turns=2, others=3)
    assert len(found) == 80
    assert [sum(one.stage == k for one in found) for k in (0, 1)] == [20, 60]
    targets = np.concatenate([one.targets for one in found if one.stage == 0])
    assert np.bincount(targets).min() > 430
    for one in found:
        assert (one.first != one.targets).all()
        assert (one.others != one.targets[:, None, None]).all()
        assert one.others.shape == (100, 2, 3)


# The user


def test_a_user_in_training_knows_training_images_alone() -> None:
    images = {name: Image(name, "dress", None, (name,)) for name in "abcdef"}
    truth = Truth({name: {"name": name} for name in "abcdef"}, {})
    catalogue = Catalogue(images, features=Vectors, truth=lambda: truth)

    def part(names, told):
        gallery = Gallery("train", "dress", "all", tuple(names))
        return Fold([History("dress", (told[0],), ("x",))], [(told[1],)], {"dress": gallery}, dict, lambda: None)

    first, dev = part("abc", "ab"), part("de", "de")
    world = training_world(first, dev, catalogue, galleries={"dress": tuple("abc")})
    assert set(world.galleries["dress"]) == {"a", "b", "c"}
    assert "f" not in world.images
    with pytest.raises(KeyError):
        world.traits("f")
    assert world.traits("a") == {"name": "a"}
    assert catalogue.proxy == "none"  # the model did not see what its user saw
    assert [turn.target for _, turn in world.turns] == ["b"]


class Quotes:
    """Says what an annotator said last in the training part, as far as it knows when it is asked."""

    def say(self, situations, world):
        return [world.turns[-1][1].feedback[0]] * len(situations)


@pytest.mark.parametrize("user", [NearestPair, Quotes])
def test_a_user_on_dev_says_what_was_said_in_train_also_of_a_pair_of_dev(user, catalogue) -> None:
    def part(names, text):
        gallery = {"dress": Gallery("x", "dress", "all", tuple(names))}
        return Fold([History("dress", (names[0],), (text,))], [(names[1],)], gallery, dict, lambda: None)

    (dev,) = stages_of(part("abc", "from train"), part("de", "from dev"), catalogue, user()).dev
    assert dev.image_ids == ("d", "e")
    talk = Talk(np.array([1]), np.array([[0]]), ((),), np.array([0])).answer(dev)  # d is shown and e is wanted
    assert talk.said == (("from train",),)


def test_the_dialogues_on_dev_are_the_same_in_every_process(monkeypatch) -> None:
    net, stage, _ = toy([0.0, 1.0, 2.0, 5.0, 9.0], [0.0] * 5)
    seeds = []

    def watched(sizes, n, rng, **how):
        seeds.append(rng.bit_generator.seed_seq.entropy)
        return draw(sizes, n, rng, **how)

    monkeypatch.setattr(dialogue_stages, "draw", watched)
    Stages((), (stage, stage), ()).scores(net, 4, 1)
    # 56 bits of the SHA-256 of "('dev', 0)" and "('dev', 1)"; Python's own hash is another in each process
    assert seeds == [26255179206767198, 30500909638485078]


def test_a_user_that_is_not_there_or_cannot_be_set_up_is_refused() -> None:
    with pytest.raises(MtbenchError, match="not registered"):
        registered("nobody")
    with pytest.raises(MtbenchError, match="not registered"):
        registered("attributes,3")
    with pytest.raises(MtbenchError, match="no such option"):
        registered("attributes,m=3")
    assert registered("attributes,n=7").n == 7


@pytest.mark.parametrize(
    "options", [{"turns": 0}, {"training": "rl", "turns": 1}, {"training": "sl", "start": Path("x")}, {"length": 1}]
)
def test_options_that_cannot_be_are_refused(options) -> None:
    with pytest.raises(ValueError, match=next(iter(set(options) - {"training"}))):
        DialogManager(**SMALL, **options)


# Training


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("box")
    words = ["build", "shoebox", "--raw", str(folder / "raw"), "--out", str(folder / "box"), "--history-share", "1"]
    words += ["--size", "324", "--dialogues", "32", "--no-pictures", "--kinds", "plain"]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 0, found.output
    return mtbench.load(folder / "box")


@pytest.fixture(scope="module")
def parts(box):
    words = words_of(box, None)
    catalogue = catalogue_of(box, words, lambda: features_of(box, None, words, Phases(), progress=False))
    return fold(box, "train", catalogue), fold(box, "dev", catalogue), catalogue


def weights(model: DialogManager) -> list[bytes]:
    return [value.numpy().tobytes() for value in model.net.state_dict().values()]


@pytest.mark.parametrize("training", ["sl", "rl", "mbpi"])
def test_the_same_training_gives_the_same_bytes_killed_or_not(training, parts, tmp_path) -> None:
    options = {**SHORT, "training": training, "improve_epochs": 2}
    whole = DialogManager(**options)
    record = whole.trainer().run(whole.phases(*parts))

    class KilledError(BaseException):
        pass

    class Dies(Folder):
        def keep(self, phase, weights, progress):
            super().keep(phase, weights, progress)
            if phase == (0 if training == "sl" else 1):
                raise KilledError

    killed, again = DialogManager(**options), DialogManager(**options)
    with pytest.raises(KilledError):
        killed.trainer(store=Dies(tmp_path, "key", every=0)).run(killed.phases(*parts))
    found = again.trainer(store=Folder(tmp_path, "key", every=0)).run(again.phases(*parts))
    assert weights(again) == weights(whole)
    assert found == record
    assert len(found) == (1 if training == "sl" else 2)


def test_supervised_learning_finds_more_than_it_did_at_first(parts) -> None:
    model = DialogManager(**{**SHORT, "epochs": 6, "rate": 0.01, "dialogues": 256, "dev_dialogues": 64})
    (record,) = Trainer().run(model.phases(*parts)).values()
    assert record["epochs"][record["best_epoch"]]["mean"] > record["epochs"][0]["mean"] + 0.05


def test_the_image_encoder_is_frozen_while_a_policy_is_improved(parts, monkeypatch) -> None:
    before = {}
    real = dialogue_losses.improved

    def watched(net, target, seen, *arguments, **options):
        before.setdefault("weight", net.image_encoder.weight.detach().clone())
        return real(net, target, seen, *arguments, **options)

    monkeypatch.setattr("mtbench.models.learning.dialogue_training.improved", watched)
    model = DialogManager(**{**SHORT, "training": "mbpi", "epochs": 1})
    model.trainer().run(model.phases(*parts))
    assert torch.equal(model.net.image_encoder.weight, before["weight"])


TWICE = {**SHORT, "epochs": 1, "improve_epochs": 2, "improve_batch": 8}
"""Two epochs of two batches to improve a policy in."""


def test_what_looks_ahead_is_the_model_as_it_was_when_the_epoch_began(parts, monkeypatch) -> None:
    same = []

    def watched(net, target, *arguments, **options):
        both = zip(net.state_dict().values(), target.state_dict().values(), strict=True)
        same.append(all(torch.equal(one, other) for one, other in both))
        return improved(net, target, *arguments, **options)

    monkeypatch.setattr("mtbench.models.learning.dialogue_training.improved", watched)
    model = DialogManager(**TWICE, training="mbpi")
    model.trainer().run(model.phases(*parts))
    assert same == [True, False, True, False]


@pytest.mark.parametrize(("training", "loss"), [("rl", self_critical), ("mbpi", improved)])
def test_the_statistics_of_texts_stay_as_they_are_while_a_policy_is_improved(
    training, loss, parts, monkeypatch
) -> None:
    seen = []

    def watched(net, *arguments, **options):
        seen.append(net.text.batch_norm.running_var.clone())
        found = loss(net, *arguments, **options)
        seen.append(net.text.batch_norm.running_var.clone())
        return found

    monkeypatch.setattr(f"mtbench.models.learning.dialogue_training.{loss.__name__}", watched)
    model = DialogManager(**TWICE, training=training)
    model.trainer().run(model.phases(*parts))
    assert len(seen) == 8 and all(torch.equal(one, seen[0]) for one in seen)


@pytest.mark.parametrize(("hinges", "supervise", "drawn"), [(3, 2.0, 3), (3, 0.0, 2), (1, 2.0, 2)])
def test_as_many_images_are_drawn_and_compared_as_were_asked_for(hinges, supervise, drawn, parts, monkeypatch) -> None:
    asked = []

    def watched(net, target, seen, stage, openings, **options):
        asked.append((openings.others.shape[2], options))
        return improved(net, target, seen, stage, openings, **options)

    monkeypatch.setattr("mtbench.models.learning.dialogue_training.improved", watched)
    options = {"candidates": 4, "negatives": 2, "hinges": hinges, "margin": 0.3, "supervise": supervise}
    model = DialogManager(**{**SHORT, **options, "training": "mbpi", "epochs": 1})
    model.trainer().run(model.phases(*parts))
    assert asked[0] == (drawn, options)


def test_words_of_the_user_and_of_the_annotators_have_tokens(parts) -> None:
    stages = stages_of(*parts, registered("attributes"))
    written = " ".join(text for history in parts[0].histories for text in history.feedback)
    assert "trim" in written and "less" not in written
    assert {"more", "less", "trim"} <= set(stages.words)  # "trim" only the annotators say, "less" only the user
    assert stages.features == len(parts[2].image_features(stages.train[0].image_ids[:1])[0])


def on(names) -> Fold:
    return Fold([], [], {"dress": Gallery("x", "dress", "all", tuple(names))}, dict, lambda: None)


def test_no_image_that_is_learned_from_is_chosen_on() -> None:
    shared, own = [f"image{k}" for k in range(1000)], ["new0", "new1"]
    mine, theirs = (part["dress"] for part in parts_of(on(shared), on([*shared, *own])))
    assert not {*mine} & {*theirs}
    assert {*mine, *theirs} == {*shared, *own}
    assert 0.12 < (len(theirs) - 2) / 1000 < 0.18


def test_nothing_is_held_out_where_dev_has_images_of_its_own() -> None:
    assert parts_of(on("abc"), on("de")) == ({"dress": ("a", "b", "c")}, {"dress": ("d", "e")})
    assert parts_of(on("abc"), Fold([], [], {}, dict, lambda: None)) == ({"dress": ("a", "b", "c")}, {"dress": ()})


@pytest.mark.parametrize("training", ["sl", "rl", "mbpi"])
def test_each_training_ends_in_a_checkpoint_that_evaluates_and_talks(training, box, tmp_path) -> None:
    made = train("dialog-manager", box, tmp_path, TrainSettings(options={**SHORT, "training": training}))
    assert train("dialog-manager", box, tmp_path, TrainSettings(options={**SHORT, "training": training})).known
    assert [*made.record["training"]] == ["sl", training][: 1 if training == "sl" else 2]
    assert made.record["simulator_sha256"]
    assert "dev: rank percentile of the target" in training_table([(made.path, made.record)], tmp_path)
    result = evaluate(str(made.path), box, tmp_path / "results", Settings())
    assert result["n"] == 32 and result["proxy"] == "caption"
    settings = SimulateSettings(simulator="attributes", dialogues=8, manner=Manner(turns=2))
    talked = simulate(str(made.path), box, tmp_path / "talks", settings)
    assert [row["n"] for row in talked["rows"]] == [8, 8]
    assert talked["trained"]
    assert json.loads((made.path / "checkpoint.json").read_text())["inputs"]["words"]


def test_the_user_of_training_sees_what_that_of_evaluation_does(box, tmp_path, monkeypatch) -> None:
    encode(box, build_encoder("tfidf", {"dims": 8}), "mine", spec="tfidf", progress=False)
    seen = []
    learn = NearestPair.learn

    def looked(user, world):
        seen.append(world.catalogue.image_features(list(box.images)[:20]))
        return learn(user, world)

    monkeypatch.setattr(NearestPair, "learn", looked)
    options = {**SHORT, "simulator": "nearest-pair"}
    made = train("dialog-manager", box, tmp_path, TrainSettings(options=options, features="mine"))
    settings = SimulateSettings(simulator="nearest-pair", dialogues=2, manner=Manner(turns=1), features="mine")
    simulate(str(made.path), box, tmp_path / "talks", settings)
    np.testing.assert_array_equal(*seen)
    assert seen[0].shape[1] != 8  # the model has other eyes


def test_a_training_may_start_from_a_checkpoint(box, tmp_path) -> None:
    start = train("dialog-manager", box, tmp_path, TrainSettings(options=SHORT))
    options = {**SHORT, "training": "mbpi", "start": str(start.path)}
    made = train("dialog-manager", box, tmp_path, TrainSettings(options=options))
    assert [*made.record["training"]] == ["mbpi"]
    assert made.record["below"][0]["model"] == "dialog-manager"
    model = open_checkpoint(made.path, device="cpu").model
    assert model.vocabulary.words == open_checkpoint(start.path, device="cpu").model.vocabulary.words
    with pytest.raises(MtbenchError, match="other sizes"):
        train("dialog-manager", box, tmp_path, TrainSettings(options={**options, "dim": 9}))


def test_the_paper_preset_is_what_the_paper_says() -> None:
    model = DialogManager(**DialogManager.PRESETS["paper"], device="cpu")
    assert (model.dim, model.embedding, model.filters, model.length) == (256, 512, 512, 16)
    assert (model.batch, model.rate, model.margin, model.turns, model.hinges) == (128, 1e-3, 0.1, 5, 1)
    assert (model.improve_batch, model.improve_rate, model.candidates, model.negatives) == (8, 1e-4, 4, 5)
    assert (model.supervise, model.decay, model.clip) == (0, 0, 0)
