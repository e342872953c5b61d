"""What is asked was not taught: galleries to learn from, and what users want, where train and test share images."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tiny import CAPTIONS, TRANSACTIONS, write_tiny_benchmark

from mtbench.core.types import Gallery, Protocol, Transaction, Turn
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.inputs import features_of, words_of
from mtbench.evaluation.ready import catalogue_of, fold
from mtbench.evaluation.record import Phases
from mtbench.models.protocol import Catalogue, Fold
from mtbench.simulation.dialogue import Manner, openings_of, untaught
from mtbench.simulation.simulate import SimulateSettings, folder_of, simulate, talker
from mtbench.users.protocol import Situation
from mtbench.users.world import training_world


@pytest.fixture
def shared(tmp_path: Path) -> Benchmark:
    """Every part has the same gallery, all ten images, as a new split of one data set has it."""
    every = {image: text for part in CAPTIONS.values() for image, text in part.items()}
    protocol = Protocol(gallery="all-images")
    return write_tiny_benchmark(tmp_path / "shared", captions=dict.fromkeys(CAPTIONS, every), protocol=protocol)


def folds(benchmark: Benchmark) -> tuple[Fold, Fold, Catalogue]:
    words = words_of(benchmark, None)
    catalogue = catalogue_of(benchmark, words, lambda: features_of(benchmark, None, words, Phases(), progress=False))
    return fold(benchmark, "train", catalogue), fold(benchmark, "dev", catalogue), catalogue


def test_of_a_shared_gallery_only_what_a_part_looks_for_may_be_learned_from(shared: Benchmark) -> None:
    assert len(shared.gallery("test", "dress")) == 10
    train, dev, _ = folds(shared)
    assert train.galleries["dress"].image_ids == ("blue", "long")
    assert dev.galleries["dress"].image_ids == ("d2", "d3")


def test_a_gallery_of_its_own_may_be_learned_from_as_a_whole(tmp_path: Path) -> None:
    train, dev, _ = folds(write_tiny_benchmark(tmp_path / "tiny"))
    assert train.galleries["dress"].image_ids == ("blue", "long", "red", "shirt")
    assert dev.galleries["dress"].image_ids == ("d1", "d2", "d3")


def test_dialogues_look_for_what_no_training_looked_for(shared: Benchmark, tmp_path: Path) -> None:
    manner = Manner(turns=3, change_of_mind=0.5)
    found = simulate(
        "random", shared, tmp_path, SimulateSettings(simulator="nearest-pair", dialogues=60, manner=manner)
    )
    (gallery,) = found["galleries"].values()
    assert (gallery["images"], gallery["wanted"]) == (10, 8)
    wanted = pq.read_table(folder_of(tmp_path, found) / "turns.parquet").column("target").to_pylist()
    assert set(wanted) == {"red", "shirt", "d1", "d2", "d3", "t1", "t2", "t3"}


def test_whoever_asks_for_the_train_part_looks_for_all_of_it(shared: Benchmark, tmp_path: Path) -> None:
    found = simulate("random", shared, tmp_path, SimulateSettings(simulator="nearest-pair", dialogues=9, split="train"))
    assert [gallery["wanted"] for gallery in found["galleries"].values()] == [10]


def test_first_image_and_target_differ_and_nothing_changes_where_nothing_was_taught() -> None:
    gallery = {"all": Gallery("test", "all", "all-images", tuple("abcdef"))}
    plain = openings_of(gallery, 50, 3)
    assert openings_of(gallery, 50, 3, wanted=untaught(gallery, [("other", "a")])) == plain
    some = openings_of(gallery, 50, 3, wanted=untaught(gallery, [("all", image) for image in "abcd"]))
    assert {one.target for one in some} == {"e", "f"} and all(one.first != one.target for one in some)
    assert {one.first for one in some} == set("abcdef")
    assert untaught(gallery, [("all", image) for image in "abcdef"]) == {"all": tuple("abcdef")}


def test_a_user_who_learns_hears_each_text_of_a_turn_apart(tmp_path: Path) -> None:
    train, dev, catalogue = folds(write_tiny_benchmark(tmp_path / "tiny"))
    world = training_world(train, dev, catalogue, galleries={})
    assert [turn.feedback for _, turn in world.dev_turns] == [("is shorter",), ("has dots", "is green")]
    assert [turn for _, turn in world.turns] == list(TRANSACTIONS["train"][0].turns)


def test_no_user_hears_learns_or_says_what_was_said_in_test(tmp_path: Path) -> None:
    secret = "is a secret of test"
    turns = (Turn("t1", (secret,), "t2"), Turn("t2", ("is plain", secret), "t3"))
    hidden = {**TRANSACTIONS, "test": [Transaction("dress.test.0000", "dress", turns)]}
    talks = talker(
        write_tiny_benchmark(tmp_path / "tiny", transactions=hidden), SimulateSettings(simulator="nearest-pair")
    )
    for part, known in (("train", talks.world.turns), ("dev", talks.world.dev_turns)):
        assert list(known) == [("dress", turn) for turn in TRANSACTIONS[part][0].turns]
    assert talks.learned == {"pairs": {"dress": 2}}
    asked = [Situation("dress", target, shown) for shown, target in permutations(("t1", "t2", "t3"), 2)]
    assert set(talks.user.say(asked, talks.world)) <= {"is blue", "is longer"}  # also of the pairs of test themselves
