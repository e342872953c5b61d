"""Dialogues with simulated users: the loop, its measures, the users, two models made for them, and the command."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from letters import MODELS, build_letters
from scipy.stats import kendalltau

from builders.dialogues import Dialogues as DialoguesBuilder
from builders.shoebox import Shoebox
from mtbench.cli import main
from mtbench.cli.simulation_tables import learned_line
from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History, Image, Turn
from mtbench.data.benchmark import load
from mtbench.data.build import BuildOptions, build
from mtbench.data.truth import Truth
from mtbench.evaluation.ranker import Ranker
from mtbench.features.store import build_encoder, encode
from mtbench.models.protocol import Catalogue
from mtbench.models.random import Random
from mtbench.models.rocchio import Rocchio
from mtbench.models.whittle import WhittleSearch, Words, constraints
from mtbench.simulation.agreement import order
from mtbench.simulation.dialogue import Dialogues, Manner, Opening, converse, openings_of
from mtbench.simulation.differences import differences, percentiles
from mtbench.simulation.measures import by_turn, summary
from mtbench.simulation.picture import draw
from mtbench.simulation.saved import lines_of, write_lines
from mtbench.simulation.simulate import SimulateSettings, folder_of, simulate, talker
from mtbench.users.attributes import Attributes
from mtbench.users.english import an, listed, more
from mtbench.users.nearest_pair import NearestPair
from mtbench.users.protocol import Situation, World
from mtbench.users.relevance import Relevance
from mtbench.users.template import NOTHING, Template, sentence
from mtbench.users.wishes import Wish, wishes

SMALL = {"size": 60, "seed": 3, "width": 44}


class Vectors:
    """Vectors of images as they are given."""

    proxy, reads_text = "image", False

    def __init__(self, of: Mapping[str, Sequence[float]]) -> None:
        self.of = of

    def images(self, image_ids: Sequence[str]) -> Any:
        return np.array([self.of[image] for image in image_ids], np.float32)

    def texts(self, texts: Sequence[str]) -> Any:
        raise AssertionError("nobody asks")

    def describe(self) -> dict[str, Any]:
        return {}


class Fixed:
    """Ranks the images of a gallery in the order of the gallery."""

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Any:
        return np.tile(-np.arange(len(image_ids), dtype=np.float32), (len(histories), 1))


class Blunt:
    """Notes every situation, and says what it sees."""

    def __init__(self) -> None:
        self.met: list[Situation] = []

    def say(self, situations: Sequence[Situation], world: World) -> list[str]:
        self.met += situations
        return [f"not {one.shown}" for one in situations]


def images_of(names: Sequence[str], **words: Sequence[str]) -> dict[str, Image]:
    return {name: Image(name, "x", f"caption of {name}", tuple(words.get(name, ()))) for name in names}


def world_of(
    images: Mapping[str, Image],
    vectors: Mapping[str, Sequence[float]] | None = None,
    turns: Sequence[tuple[str, Turn]] = (),
    truth: Truth | None = None,
) -> World:
    features = (lambda: Vectors(vectors)) if vectors else None
    return World(images, Catalogue(images, features=features), turns, truth=lambda: truth)


def ranker_of(names: Sequence[str], model: Any = None) -> Ranker:
    gallery = Gallery("test", "x", "split-list", tuple(names))
    return Ranker(model or Fixed(), {"x": gallery}, Catalogue(images_of(names)))


def talk(names: Sequence[str], opening: Opening, user: Any = None, **manner: Any) -> Dialogues:
    return converse(ranker_of(names), [opening], user or Blunt(), world_of(images_of(names)), Manner(**manner))


@pytest.fixture(scope="module")
def shoebox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shoebox")
    build("shoebox", Shoebox(), folder / "raw", folder / "out", BuildOptions(extra=SMALL), progress=False)
    return folder


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    build_letters(tmp_path)
    return tmp_path / "letters"


# The loop and its measures, worked out by hand


def test_a_model_shows_its_best_image_that_was_not_shown_until_the_target_comes_up() -> None:
    user = Blunt()
    found = talk("badce", Opening("x", "a", "c"), user, turns=5)
    assert found.shown == (("a", "b", "d", "c"),)
    assert found.said == (("not a", "not b", "not d"),)
    assert [(one.shown, one.earlier, one.said) for one in user.met] == [
        ("a", (), ()),
        ("b", ("a",), ("not a",)),
        ("d", ("a", "b"), ("not a", "not b")),
    ]
    assert found.found.tolist() == [True] and found.lengths.tolist() == [3]
    # c is the third of b d c e, the second of d c e, the first of c e; then it is shown, and counts as first.
    assert found.greater.tolist() == [[2, 1, 0, 0, 0]]
    assert found.candidates.tolist() == [[4, 3, 2, 2, 2]]
    values = by_turn(found)
    assert values["percentile"].tolist() == pytest.approx(np.array([[1 / 3, 1 / 2, 1, 1, 1]]))
    assert values["R@1"].tolist() == values["hits@1"].tolist() == [[0, 0, 1, 1, 1]]


def test_turns_to_success_are_the_first_turn_with_the_target_among_ten() -> None:
    names = [f"i{n:02}" for n in range(14)]
    found = talk(names, Opening("x", "i13", "i11"), turns=4)  # 12th, 11th, 10th, 9th of those not shown
    assert found.greater.tolist() == [[11, 10, 9, 8]]
    told = summary(found)
    assert told["turns_to_success"] == {"within": 10, "median": 3.0, "share": 1.0}
    assert [row["hits@10"] for row in told["rows"]] == [0, 0, 1, 1]
    assert told["found"] == 0 and told["mean_length"] == 4
    short = summary(talk(names, Opening("x", "i13", "i11"), turns=2))
    assert short["turns_to_success"] == {"within": 10, "median": None, "share": 0.0}


def test_a_hit_is_kept_and_recall_is_of_the_turn() -> None:
    class Forgetful(Fixed):
        """Best first at the first turn, and last after it."""

        def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Any:
            signs = [[1.0 if len(history) == 1 else -1.0] for history in histories]
            return np.array(signs, np.float32) * super().score(histories, image_ids, catalogue)

    names = "abcdefgh"
    found = converse(
        ranker_of(names, Forgetful()), [Opening("x", "h", "b")], Blunt(), world_of(images_of(names)), Manner(turns=2)
    )
    assert by_turn(found)["R@5"].tolist() == [[1, 0]]  # second of seven, then the last of six
    assert by_turn(found)["hits@5"].tolist() == [[1, 1]]


def test_all_models_meet_the_same_users() -> None:
    names = [f"i{n:02}" for n in range(30)]
    users = []
    for model in (Fixed(), Random()):
        users.append(Blunt())
        ranker = ranker_of(names, model)
        openings = openings_of(ranker.galleries, 40, 5)
        converse(ranker, openings, users[-1], world_of(images_of(names)), Manner(turns=3, seed=5))
    first, second = ([(o.target, o.shown, o.seed) for o in user.met if not o.said] for user in users)
    assert first == second and len(first) == 40
    assert len({seed for *_, seed in first}) == 40
    assert openings_of(ranker.galleries, 40, 6) != openings


def test_what_a_user_draws_is_drawn_anew_at_every_turn() -> None:
    names, user = [f"i{n:02}" for n in range(9)], Blunt()
    openings = [Opening("x", "i00", "i08"), Opening("x", "i00", "i07")]
    converse(ranker_of(names), openings, user, world_of(images_of(names)), Manner(turns=3))
    assert len({one.seed for one in user.met}) == len(user.met) == 6


def test_openings_are_spread_evenly_over_categories_and_never_begin_with_the_target() -> None:
    galleries = {name: Gallery("test", name, "split-list", tuple("abc")) for name in "xyz"}
    found = openings_of(galleries, 10, 0)
    assert [sum(one.category == name for one in found) for name in "xyz"] == [3, 3, 4]
    assert all(one.first != one.target for one in found)
    with pytest.raises(MtbenchError, match="nothing to search"):
        openings_of({"x": Gallery("test", "x", "split-list", ("a",))}, 1, 0)
    with pytest.raises(MtbenchError, match="--dialogues"):
        openings_of(galleries, 0, 0)


@pytest.mark.parametrize("name", ["attributes", "template", "relevance", "nearest-pair"])
def test_a_dialogue_is_the_same_alone_and_among_others(shoebox: Path, name: str) -> None:
    benchmark = load(shoebox / "out")
    talks = talker(benchmark, SimulateSettings(simulator=name))
    user, world = talks.user, talks.world
    galleries = {category: g for (part, category), g in benchmark.galleries.items() if part == "test"}
    ranker = Ranker(Random(), galleries, world.catalogue)
    openings = openings_of(galleries, 12, 0)
    together = converse(ranker, openings, user, world, Manner(turns=3))
    alone = converse(ranker, openings[:1], user, world, Manner(turns=3))
    assert alone.said[0] == together.said[0] and alone.shown[0] == together.shown[0]


def test_without_patience_a_dialogue_ends_after_one_turn_and_the_target_stays_where_it_was() -> None:
    found = talk("badce", Opening("x", "a", "c"), turns=4, patience=0)
    assert found.lengths.tolist() == [1]
    assert found.greater.tolist() == [[2, 2, 2, 2]]
    assert found.found.tolist() == [False]


def test_patience_is_a_chance_for_each_turn() -> None:
    names = [f"i{n:03}" for n in range(100)]
    openings = [Opening("x", "i099", "i098")] * 400
    found = converse(
        ranker_of(names), openings, Blunt(), world_of(images_of(names)), Manner(turns=3, patience=0.5, seed=1)
    )
    assert np.bincount(found.lengths, minlength=4)[1:] / 400 == pytest.approx([0.5, 0.25, 0.25], abs=0.08)


def test_who_changes_their_mind_wants_another_image_that_was_not_shown() -> None:
    openings = [Opening("x", "a", "d"), Opening("x", "b", "a")]
    found = converse(
        ranker_of("abcd"), openings, Blunt(), world_of(images_of("abcd")), Manner(turns=3, change_of_mind=1)
    )
    # d is wanted first. After a and b only c is left, and is shown. The other user meets a at once.
    assert found.targets.tolist() == [["d", "c", "c"], ["a", "a", "a"]]
    assert found.shown == (("a", "b", "c"), ("b", "a"))
    assert [line["target"] for line in lines_of(found)] == ["a"]
    alone = talk("abc", Opening("x", "a", "c"), turns=2, change_of_mind=1)
    assert alone.targets.tolist() == [["c", "c"]]  # after a and b there is no other
    names = [f"i{n:02}" for n in range(30)]
    many = talk(names, Opening("x", "i00", "i29"), turns=5, change_of_mind=1)
    for turn in range(1, int(many.lengths[0])):
        assert many.targets[0, turn] not in (many.targets[0, turn - 1], *many.shown[0][: turn + 1])


def dialogues_of(targets: Sequence[str], greater: Sequence[int]) -> Dialogues:
    """One dialogue, of a gallery of a hundred."""
    n = len(targets)
    shown = tuple(f"i{k}" for k in range(n + 1))
    return Dialogues(
        (Opening("x", shown[0], targets[0]),),
        np.array([targets], dtype=object),
        (shown,),
        (("said",) * n,),
        *(np.array([row], np.int64) for row in (greater, [1] * n, range(99, 99 - n, -1))),
        np.array([n]),
        np.array([False]),
    )


def test_a_hit_of_an_abandoned_wish_does_not_count() -> None:
    found = dialogues_of(["b", "c"], [4, 80])  # b stands fifth, c at rank 81
    assert by_turn(found)["R@5"].tolist() == by_turn(found)["hits@5"].tolist() == [[1, 0]]
    assert summary(found)["turns_to_success"] == {"within": 10, "median": None, "share": 0.0}
    again = dialogues_of(["b", "c", "c", "c"], [4, 7, 80, 2])
    assert by_turn(again)["hits@5"].tolist() == [[1, 0, 0, 1]]
    assert by_turn(again)["hits@10"].tolist() == [[1, 1, 1, 1]]
    assert summary(again)["turns_to_success"]["median"] == 2  # when c was first among ten


def test_a_hit_as_likely_as_not_is_no_success() -> None:
    two = dialogues_of(["b", "b"], [9, 8])
    tied = replace(two, equal=np.array([[2, 3]]))  # at rank 10 or 11, then at 9, 10 or 11
    assert by_turn(tied)["hits@10"].tolist() == pytest.approx(np.array([[1 / 2, 2 / 3]]))
    assert summary(tied)["turns_to_success"] == {"within": 10, "median": 2, "share": 1}
    still = summary(replace(two, equal=np.array([[2, 4]])))  # half of 9, 10, 11 and 12
    assert still["turns_to_success"] == {"within": 10, "median": None, "share": 0}


def test_the_record_tells_how_many_talk_at_each_turn_and_how_sure_the_share_found_is() -> None:
    names = [f"i{n:02}" for n in range(12)]
    openings = [Opening("x", "i00", target) for target in ("i01", "i02", "i11")]  # shown after 1, 2, never
    found = converse(ranker_of(names), openings, Blunt(), world_of(images_of(names)), Manner(turns=3))
    told = summary(found)
    assert [row["talking"] for row in told["rows"]] == [3, 2, 1]
    assert told["found"] == pytest.approx(2 / 3)
    assert told["found interval"] == [0, 1]  # of three targets a draw may have none or all


def test_a_dialogue_whose_user_changed_their_mind_is_no_transaction() -> None:
    found = talk("badce", Opening("x", "a", "c"), turns=3)
    assert [turn["reference"] for turn in lines_of(found)[0]["turns"]] == ["a", "b", "d"]
    moved = replace(found, targets=np.array([["c", "e", "e"]], dtype=object))
    assert lines_of(moved) == []


@pytest.mark.parametrize("said", [[], ["a", "b"], [None]], ids=["nothing", "too much", "no text"])
def test_a_user_must_say_one_text_in_each_situation(said: Any) -> None:
    class Odd:
        def say(self, situations: Sequence[Situation], world: World) -> Any:
            return said

    with pytest.raises(MtbenchError, match=r"Odd\.say must return one text for each of 1 situations"):
        talk("badce", Opening("x", "a", "c"), Odd())


@pytest.mark.parametrize("manner", [{"turns": 0}, {"turns": 51}, {"patience": 1.5}, {"change_of_mind": -1}])
def test_a_manner_out_of_range_is_refused(manner: Any) -> None:
    with pytest.raises(MtbenchError, match="--" + next(iter(manner)).replace("_", "-")):
        Manner(**manner)


# A simulation on disk


def test_a_simulation_is_the_same_bytes_again_and_is_read_where_it_is_there(shoebox: Path, tmp_path: Path) -> None:
    settings = SimulateSettings(simulator="template", dialogues=20, manner=Manner(turns=3))
    benchmark = load(shoebox / "out")
    first = simulate("bm25", benchmark, tmp_path / "one", settings)
    second = simulate("bm25", benchmark, tmp_path / "two", settings)
    (one,), (two,) = (list((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert one.name == two.name == f"bm25-template-{first['key'][:8]}"
    for name in ("dialogues.jsonl", "turns.parquet"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert {**first, "environment": 0} == {**second, "environment": 0}
    stamp = (one / "simulation.json").stat().st_mtime_ns
    assert simulate("bm25", benchmark, tmp_path / "one", settings)["key"] == first["key"]
    assert (one / "simulation.json").stat().st_mtime_ns == stamp
    other = simulate("bm25", benchmark, tmp_path / "one", replace(settings, simulator="template,n=1"))
    assert other["key"] != first["key"]


def test_turns_on_disk_say_what_the_record_says(shoebox: Path, tmp_path: Path) -> None:
    settings = SimulateSettings(simulator="attributes", dialogues=15, manner=Manner(turns=2))
    record = simulate("bm25", load(shoebox / "out"), tmp_path, settings)
    (folder,) = tmp_path.iterdir()
    turns = pq.read_table(folder / "turns.parquet").to_pandas()
    first = turns[turns["turn"] == 1]
    assert len(first) == record["n"] == 15
    assert first["percentile"].mean() == pytest.approx(record["rows"][0]["percentile"])
    assert record["simulator"]["name"] == "attributes" and record["proxy"] == "caption"


def test_dialogues_about_the_train_part_are_of_the_train_part(shoebox: Path, tmp_path: Path) -> None:
    settings = SimulateSettings(simulator="relevance", dialogues=4, manner=Manner(turns=2), split="train")
    simulate("random", load(shoebox / "out"), tmp_path, settings)
    rows = [json.loads(row) for row in next(tmp_path.glob("*/dialogues.jsonl")).open()]
    assert {row["split"] for row in rows} == {"train"}


def test_dialogues_of_two_seeds_can_be_put_into_one_benchmark(letters: Path, tmp_path: Path) -> None:
    names = []
    for seed in (0, 1):
        settings = SimulateSettings(simulator="relevance", dialogues=8, manner=Manner(turns=2, seed=seed))
        found = simulate("random", load(letters), tmp_path, settings)
        rows = (folder_of(tmp_path, found) / "dialogues.jsonl").read_text().splitlines()
        names.append({json.loads(row)["id"] for row in rows})
    assert [len(some) for some in names] == [8, 8]
    assert not names[0] & names[1]


def test_a_simulation_is_another_after_features_or_files_changed(letters: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    (tmp_path / "mine.py").write_text(
        "from mtbench.users.relevance import Relevance\n\n\n"
        "class Reads(Relevance):\n    features = 'own'\n\n    def __init__(self, *, file: str = '') -> None:\n"
        "        self.file = file\n"
    )
    settings = SimulateSettings(
        simulator=f"{tmp_path / 'mine.py'}:Reads,file={weights}",
        dialogues=2,
        manner=Manner(turns=1),
        features="theirs",
    )
    keys = []

    def run() -> None:
        keys.append(simulate("last-turn", load(letters), tmp_path / "out", settings)["key"])

    def encoded(name: str, dims: int) -> None:
        encoder = build_encoder("tfidf", {"dims": dims})
        encode(load(letters), encoder, name, spec="tfidf", overwrite=True, progress=False)

    weights.write_text("one")
    for name in ("own", "theirs"):
        encoded(name, 8)
    run()
    run()
    assert keys[0] == keys[1]
    for change in ("own", "theirs"):
        encoded(change, 4)
        run()
    weights.write_text("two")
    run()
    assert len(set(keys)) == 4


# Users


def test_a_user_knows_how_images_look_for_certain_and_not_which_ones_answer_a_dialogue(shoebox: Path) -> None:
    benchmark = load(shoebox / "out")
    known = talker(benchmark, SimulateSettings(simulator="attributes")).world.truth()
    assert benchmark.truth is not None and benchmark.truth.dialogues
    assert known == Truth(benchmark.truth.attributes, {})


def test_wishes_are_what_differs() -> None:
    assert wishes({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}) == [Wish("b", "2", "3"), Wish("c", None, "4")]


def test_the_user_of_attributes_says_more_and_less() -> None:
    images = images_of("st", s=["striped", "short"], t=["floral", "short"])
    said = Attributes(n=10).say([Situation("x", "t", "s"), Situation("x", "t", "t")], world_of(images))
    assert said == ["more floral, less striped", "nothing to change"]


@pytest.mark.parametrize("user", [Attributes(), Template()])
def test_users_of_attributes_need_attributes(user: Any) -> None:
    with pytest.raises(MtbenchError, match="no image of the benchmark has any"):
        user.say([Situation("x", "t", "s")], world_of(images_of("st")))
    with pytest.raises(ValueError, match="1 or more"):
        type(user)(n=0)


def test_the_template_speaks_english() -> None:
    told = [
        [Wish("heel height", "high", "flat")],
        [Wish("colour", "red", "blue"), Wish("heel shape", None, "block")],
        [Wish("category", "rain_boots", "pumps"), Wish("strap", "t-strap", "ankle")],
        [Wish("floral", "", None), Wish("striped", None, "")],
        [Wish("lace", None, ""), Wish("long sleeve", "", None)],
        [Wish("beach", None, ""), Wish("light", "", None)],
    ]
    said = [{sentence(some, np.random.default_rng(seed)) for seed in range(200)} for some in told]
    assert {"Something like this, but with a high heel instead of a flat one.", "has a high heel"} <= said[0]
    assert {"It should be in red instead of blue and have no block heel."} <= said[1]
    assert {"The same, but rain boots instead of pumps, with a t-strap."} <= said[2]
    assert {"is more floral and not striped", "It should be more floral and not striped."} <= said[3]
    assert {"I want one that is not in lace and has a long sleeve."} <= said[4]
    assert {"Like this one, but lighter and with less of a beach look."} <= said[5]
    assert all(len(variants) >= 9 for variants in said)


def test_the_template_names_a_few_differences_and_none_twice(shoebox: Path) -> None:
    names = ["v-neck", "deep v neck", "sleeve", "long sleeves", "dark"]
    images = images_of("st", s=names)
    situations = [Situation("x", "t", "s", seed=seed) for seed in range(60)]
    said = Template(n=5).say(situations, world_of(images))
    assert all(text.lower().count("neck") <= 1 and text.count("sleeve") <= 1 for text in said)
    assert Template().say([Situation("x", "t", "t")], world_of(images)) == [NOTHING]
    talks = talker(load(shoebox / "out"), SimulateSettings(simulator="template"))
    user, world = talks.user, talks.world
    (shoes,) = world.galleries.values()
    asked = [Situation("shoebox", shoes[0], shoes[n], seed=n) for n in range(1, 20)]
    texts = user.say(asked, world)
    assert texts == list(user.say(asked, world))
    assert not [
        text for text in texts if "_" in text or "  " in text or "None" in text or re.search(r"\ba [aeio]", text)
    ]


def test_a_few_words_of_english() -> None:
    assert [an(word) for word in ("open toe", "uniform", "ankle strap", "zip")] == [
        *("an open toe", "a uniform", "an ankle strap", "a zip")
    ]
    assert [listed(list(words)) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert [more(word) for word in ("floral", "soft", "loose", "slim", "belted")] == [
        *("more floral", "softer", "looser", "slimmer", "belted")
    ]


def test_the_nearest_pair_is_replayed_and_of_equals_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = {"a": [1, 0], "b": [0, 1], "c": [0.8, 0.6], "s": [2, 0], "t": [0, 3], "zero": [0, 0]}
    turns = [
        ("x", Turn("b", ("is wrong",), "a")),
        ("x", Turn("c", ("is near",), "b")),
        ("x", Turn("a", ("is red", "is long"), "b")),
        ("x", Turn("a", ("comes later",), "b")),
        ("y", Turn("a", ("is of another category",), "b")),
    ]
    world = world_of(images_of(list(vectors)), vectors, turns)
    user = NearestPair()
    assert user.learn(world) == {"pairs": {"x": 4, "y": 1}}
    asked = [Situation("x", "t", "s"), Situation("x", "s", "t"), Situation("x", "zero", "zero")]
    for at_once in (8192, 1):  # in blocks it is the same
        monkeypatch.setattr("mtbench.users.nearest_pair.PAIRS_AT_ONCE", at_once)
        monkeypatch.setattr("mtbench.users.nearest_pair.SITUATIONS_AT_ONCE", at_once)
        assert user.say(asked, world) == ["is red and is long", "is wrong", "is wrong"]
    with pytest.raises(MtbenchError, match=r"no turns of 'z'; it has: x, y"):
        user.say([Situation("z", "t", "s")], world)
    with pytest.raises(MtbenchError, match="which has no turns"):
        NearestPair().learn(world_of(images_of("ab"), vectors))


@pytest.mark.parametrize("at_once", [8192, 7, 1])
def test_of_pairs_that_are_as_near_but_for_the_last_bits_the_first_is_replayed_in_blocks_of_any_size(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    vectors: dict[str, Any] = {}
    for n in range(40):  # two images that look the same in each of three pairs; of the third the last bits differ
        looks = rng.normal(size=(2, 301))
        for copy, scale in (("a", 1), ("b", 1), ("c", 1 + 1e-5 * rng.normal(size=(2, 301)))):
            vectors |= zip((f"r{n}{copy}", f"t{n}{copy}"), looks * scale, strict=True)
    vectors |= {f"{side}{n}asked": vectors[f"{side}{n}c"] for n in range(40) for side in "rt"}
    turns = [("x", Turn(f"r{n}{copy}", (f"{n}{copy}",), f"t{n}{copy}")) for copy in "abc" for n in range(40)]
    world = world_of(images_of(list(vectors)), vectors, turns)
    monkeypatch.setattr("mtbench.users.nearest_pair.PAIRS_AT_ONCE", at_once)
    monkeypatch.setattr("mtbench.users.nearest_pair.SITUATIONS_AT_ONCE", at_once)
    user = NearestPair()
    user.learn(world)
    asked = [Situation("x", f"t{n}asked", f"r{n}asked") for n in range(40)]
    assert user.say(asked, world) == [f"{n}a" for n in range(40)]  # the cosine with a is 1 - 5e-11


def test_relevance_compares_with_the_best_image_before() -> None:
    images = images_of(["t", "none", "one", "two"], t=["a", "b", "c"], none=["z"], one=["a"], two=["a", "b"])
    world = world_of(images)
    user = Relevance()

    def said(*shown: str) -> str:
        return user.say([Situation("x", "t", shown[-1], shown[:-1], ("",) * len(shown[:-1]))], world)[0]

    assert said("one") == "start"
    assert said("one", "two") == "closer"
    assert said("one", "two", "one") == "not closer"  # closer than some, but not than the best
    assert said("one", "one") == "not closer"


def test_relevance_looks_at_features_where_there_are_no_traits() -> None:
    vectors = {"t": [1, 0], "far": [0, 1], "near": [3, 1]}
    world = world_of(images_of(list(vectors)), vectors)
    asked = [Situation("x", "t", "near", ("far",), ("",)), Situation("x", "t", "far", ("near",), ("",))]
    assert Relevance().say(asked, world) == ["closer", "not closer"]


# Models


def test_whittle_search_counts_the_constraints_that_are_met() -> None:
    words = {"ref": ["striped", "long"], "a": ["floral"], "b": ["floral", "striped"], "c": ["long"], "d": []}
    images = images_of(list(words), **words)
    catalogue = Catalogue(images, words="attributes")
    # more floral: a b. less striped than ref: a c d.
    history = History("x", ("ref",), ("more floral, less striped",))
    assert WhittleSearch().score([history], list("abcd"), catalogue).tolist() == [[2, 1, 1, 1]]
    # A second turn about d: more long than d: c. It adds up, and the first turn stays about ref.
    both = History("x", ("ref", "d"), ("more floral, less striped", "more long"))
    assert WhittleSearch().score([both], list("abcd"), catalogue).tolist() == [[2, 1, 2, 1]]
    assert catalogue.proxy == "attributes"


def test_whittle_search_is_relative_to_the_reference_of_the_turn() -> None:
    words = {"some": ["floral"], "most": ["floral", "floral print"], "none": ["plain"]}
    catalogue = Catalogue(images_of(list(words), **words), words="attributes")
    model, gallery = WhittleSearch(), ["some", "most", "none"]

    def scores(reference: str, text: str) -> list[float]:
        found: list[float] = model.score([History("x", (reference,), (text,))], gallery, catalogue)[0].tolist()
        return found

    assert scores("none", "more floral") == [1, 1, 0]
    assert scores("some", "more floral") == [0, 1, 0]
    assert scores("most", "more floral") == [0, 1, 0]  # nothing has more: who has as much
    assert scores("most", "less floral") == [1, 0, 1]
    assert scores("none", "less floral") == [0, 0, 1]  # nothing has less: who has none
    assert scores("none", "more purple") == [0, 0, 0]  # nobody knows the word


def test_whittle_search_reads_captions_where_there_are_no_attributes_and_never_the_truth() -> None:
    images = {
        name: Image(name, "x", text) for name, text in {"r": "a blue shoe", "a": "a red shoe", "b": "a boot"}.items()
    }
    catalogue = Catalogue(images, truth=lambda: pytest.fail("it read the truth"))
    found = WhittleSearch().score([History("x", ("r",), ("is redder and no boot",))], ["a", "b"], catalogue)
    assert found.tolist() == [[2, 0]]
    assert catalogue.proxy == "caption"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("more floral, less striped", {"floral": True, "striped": False}),
        ("is floral and not striped", {"floral": True, "striped": False}),
        ("without stripes or dots but with a long sleeve", {"stripe": False, "dots": False, "long sleeve": True}),
        ("a flat heel instead of a high one and a bow", {"flat": True, "heel": True, "high": False, "bow": True}),
        ("rather than a bow, dots", {"bow": False, "dots": True}),
        ("It isn't long. Floral!", {"long": False, "floral": True}),
        ("darker, with no long sleeves", {"dark": True, "long sleeve": False}),
        ("closer", {}),
        ("", {}),
    ],
)
def test_constraints_are_read_from_free_text(text: str, found: dict[str, bool]) -> None:
    words = Words({"floral", "striped", "stripe", "dots", "long", "long sleeve", "flat", "high", "heel", "bow", "dark"})
    assert dict(constraints(text, words)) == found


def test_ties_of_whittle_search_stay_ties_unless_they_are_drawn() -> None:
    names = [f"i{n}" for n in range(20)]
    catalogue = Catalogue(images_of(names))
    histories = [History("x", ("i0",), (text,)) for text in ("more purple", "more pink")]
    assert not WhittleSearch().score(histories, names, catalogue).any()
    drawn = WhittleSearch(ties="random").score(histories, names, catalogue)
    assert len(np.unique(drawn)) == 40 and drawn.max() < 1
    again = WhittleSearch(ties="random").score(histories[1:], names[::-1], catalogue)
    assert again[0, ::-1].tolist() == drawn[1].tolist()  # whatever is beside, in whatever order
    assert (WhittleSearch(ties="random", seed=1).score(histories, names, catalogue) != drawn).all()


def test_rocchio_is_drawn_to_what_was_closer_and_away_from_what_was_not() -> None:
    vectors = {"first": [1, 0, 0], "good": [0, 2, 0], "bad": [0, 0, 5], "better": [0, 1, 0]}
    catalogue = Catalogue(images_of(list(vectors)), features=lambda: Vectors(vectors))
    images = ("first", "good", "bad", "better")

    def query(*said: str) -> list[float]:
        history = History("x", images[: len(said)], said)
        found: list[float] = Rocchio().embed_histories([history], catalogue)[0].tolist()
        return found

    assert query("start") == [1, 0, 0]
    assert query("start", "closer") == pytest.approx([1, 0.75, 0])
    assert query("start", "Closer.", "not closer") == pytest.approx([1, 0.75, -0.15])
    assert query("start", "closer", "not closer", "closer") == pytest.approx([1, 0.75, -0.15])  # means
    assert query("is red", "is long") == pytest.approx([1.375, 0.375, 0])  # other words count as positive
    with pytest.raises(ValueError, match="0 or more"):
        Rocchio(gamma=-1)


# Differences between models that met the same users


def test_saved_turns_have_the_percentiles_of_the_record_also_for_who_left_or_wants_something_else(shoebox, tmp_path):
    manner = Manner(turns=4, patience=0.7, change_of_mind=0.3)
    settings = SimulateSettings(simulator="attributes", dialogues=40, manner=manner)
    found = simulate("whittle-search", load(shoebox / "out"), tmp_path, settings)
    values, targets = percentiles(folder_of(tmp_path, found), found)
    assert values.mean(axis=0) == pytest.approx([row["percentile"] for row in found["rows"]], abs=1e-12)
    assert len(set(targets)) == found["clusters"]


def test_a_difference_is_paired_by_target_and_seed_and_tested_by_target() -> None:
    first = np.array([[0.9, 0.7], [0.8, 0.8], [0.6, 0.8]])
    second = np.array([[0.8, 0.6], [0.7, 0.7], [0.5, 0.7]])
    one, other = differences([(first, second), (first, first[:, :1])], ["a", "a", "b"])
    assert one["gain"] == pytest.approx(0.1)
    assert one["interval"] == pytest.approx([0.1, 0.1])  # whichever dialogue and seed is drawn
    assert one["p"] == 0.5  # two clusters: both signs of the whole are as far off, of four
    assert other["gain"] == pytest.approx(0.0)  # seeds 0.7667 and 0.7667 against the one
    assert (one["p_holm"], other["p_holm"]) == (1.0, 1.0)


def test_the_interval_of_a_difference_is_that_of_all_draws_of_targets_and_seeds() -> None:
    gain = np.array([[0.6, 0.2], [0.3, 0.1], [0.0, 0.3], [-0.1, -0.3]])  # the first three look for the same
    pair = gain + 0.5, np.full((4, 2), 0.5)
    (found,) = differences([pair], ["a", "a", "a", "b"])
    rows = {"a": [0, 1, 2], "b": [3]}
    drawn = []
    for targets in product("ab", repeat=2):
        means = gain[[row for target in targets for row in rows[target]]].mean(axis=0)
        for seeds in product((0, 1), repeat=2):  # two of two seeds: what is drawn varies by half of what it should
            drawn.append(means.mean() + 2**0.5 * (means[list(seeds)].mean() - means.mean()))
    assert len(drawn) == 16  # as likely each, so that the ends of 95% are the least and the most
    assert found["interval"] == pytest.approx([min(drawn), max(drawn)])
    assert found["gain"] == pytest.approx(gain.mean()) == pytest.approx(1.1 / 8)


def test_the_p_of_a_difference_is_the_share_of_all_signs_of_targets_and_of_the_means_over_seeds() -> None:
    gain = np.array([[0.6, 0.0], [0.3, 0.1], [0.2, -0.6], [0.1, 0.2], [0.4, -0.1]])
    (found,) = differences([(gain + 0.5, np.full((5, 2), 0.5))], ["a", "a", "b", "c", "d"])
    # Sums of means over seeds: a 0.5, b -0.2, c 0.15, d 0.15. Of their 16 signs as far from 0 as 0.6 are, both ways:
    # those of 1.0; of 0.7 twice, c or d turned; of 0.6 itself.
    sums = [abs(np.dot(signs, [0.5, -0.2, 0.15, 0.15])) for signs in product((1, -1), repeat=4)]
    assert sum(one > 0.6 - 1e-9 for one in sums) == 8
    assert found["p"] == 8 / 16  # with the first seed alone all gain, which is 2 of 16


# The order of models over users


def record(model: str, user: str, *percentiles: float, **other: Any) -> dict[str, Any]:
    rows = [
        {"turn": n, "percentile": p, "percentile interval": [p - 0.1, p + 0.1]} for n, p in enumerate(percentiles, 1)
    ]
    known = {"benchmark": "b", "revision": "r", "split": "test", "dialogues": 9, "turns": len(rows), "patience": 1.0}
    more = {"change_of_mind": 0.0, "seed": 0, "options": {}, "trained": [], "n": 9}
    simulator = {"name": user, "options": {}, "source_sha256": ""}
    return {**known, **more, "model": model, "simulator": simulator, "rows": rows, **other}


SCORES = {
    "u": {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.7},
    "v": {"a": 0.8, "b": 0.9, "c": 0.6, "d": 0.5},
    "w": {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4},
}


def test_tau_is_that_of_scipy_for_each_pair_of_users() -> None:
    records = [record(m, user, value - 0.1, value + 0.1) for user, row in SCORES.items() for m, value in row.items()]
    found = order(records)
    assert found["models"] == list("abcd") and found["simulators"] == list("uvw")
    assert found["percentile"]["u"]["a"] == pytest.approx(0.9)
    for pair in found["pairs"]:
        one, other = ([SCORES[user][m] for m in "abcd"] for user in pair["simulators"])
        assert pair["tau"] == pytest.approx(kendalltau(one, other).statistic)
    assert [pair["simulators"] for pair in found["pairs"]] == [["u", "v"], ["u", "w"], ["v", "w"]]
    assert found["lowest"] == min(pair["tau"] for pair in found["pairs"])
    assert "4 models" in found["note"] and "few models" in found["note"]
    assert json.loads(json.dumps(found)) == found


def test_an_order_needs_every_model_with_every_user_on_the_same_dialogues() -> None:
    records = [record(m, user, value) for user, row in SCORES.items() for m, value in row.items()]
    with pytest.raises(MtbenchError, match="d: has not talked with w"):
        order(records[:-1])
    with pytest.raises(MtbenchError, match="differ in seed: 0, 1"):
        order([*records[:-1], {**records[-1], "seed": 1}])
    with pytest.raises(MtbenchError, match="not 4 and 1"):
        order(records[:4])
    own = order([record(m, f"my/{u}.py:{u}", n + k) for k, u in enumerate("UV") for n, m in enumerate(["a", "b.py:B"])])
    assert (own["models"], own["simulators"]) == (["a", "B"], ["U", "V"])  # as the other tables call them
    assert own["pairs"] == [{"simulators": ["U", "V"], "tau": None}]  # one pair of models is no order
    assert "of 1 pair of models, without an interval: 3 are the least" in own["note"]
    same = order([record(m, user, 0.5 if user == "u" else n) for user in "uv" for n, m in enumerate("abc")])
    assert same["pairs"] == [{"simulators": ["u", "v"], "tau": None}]


def test_models_that_do_not_listen_and_twins_say_nothing_of_users() -> None:
    scores = {"a": (1, 3), "b": (2, 1), "c": (3, 2), "deaf": (2.5, 2.5), "b again": (2, 1)}
    found = order([record(m, user, both[k]) for k, user in enumerate("uv") for m, both in scores.items()])
    assert found["models"] == ["a", "b", "c"]
    assert found["left_out"] == {"deaf": "the same with every user", "b again": "the same as b"}
    assert found["pairs"][0]["tau"] == pytest.approx(-1 / 3)  # of a, b, c one pair agrees and two do not
    assert found["note"].endswith("Left out: deaf (the same with every user), b again (the same as b).")


def test_a_picture_has_a_line_for_each_record_and_the_same_bytes_again(tmp_path: Path) -> None:
    records = [record(m, user, 0.4, value) for user, row in SCORES.items() for m, value in row.items()]
    for name in ("one.svg", "two.svg", "one.png"):
        draw(records, tmp_path / name)
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert text.count("FillBetweenPolyCollection") + text.count("PolyCollection_") >= len(records)
    with pytest.raises(MtbenchError, match=r"not as \.gif"):
        draw(records, tmp_path / "one.gif")
    with pytest.raises(MtbenchError, match="different benchmarks"):
        draw([*records, record("a", "u", 0.5, benchmark="c")], tmp_path / "no.svg")
    with pytest.raises(MtbenchError, match="no simulation"):
        draw([], tmp_path / "no.svg")


# From dialogues to a benchmark


def line(**changes: Any) -> str:
    turns = [{"reference": "a", "feedback": ["is red"]}, {"reference": "b", "feedback": ["is long", "has dots"]}]
    return json.dumps({"id": "1", "category": "x", "split": "test", "target": "c", "turns": turns, **changes})


def read(path: Path, *lines: str | bytes, **options: Any) -> Any:
    path.write_bytes(b"\n".join(one if isinstance(one, bytes) else one.encode() for one in lines))
    return DialoguesBuilder().read(path, **options)


def test_dialogues_become_sessions_whose_turns_lead_to_each_other(tmp_path: Path) -> None:
    found = read(tmp_path / "d.jsonl", line(), "", line(id="2", split="train", chat="ignored"))
    first = found.sessions[0]
    assert first.turns == (Turn("a", ("is red",), "b"), Turn("b", ("is long", "has dots"), "c"))
    assert found.session_splits == ["test", "train"]
    assert found.image_lists == {("test", "x"): ["a", "b", "c"], ("train", "x"): ["a", "b", "c"]}
    odd = read(tmp_path / "d.jsonl", line(target="a"))
    assert odd.sessions[0].flags == ("target-shown",)


def test_candidates_come_from_a_file(tmp_path: Path) -> None:
    names, by_category = tmp_path / "names.txt", tmp_path / "names.json"
    names.write_text("c\na\nz\n")
    by_category.write_text(json.dumps({"x": ["c", "z"], "y": ["q"]}))
    assert read(tmp_path / "d.jsonl", line(), candidates=names).image_lists == {("test", "x"): ["a", "c", "z"]}
    assert read(tmp_path / "d.jsonl", line(), candidates=by_category).image_lists == {("test", "x"): ["c", "z"]}
    with pytest.raises(MtbenchError, match="its target nowhere is no candidate"):
        read(tmp_path / "d.jsonl", line(target="nowhere"), candidates=names)
    with pytest.raises(MtbenchError, match="give a JSON object"):
        read(tmp_path / "d.jsonl", line(), line(id="2", category="y"), candidates=names)
    by_category.write_text(json.dumps({"x": ["c", "c", 3]}))
    with pytest.raises(MtbenchError, match="2 problems"):
        read(tmp_path / "d.jsonl", line(), candidates=by_category)


def test_everything_wrong_with_a_file_of_dialogues_is_said_at_once(tmp_path: Path) -> None:
    lines = [
        line(),
        line(),
        "{",
        "[]",
        line(id="3", split="tset"),
        line(id="4", target=None),
        line(id="5", turns=[]),
        line(id="6", turns=[{"reference": "a", "feedback": []}]),
        line(id="7", turns=[{"reference": "a", "feedback": "is red"}]),
        line(id="8", turns=["a"]),
        line(id="9\u001b[2J"),
        line(id="10", target="c\u202e"),
        line(id="11", turns=[{"reference": "a", "feedback": ["is\u0000red"]}]),
        line(id="12", category="x" * 400),
        b'{"id": "\xff"}',
        "[" * 100_000,
        '{"id": "\\ud800"}',
        line(id="13", turns=[{"reference": "a", "feedback": ["x"]}] * 51),
        line(id="14", turns=[{"reference": "a", "feedback": ["x" * 3000]}]),
        b"x" * ((1 << 20) + 9),
        '{"id": ' + "9" * 5000 + "}",
        line(id=" 15"),
    ]
    with pytest.raises(MtbenchError) as refused:
        read(tmp_path / "d.jsonl", *lines)
    text = str(refused.value)
    told = {int(number) for number in re.findall(r"^  line (\d+)", text, re.MULTILINE)}
    total = int(re.search(r"(\d+) problems", text)[1])  # type: ignore[index]
    assert total == 21
    assert told <= set(range(2, 23)) and {2, 3, 4, 5} <= told
    assert "\x1b" not in text and "\u202e" not in text and "\x00" not in text
    with pytest.raises(MtbenchError, match="holds no dialogue"):
        read(tmp_path / "d.jsonl", "")
    with pytest.raises(MtbenchError, match="is no file"):
        DialoguesBuilder().read(tmp_path / "nowhere")


def test_what_a_simulation_writes_can_be_built(tmp_path: Path) -> None:
    write_lines(tmp_path / "d.jsonl", lines_of(talk("badce", Opening("x", "a", "c"), turns=3)))
    found = DialoguesBuilder().read(tmp_path / "d.jsonl")
    assert found.sessions[0].images == ("a", "b", "d", "c")
    assert found.sessions[0].turns[0].feedback == ("not a",)


# As typed


def printed(*words: object) -> str:
    found = CliRunner().invoke(main, [str(word) for word in words], prog_name="mtbench")
    assert found.exit_code == 0, found.output
    return found.stdout


def refused(*words: object) -> str:
    found = CliRunner().invoke(main, [str(word) for word in words], prog_name="mtbench")
    assert isinstance(found.exception, SystemExit), found.exception  # anything else is a traceback
    assert found.exit_code == 2 and found.stderr.count("mtbench:") == 1
    return found.stderr


def test_simulate_build_and_evaluate_as_typed(shoebox: Path, tmp_path: Path) -> None:
    benchmark, out = shoebox / "out", tmp_path / "simulations"
    users = ["--simulator", "attributes", "--simulator", "relevance", "--simulator", "nearest-pair"]
    options = ["--benchmark", benchmark, "--dialogues", 20, "--turns", 3, "--out", out]
    text = printed("simulate", "rocchio", "whittle-search", *options, *users, "--picture", tmp_path / "turns.svg")
    assert len(re.findall(r"^(?:rocchio|whittle-search) ", text, re.MULTILINE)) == 6 + 3
    heads = (
        "20 dialogues of up to 3 turns, seed 0",
        "turn 3",
        "hits@10",
        "95% interval",
        "after turn 3 over rocchio",
        "tau",
    )
    for words in (*heads, str(out)):
        assert words in text
    assert (tmp_path / "turns.svg").stat().st_size > 1000
    found = json.loads(printed("simulate", "rocchio", "whittle-search", *options, *users, "--json"))
    assert len(found["simulations"]) == 6 and len(found["order"]["pairs"]) == 3
    assert [row["over"] for row in found["against_first"]] == ["rocchio"] * 3
    assert len(list(out.iterdir())) == 6

    dialogues = next(out.glob("rocchio-attributes-*")) / "dialogues.jsonl"
    captions = ["--image-captions", shoebox / "raw" / "image_captions.json"]
    printed("build", "dialogues", "--raw", dialogues, "--out", tmp_path / "talk", *captions)
    assert "bm25" in printed("evaluate", "bm25", "--benchmark", tmp_path / "talk")
    assert (tmp_path / "talk" / "results").is_dir()


def test_models_and_users_in_files_of_their_own_and_one_option_each(letters: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        MODELS + "\n\nclass Shouts:\n    def __init__(self, *, word: str = 'no') -> None:\n        self.word = word\n\n"
        "    def say(self, situations, world):\n        return [self.word for _ in situations]\n"
        "\n\nclass Mute(Shouts):\n    def say(self, situations, world):\n        return []\n"
        "\n\nclass Broken(Shouts):\n    def say(self, situations, world):\n        return 1 / 0\n"
    )
    mine, where = f"{tmp_path / 'mine.py'}:", ["--benchmark", letters, "--dialogues", "6", "--turns", "2"]
    told = ["--set", "best=jihgfedcbasrqponmlk", "--patience", "0.5"]
    text = printed("simulate", mine + "Order", *where, "--simulator", mine + "Shouts,word=yes", *told)
    assert re.search(r"^Order +Shouts ", text, re.MULTILINE) and "patience 0.5" in text
    (folder,) = (letters / "simulations").iterdir()  # beside the results by default
    assert {
        turn["feedback"][0] for row in (folder / "dialogues.jsonl").open() for turn in json.loads(row)["turns"]
    } == {"yes"}
    assert "must return one text" in refused("simulate", "random", *where, "--simulator", mine + "Mute")
    assert "ZeroDivisionError" in refused("simulate", "random", *where, "--simulator", mine + "Broken")
    assert "is no simulator" in refused("simulate", "random", *where, "--simulator", mine + "Order")


def test_what_a_user_learned_and_who_still_talks_is_told_under_the_table(letters: Path) -> None:
    where = ["--benchmark", letters, "--dialogues", "6", "--turns", "2"]
    text = printed("simulate", "random", *where, "--simulator", "nearest-pair", "--patience", "0")
    assert re.search(r"^nearest-pair learned: pairs \(\w+ \d+.*\)$", text, re.MULTILINE)
    talking = text[text.index("Still talking") :]
    assert re.search(r"^random +nearest-pair +6 +0$", talking, re.MULTILINE)
    patient = printed("simulate", "random", *where, "--simulator", "relevance")
    assert "talking" not in patient and "learned:" not in patient
    found = {"sentences": 1234, "n": 1000, "BLEU-4": 0.123, "ROUGE-L": 0.4, "percentile by words": 0.755}
    found |= {"percentile by words interval": [0.74, 0.77], "percentile by words of people": 0.7}
    assert learned_line("captioner", {**found, "percentile by words interval of people": [0.6, 0.8]}) == (
        "captioner learned: sentences 1,234, BLEU-4 12.3, ROUGE-L 40.0, its words alone put the target at "
        "percentile 75.5 [74.0, 77.0] of 1,000 dev pairs, those of people at 70.0 [60.0, 80.0], chance 50"
    )
    assert learned_line("mine", {"n": 3, "rate": 0.5}) == "mine learned: n 3, rate 0.5"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--simulator", "tempalte"], "Did you mean 'template'?"),
        (["--simulator", "template"], "no image of the benchmark has any"),
        (["--simulator", "relevance,n=1"], "no such option"),
        (["--simulator", "relevance", "--turns", "0"], "--turns must be between 1 and 50"),
        (["--simulator", "relevance", "--patience", "2"], "--patience must be between 0 and 1"),
        (["--simulator", "relevance", "--dialogues", "0"], "--dialogues must be 1 or more"),
        (["--simulator", "relevance", "--seed", "-1"], "--seed must be 0 or more"),
        (["--simulator", "relevance", "--split", "tset"], "has no gallery for tset"),
        (["--simulator", "relevance", "--picture", "turns.gif"], "not as .gif"),
        (["--simulator", "llm"], "url: must be given"),
        (["--simulator", "llm,url=x,model=m"], "url must be an address"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_a_line(letters: Path, words: list[str], message: str) -> None:
    assert message in refused("simulate", "random", "--benchmark", letters, *words)


def test_what_was_searched_lies_beside_the_dialogues_so_that_they_can_be_built_again(
    shoebox: Path, tmp_path: Path
) -> None:
    box = shoebox / "out"
    made = CliRunner().invoke(
        main,
        [
            "simulate",
            "bm25",
            "--benchmark",
            str(box),
            "--simulator",
            "attributes",
            "--dialogues",
            "8",
            "--turns",
            "3",
            "--out",
            str(tmp_path / "out"),
        ],
    )
    assert made.exit_code == 0, made.output
    (folder,) = (path.parent for path in (tmp_path / "out").glob("*/simulation.json"))
    again = ["build", "dialogues", "--raw", str(folder / "dialogues.jsonl"), "--out", str(tmp_path / "spoken")]
    again += ["--candidates", str(folder / "candidates.json"), "--min-turns", "1"]
    built = CliRunner().invoke(main, [*again, "--image-captions", str(folder / "image_captions.json")])
    assert built.exit_code == 0, built.output
    old, new = load(box), load(tmp_path / "spoken")
    assert new.gallery("test", "shoebox").image_ids == old.gallery("test", "shoebox").image_ids
    assert len(new.transactions("test")) == 8
    assert all(image.caption for image in new.images.values())
