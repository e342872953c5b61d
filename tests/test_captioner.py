"""The user that learned how people speak: a made world in which what should be said follows from two images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Image, Turn
from mtbench.models.nets.captioner import END, START, RelativeCaptioner
from mtbench.models.protocol import Catalogue
from mtbench.simulation.spoken import judge
from mtbench.users.captioner import LONGEST, Captioner
from mtbench.users.protocol import Situation, World

COLOURS = ("red", "blue", "green", "black")


class Vectors:
    """A direction for each colour."""

    proxy, reads_text = "image", False

    def images(self, image_ids: Sequence[str]) -> Any:
        return np.array([np.eye(4)[COLOURS.index(image.split("-")[0])] for image in image_ids], np.float32)

    def texts(self, texts: Sequence[str]) -> Any:
        raise AssertionError("nobody asks")

    def describe(self) -> dict[str, Any]:
        return {}


def world(turns: int = 120, *, captions: bool = False) -> World:
    """Turns in which people say the colour of the target, "make it red", and of the reference "not blue"."""
    names = [f"{colour}-{n}" for colour in COLOURS for n in range(6)]
    images = {
        name: Image(
            name, "shoes", f"a photo of a {name.split('-')[0]} shoe" if captions else f"{name.split('-')[0]} shoe"
        )
        for name in names
    }
    rng = np.random.default_rng(0)
    rows = []
    while len(rows) < turns:
        reference, target = (names[k] for k in rng.choice(len(names), 2, replace=False))
        one, two = (name.split("-")[0] for name in (reference, target))
        if one != two:
            rows.append(("shoes", Turn(reference, (f"make it {two} not {one}",), target)))
    catalogue = Catalogue(images, features=Vectors)
    return World(images, catalogue, rows[: turns * 3 // 4], rows[turns * 3 // 4 :])


@pytest.fixture(scope="module")
def learned() -> tuple[Captioner, Mapping[str, Any]]:
    captioner = Captioner(epochs=25, width=24, batch=16, rate=0.02, discriminative=0)
    return captioner, {**captioner.learn(world()), **judge(captioner, world())}


def test_it_says_what_people_would_have_said(learned: tuple[Captioner, Mapping[str, Any]]) -> None:
    captioner, _ = learned
    asked = [Situation("shoes", "red-0", "blue-1"), Situation("shoes", "green-2", "black-3")]
    assert captioner.say(asked, world()) == ["make it red not blue", "make it green not black"]


def test_what_it_learned_is_measured_on_dev(learned: tuple[Captioner, Mapping[str, Any]]) -> None:
    record = learned[1]
    assert record["n"] == 30 and record["sentences"] == 90
    assert record["BLEU-4"] == pytest.approx(1, abs=0.02)
    assert record["percentile by words interval"][0] > 0.5  # better than chance, as it must be with these words


def test_it_says_the_same_alone_and_among_others(learned: tuple[Captioner, Mapping[str, Any]]) -> None:
    captioner, _ = learned
    several = [Situation("shoes", f"{a}-0", f"{b}-1") for a in COLOURS for b in COLOURS]
    assert captioner.say(several, world()) == [captioner.say([one], world())[0] for one in several]


def test_the_same_training_gives_the_same_weights_and_another_seed_others() -> None:
    made = [Captioner(epochs=1, width=8, seed=seed, discriminative=0) for seed in (0, 0, 1)]
    for captioner in made:
        captioner.learn(world(40))
    first, second, other = (one._net.tell.weight for one in made if one._net is not None)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_what_was_learned_once_is_not_learned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Captioner(epochs=1, width=8, discriminative=0)
    first.keeps = tmp_path
    first.learn(world(40))
    monkeypatch.setattr(RelativeCaptioner, "forward", lambda *_: pytest.fail("it is trained again"))
    second = Captioner(epochs=1, width=8, discriminative=0)
    second.keeps = tmp_path
    second.learn(world(40))
    asked = [Situation("shoes", "red-0", "blue-1")]
    assert first.say(asked, world()) == second.say(asked, world())


def test_the_best_epoch_is_the_best_on_dev_whatever_it_is_on_train() -> None:
    spoken = world(40)
    # Of words that nobody said in train nothing is left: whoever has learned to speak is worse at saying nothing.
    mute = [(category, replace(turn, feedback=("zzz",))) for category, turn in spoken.dev_turns]
    best = []
    for dev in (spoken.dev_turns, mute):
        captioner = Captioner(epochs=2, width=24, batch=16, rate=0.02, discriminative=0)
        best.append(captioner.learn(replace(spoken, dev_turns=dev))["best_epoch"])
    assert best == [2, 0]


def test_a_discriminative_caption_is_said_beside_an_image_that_is_unlike() -> None:
    captioner = Captioner(discriminative=1)
    made = captioner._discriminative(world(captions=True), [(t.reference, t.target, "x") for _, t in world().turns])
    assert made
    for reference, target, text in made:
        assert reference.split("-")[0] != target.split("-")[0]
        assert text == f"a photo of a {target.split('-')[0]} shoe"


def test_greedy_words_are_the_likeliest_after_those_before() -> None:
    torch.manual_seed(0)
    net = RelativeCaptioner(5, 9, width=6, embedding=4).eval()
    references, targets = torch.randn(3, 5), torch.randn(3, 5)
    told = net.greedy(references, targets, LONGEST)
    for row in range(3):
        words = [START]
        for place in range(LONGEST):
            with torch.no_grad():
                scores = net(references[row : row + 1], targets[row : row + 1], torch.tensor([words]))[0, -1]
            word = int(scores.argmax())
            assert told[row, place] == word
            if word == END:
                assert (told[row, place:] == END).all()
                break
            words.append(word)


def test_no_sentence_is_longer_than_sixteen_words() -> None:
    captioner = Captioner(epochs=1, width=8, least=1, discriminative=0)
    captioner.learn(world(40))
    assert captioner._net is not None
    with torch.no_grad():
        captioner._net.tell.bias[END] = -1e9  # it never ends by itself
    (text,) = captioner.say([Situation("shoes", "red-0", "blue-1")], world())
    assert len(text.split()) == 16


class Parrot:
    """Says what the annotator said."""

    def __init__(self, turns: Sequence[tuple[str, Turn]]) -> None:
        self.turns = turns

    def say(self, situations: Sequence[Situation], world: World) -> list[str]:
        return [turn.feedback[0] for _, turn in self.turns][: len(situations)]


class Silent:
    def say(self, situations: Sequence[Situation], world: World) -> list[str]:
        return ["nothing"] * len(situations)


def test_who_says_what_people_said_has_bleu_and_rouge_of_one() -> None:
    found = judge(Parrot(world().dev_turns), world())
    assert found["BLEU-4"] == pytest.approx(1)
    assert found["ROUGE-L"] == pytest.approx(1)


def test_words_that_say_nothing_find_their_target_by_chance() -> None:
    found = judge(Silent(), world())
    assert found["percentile by words"] == pytest.approx(0.5)
    assert found["BLEU-4"] == pytest.approx(0)


def test_words_are_to_find_their_target_among_the_targets_of_dev_and_not_among_references() -> None:
    looks = {"one": "a blue boot", "two": "a green boot", "three": "a red boot", "before": "a blue and green shoe"}
    images = {name: Image(name, "shoes", caption) for name, caption in looks.items()}
    spoken = [("one", "is blue"), ("two", "is green"), ("three", "is green")]
    turns = [("shoes", Turn("before", (text,), target)) for target, text in spoken]
    found = judge(Parrot(turns), World(images, Catalogue(images), (), turns))
    # The first two are at rank 1 of 3. Before the third is the second, and beside it the first: rank 2 or 3.
    assert found["percentile by words"] == pytest.approx((1 + 1 + 1 / 4) / 3)
    assert found["percentile by words of people"] == found["percentile by words"]


def test_without_turns_to_learn_from_it_says_so() -> None:
    with pytest.raises(MtbenchError, match="learns how people speak from the train part, which has no turns"):
        Captioner().learn(World({}, Catalogue({})))
