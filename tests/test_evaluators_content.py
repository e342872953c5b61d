"""Evaluators that ask what a ranking is made of: the history, old requests, the gallery, time, many targets."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from letters import TABLE, build_letters
from tiny import write_tiny_benchmark

from mtbench.core.errors import MtbenchError
from mtbench.core.types import History, Transaction, Turn
from mtbench.data.benchmark import Benchmark
from mtbench.data.truth import Dialogue, Truth
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.evaluators.changes import changed, shuffled
from mtbench.evaluation.evaluators.counterfactual import Counterfactual
from mtbench.evaluation.evaluators.gallery_prior import GalleryPrior
from mtbench.evaluation.evaluators.known_queries import CUTS, KnownQueries
from mtbench.evaluation.evaluators.latency import Latency
from mtbench.evaluation.evaluators.multi_target import MultiTarget
from mtbench.evaluation.evaluators.relevance import Relevant, average_precision, recall, success
from mtbench.evaluation.evaluators.requests import mention, tokens
from mtbench.evaluation.evaluators.retention import Retention
from mtbench.evaluation.inputs import Settings
from mtbench.evaluation.ranked_file import RankedFile
from mtbench.evaluation.ranker import Ranker
from mtbench.evaluation.runs import Ranking, write_run
from mtbench.evaluation.study import NotAvailableError, Study
from mtbench.models.protocol import BLANK, Catalogue


class Named:
    """Scores an image by how often the feedback of any turn names it."""

    def score(self, histories: Any, image_ids: Any, catalogue: Any) -> np.ndarray:
        said = [Counter(word for text in history.feedback for word in text.split()) for history in histories]
        return np.array([[counts[image] for image in image_ids] for counts in said], np.float32)


class LastOnly:
    """An embedding model of the last turn: each image and text has a vector of its own."""

    similarity = "cosine"

    def embed_images(self, image_ids: Any, catalogue: Any) -> np.ndarray:
        return np.stack([self.vector(image) for image in image_ids])

    def embed_histories(self, histories: Any, catalogue: Any) -> np.ndarray:
        return np.stack([self.vector(h.references[-1]) + self.vector(h.feedback[-1]) for h in histories])

    def vector(self, name: str) -> np.ndarray:
        return np.random.default_rng(list(name.encode())).normal(size=8).astype(np.float32)


class Table:
    """Scores that are given: (n, G), by transaction."""

    def __init__(self, study: list[Transaction], scores: np.ndarray) -> None:
        self.row = {t.history(joiner=" and "): row for row, t in enumerate(study)}
        self.scores = np.asarray(scores, np.float32)

    def score(self, histories: Any, image_ids: Any, catalogue: Any) -> np.ndarray:
        blank = np.zeros(len(image_ids), np.float32)
        return np.stack([self.scores[self.row[h]] if h in self.row else blank for h in histories])


def dialogue(name: str, images: str, *says: str) -> Transaction:
    """Over the images in order, the last one being the target."""
    shown = images.split()
    turns = tuple(Turn(a, (text,), b) for a, b, text in zip(shown[:-1], shown[1:], says, strict=True))
    return Transaction(f"dress.test.{name}", "dress", turns)


def written(folder: Path, test: list[Transaction], more: str = "", **options: Any) -> Benchmark:
    """A benchmark of these dialogues, whose gallery has ``more`` images beside theirs."""
    images = sorted({image for t in test for image in t.images} | set(more.split()))
    captions = {"test": dict.fromkeys(images, "a dress"), "train": {"x": "a dress"}, "dev": {"y": "a dress"}}
    return write_tiny_benchmark(folder / "benchmark", transactions={"test": test}, captions=captions, **options)


def study_of(model: Any, benchmark: Benchmark, *, depth: int = 100, seed: int = 0) -> Study:
    transactions = benchmark.transactions("test")
    galleries = {t.category: benchmark.gallery("test", t.category) for t in transactions}
    return Study(
        Ranker(model, galleries, Catalogue(benchmark.images), depth=depth), benchmark, "test", transactions, seed=seed
    )


def many(n: int = 30) -> list[Transaction]:
    """Dialogues of two to four turns, no two of which share an image, each naming its target in its first turn."""
    found = []
    for i in range(n):
        turns = 2 + i % 3
        images = " ".join(f"i{i}.{k}" for k in range(turns + 1))
        found.append(dialogue(f"{i:04}", images, f"find i{i}.{turns} now", *(f"is {i} {k}" for k in range(1, turns))))
    return found


def row_of(found: dict[str, Any], **labels: Any) -> dict[str, Any]:
    (row,) = [row for row in found["rows"] if all(row.get(name) == value for name, value in labels.items())]
    return row


# Counterfactuals


def test_what_each_change_takes_away_worked_out_by_hand(tmp_path: Path) -> None:
    test = [dialogue("a", "a1 a2 a3", "find a3", "please now"), dialogue("b", "b1 b2 b3", "find b3", "please now")]
    found = Counterfactual().run(study_of(Named(), written(tmp_path, test, "c1 c2 c3 c4")))
    # As it was, the target is the one image named: 1 and 1. Unnamed, it ties with the 10: 5/10 and 8/10.
    # With the wish of the other dialogue one image is above it, and it is one of 9: 4/9 and 7/9.
    nothing, unnamed, misled = (0, 0), (5 / 10 - 1, 8 / 10 - 1), (4 / 9 - 1, 7 / 9 - 1)
    expected = {
        **{(change, 0): nothing for change in ("drop", "shuffle", "swap", "blank text", "blank image")},
        **{("drop", 1): unnamed, ("shuffle", 1): nothing, ("swap", 1): misled, ("blank text", 1): unnamed},
        **{("blank image", 1): nothing, ("swap earlier", None): misled, ("drop earlier", None): unnamed},
    }
    assert {(r["change"], r["age"]): (r["R@5"], r["R@8"]) for r in found["rows"]} == {
        key: pytest.approx(value) for key, value in expected.items()
    }
    assert all(row["n"] == row["clusters"] == 2 for row in found["rows"])
    assert found["history_use_index"]["mean"] == pytest.approx((5 / 9 + 2 / 9) / 2)
    assert row_of(found, change="swap earlier")["HUI"] == found["history_use_index"]["mean"]


def test_a_model_of_the_last_turn_has_no_use_for_the_history(tmp_path: Path) -> None:
    found = Counterfactual().run(study_of(LastOnly(), written(tmp_path, many())))
    index = found["history_use_index"]
    assert index["n"] == 30
    for name in ("R@5", "R@8", "mean"):
        assert index[name] == 0
        assert index[f"{name} interval"] == [0, 0]
    older = [row for row in found["rows"] if row["age"]]
    assert {row["age"] for row in older} == {1, 2, 3}
    assert all(row["mean"] == 0 and row["mean interval"] == [0, 0] for row in older)
    assert row_of(found, change="blank text", age=0)["mean"] != 0


def test_a_model_that_reads_the_history_has_a_use_for_it(tmp_path: Path) -> None:
    index = Counterfactual().run(study_of(Named(), written(tmp_path, many())))["history_use_index"]
    # Of 120 images one is above the target, which is one of 119; or, after a longer dialogue, whose last turns name
    # nothing, it is one of 120.
    assert 1 - 5 / 120 < index["R@5"] < 1 - 4 / 119
    assert index["R@5 interval"][0] >= 1 - 5 / 120


def test_a_changed_history_differs_in_what_its_name_says(tmp_path: Path) -> None:
    study = study_of(Named(), written(tmp_path, many()))
    made = changed(study)
    by_id = {t.transaction_id: t for t in study.transactions}
    turn_of = {(turn.reference, turn.feedback[0]): t for t in study.transactions for turn in t.turns}
    assert set(made) == {
        *((c, age) for c in ("drop", "shuffle", "swap", "blank text", "blank image") for age in range(4)),
        *(("swap earlier", None), ("drop earlier", None)),
    }
    for (change, age), histories in made.items():
        assert len(histories) == (30 if age in (None, 0, 1) else 20 if age == 2 else 10)
        for name, history in histories.items():
            own = by_id[name].history(joiner=" and ")
            turns, now = (list(zip(h.references, h.feedback, strict=True)) for h in (own, history))
            if age is None:
                assert now[-1] == turns[-1]
                assert len(now) == (1 if change == "drop earlier" else len(turns))
                donors = {turn_of[turn].transaction_id for turn in now[:-1]}
                assert name not in donors
                assert len(donors) == (0 if change == "drop earlier" else 1)
                assert all(len(by_id[donor].turns) >= len(turns) for donor in donors)
                continue
            at = len(turns) - 1 - age
            if change == "drop":
                assert now == turns[:at] + turns[at + 1 :]
                continue
            assert [t for i, t in enumerate(now) if i != at] == [t for i, t in enumerate(turns) if i != at]
            reference, text = now[at]
            if change == "swap":
                donor = turn_of[reference, text]
                assert donor.target != by_id[name].target
                assert len(donor.turns) - 1 - [turn.reference for turn in donor.turns].index(reference) == age
            else:
                assert reference == (BLANK if change == "blank image" else turns[at][0])
                same = {"shuffle": sorted(text.split()) == sorted(turns[at][1].split()) and text != turns[at][1]}
                assert same.get(change, text == ("" if change == "blank text" else turns[at][1]))


def test_no_foreign_turn_shows_the_target_or_leads_to_it(tmp_path: Path) -> None:
    # b shows a's target and leads to it; c shares a turn with a; e has a's target. Only d's turns may go into a.
    test = [
        dialogue("a", "p q t", "one", "two"),
        dialogue("b", "r t s", "three", "four"),
        dialogue("c", "p q u", "one", "five"),
        dialogue("d", "v w x", "six", "seven"),
        dialogue("e", "y z t", "eight", "nine"),
    ]
    study = study_of(Named(), written(tmp_path, test))
    for seed in range(20):
        study.seed = seed
        made = changed(study)
        assert made["swap", 1]["dress.test.a"].references == ("v", "q")
        assert made["swap", 0]["dress.test.a"].feedback[1] in ("five", "seven")
        assert made["swap earlier", None]["dress.test.a"].feedback == ("six", "two")


def test_a_turn_of_another_age_is_taken_where_there_is_none_of_the_same(tmp_path: Path) -> None:
    test = [dialogue("a", "p q r t", "one", "two", "three"), dialogue("b", "v w x", "six", "seven")]
    made = changed(study_of(Named(), written(tmp_path, test)))
    assert made["swap", 2]["dress.test.a"].feedback[0] in ("six", "seven")
    assert list(made["swap earlier", None]) == ["dress.test.b"]  # no dialogue is as long as a


@given(st.text(alphabet="ab ", max_size=8), st.integers(0, 9))
def test_shuffled_words_are_the_same_words_in_another_order(text: str, seed: int) -> None:
    found = shuffled(text, np.random.default_rng(seed))
    if len(set(text.split())) < 2:
        assert found is None
    else:
        assert sorted(found.split()) == sorted(text.split())
        assert found.split() != text.split()


def test_at_each_age_so_many_dialogues_are_drawn_and_all_for_the_index(tmp_path: Path) -> None:
    found = Counterfactual(per_age=12).run(study_of(Named(), written(tmp_path, many())))
    assert {row["n"] for row in found["rows"] if row["age"] in (0, 1, 2)} == {12}
    assert {row["n"] for row in found["rows"] if row["age"] == 3} == {10}
    assert {row["n"] for row in found["rows"] if row["age"] is None} == {30}
    assert "At each age 12 dialogues at most, drawn." in found["notes"]


def test_a_change_that_the_features_cannot_read_is_left_out_and_said(tmp_path: Path) -> None:
    class Known(Named):
        def score(self, histories: Any, image_ids: Any, catalogue: Any) -> np.ndarray:
            texts = {turn.feedback[0] for t in many() for turn in t.turns} | {""}
            if not all(text in texts for history in histories for text in history.feedback):
                raise MtbenchError("no vector for a text")
            return super().score(histories, image_ids, catalogue)

    whole = Counterfactual(by_turns=True).run(study_of(Named(), written(tmp_path, many())))
    found = Counterfactual(by_turns=True).run(study_of(Known(), written(tmp_path, many())))
    assert "Left out: shuffle. no vector for a text" in found["notes"]
    assert found["rows"] == [row for row in whole["rows"] if row["change"] != "shuffle"]
    assert row_of(found, change="drop", age=2, turns=4)["n"] == 10


def test_an_error_that_has_nothing_to_do_with_a_change_is_no_note(tmp_path: Path) -> None:
    class Broken(Named):
        calls = 0

        def score(self, histories: Any, image_ids: Any, catalogue: Any) -> np.ndarray:
            self.calls += 1
            if self.calls > 1:
                raise MtbenchError("out of order")
            return super().score(histories, image_ids, catalogue)

    with pytest.raises(MtbenchError, match="out of order"):
        Counterfactual().run(study_of(Broken(), written(tmp_path, many())))


# Retention

ATTRIBUTES = {
    **{"a1": {"colour": "red", "hem": "short"}, "a2": {"colour": "red", "hem": "long"}},
    **{"a3": {"colour": "blue", "hem": "long"}, "a4": {"colour": "blue", "hem": "short"}},
}
COLOURED = [dialogue("a", "a1 a2 a3 a4", "is long", "is blue", "is short")]


def with_truth(benchmark: Benchmark, attributes: Any, dialogues: Any) -> Benchmark:
    benchmark.truth = Truth(attributes, dialogues)  # in the place of what is read from the disk
    return benchmark


def test_precision_of_old_requests_worked_out_by_hand(tmp_path: Path) -> None:
    more = " ".join(f"b{i:02}" for i in range(16))
    attributes = {**ATTRIBUTES, **{f"b{i:02}": {"colour": "blue" if i < 4 else "red", "hem": "no"} for i in range(16)}}
    requests = ({"hem": "long"}, {"colour": "blue"}, {"hem": "short"})
    benchmark = with_truth(written(tmp_path, COLOURED, more), attributes, {"dress.test.a": Dialogue(requests, ("a4",))})
    scores = np.array([[3, 0, 0, 5, *(2 if i in (0, 1, 7) else 1 if i > 8 else 0 for i in range(16))]])
    found = Retention().run(study_of(Table(COLOURED, scores), benchmark))
    # First five: a4 a1 b00 b01 b07; then b09 .. b13. The long hem was replaced: it is not asked for any more.
    assert [(row["age"], row["n"]) for row in found["rows"]] == [(0, 1), (1, 1)]
    hem, colour = found["rows"]
    assert (hem["precision@5"], hem["precision@10"], hem["base rate"]) == (2 / 5, 2 / 10, 2 / 20)
    assert (colour["precision@5"], colour["precision@10"], colour["base rate"]) == (3 / 5, 3 / 10, 6 / 20)
    assert colour["lift@5"] == pytest.approx(3 / 5 - 6 / 20)
    assert found["requests"] == "truth"


def test_going_back_asks_for_nothing_and_the_same_wish_twice_counts_where_it_was_last(tmp_path: Path) -> None:
    requests = ({"colour": "blue"}, {"hem": "short"}, {"colour": "blue"})
    benchmark = with_truth(written(tmp_path, COLOURED), ATTRIBUTES, {"dress.test.a": Dialogue(requests, ("a4",))})
    found = Retention().run(study_of(Named(), benchmark))
    assert [row["age"] for row in found["rows"]] == [0, 1]
    gone = {"dress.test.a": Dialogue(requests, ("a4",), kind="rollback")}
    with pytest.raises(NotAvailableError, match="finds no request for an attribute in the test part"):
        Retention().run(study_of(Named(), with_truth(benchmark, ATTRIBUTES, gone)))


def test_several_requests_of_one_turn_are_one_piece_of_evidence(tmp_path: Path) -> None:
    requests = ({}, {}, {"colour": "blue", "hem": "short"})
    benchmark = with_truth(written(tmp_path, COLOURED), ATTRIBUTES, {"dress.test.a": Dialogue(requests, ("a4",))})
    (row,) = Retention().run(study_of(Table(COLOURED, [[1, 0, 0, 2]]), benchmark))["rows"]
    assert (row["n"], row["precision@5"]) == (1, 1 / 2)  # all four images, two of which are blue, two short


@pytest.mark.parametrize(
    ("text", "phrase", "asks"),
    [
        ("is Red and long", "red", True),
        ("is redder", "red", None),
        ("has no red", "red", False),
        ("has no blue stripes", "stripes", False),
        ("is not red but blue", "blue", True),
        ("without sleeves, red", "red", True),
        ("isn't red", "red", False),
        ("isn\u2019t red", "red", False),
        ("less shiny more red", "red", True),
        ("no longer is it a long red one", "red", True),
        ("not red. Red sleeves", "red", True),
        ("has long sleeves", "long sleeves", True),
        ("is long with red sleeves", "long sleeves", None),
        ("has a v-neck", "v-neck", True),
    ],
)
def test_an_attribute_word_is_asked_for_unless_it_is_negated(text: str, phrase: str, asks: bool | None) -> None:
    assert mention(tokens(phrase), tokens(text)) is asks


def test_attribute_words_stand_in_where_there_is_no_truth(tmp_path: Path) -> None:
    words = {
        "a4": ["blue", "short", "lace", "pockets"],
        "a3": ["blue"],
        "a1": ["short", "pockets"],
    }  # nothing is known of a2
    test = [dialogue("a", "a1 a2 a3 a4", "is blue, pockets, without lace", "no stripes, lace, no pockets", "is short")]
    benchmark = written(tmp_path, test, attributes=words)
    found = Retention().run(study_of(Table(test, [[3, 4, 1, 5]]), benchmark))
    assert found["requests"] == "words"
    by_age = {row["age"]: row for row in found["rows"]}
    # All four are in the first five: of the three that are known blue has two, lace one, short two.
    assert {age: row["precision@5"] for age, row in by_age.items()} == pytest.approx({2: 2 / 3, 1: 1 / 3, 0: 2 / 3})
    assert all(row["lift@5"] == 0 and row["requests"] == "words" for row in found["rows"])


def test_a_ranking_of_which_nothing_is_known_counts_as_chance(tmp_path: Path) -> None:
    test = [dialogue("a", "a1 a2", "is blue"), dialogue("b", "a3 a4", "is blue")]
    more = [f"b{i}" for i in range(10)]
    benchmark = written(tmp_path, test, " ".join(more), attributes={"a2": ["blue"], "a4": ["blue"], "a1": ["short"]})
    # The first ranking has none but b0 .. b9, the second a1, a2, a3 and a4 before them.
    scores = [[0] * 4 + [1] * 10, [1] * 4 + [0] * 10]
    (row,) = Retention().run(study_of(Table(test, np.array(scores)), benchmark))["rows"]
    assert (row["n"], row["base rate"], row["precision@5"]) == (2, pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert row["lift@10"] == pytest.approx(0)


def test_retention_needs_to_know_attributes(tmp_path: Path) -> None:
    benchmark = written(tmp_path, COLOURED)
    with pytest.raises(NotAvailableError, match="needs true attributes or attribute words, and tiny has neither"):
        Retention().run(study_of(Named(), benchmark))


# What the gallery tells by itself


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_known_queries_removed_is_what_ranking_without_them_gives(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    test, benchmark = _chained(tmp_path_factory)
    images = benchmark.gallery("test", "dress").image_ids
    scores = np.array(data.draw(st.lists(st.integers(0, 50), min_size=len(images) * 3, max_size=len(images) * 3)))
    scores = scores.reshape(3, -1)
    study = study_of(Table(test, scores), benchmark)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtbench.evaluation.evaluators.known_queries._DEPTH", data.draw(st.sampled_from([5, 12, 100])))
        found = KnownQueries(study)
    known = {turn.reference for t in test for turn in t.turns}
    for row, t in enumerate(test):
        tied = study.positions.greater[row] + study.positions.equal[row]
        if study.positions.greater[row] <= len(found.heads[row]) < tied < len(images):
            continue  # a tie that the list cuts and that is not the last: known queries count by their share
        left = [column for column, image in enumerate(images) if image not in known or image == t.target]
        own = scores[row, images.index(t.target)]
        greater, equal = (scores[row, left] > own).sum(), (scores[row, left] == own).sum()
        for k in (5, 8):
            assert found.hits[f"R@{k}"][row] == pytest.approx(np.clip((k - greater) / equal, 0, 1))


_CHAINED: list[Any] = []


def _chained(factory: pytest.TempPathFactory) -> tuple[list[Transaction], Benchmark]:
    """Three dialogues among 30 images; the target of the first is shown in the second."""
    if not _CHAINED:
        test = [
            dialogue("a", "k00 k01 k02", "x", "y"),
            dialogue("b", "k02 k03 k04", "x", "y"),
            dialogue("c", "k05 k06 k07 k08", "x", "y", "z"),
        ]
        _CHAINED.extend([test, written(factory.mktemp("chained"), test, " ".join(f"k{i:02}" for i in range(30)))])
    return _CHAINED[0], _CHAINED[1]


def test_what_needs_no_query_worked_out_by_hand(tmp_path: Path) -> None:
    test = [dialogue("a", "k0 k1 k2", "find k2", "now"), dialogue("b", "k3 k4 k5", "find k5", "now")]
    images = [f"k{i}" for i in range(10)]
    benchmark = write_tiny_benchmark(
        tmp_path / "b",
        transactions={"test": test, "train": [dialogue("t", "k7 k9 k2", "x", "y")]},
        captions={
            "test": {image: "a dress" if image in ("k2", "k3", "k4") else None for image in images},
            "train": {"k2": "a dress", "k7": None, "k9": None},
        },
    )
    found = GalleryPrior().run(study_of(Named(), benchmark))
    expected = {
        "chance": (5 / 10, 8 / 10),
        # k2 has a caption, as 3 do: 1. k5 has none: (5 - 3) / 7 and (8 - 3) / 7.
        "has caption": ((1 + 2 / 7) / 2, (1 + 5 / 7) / 2),
        # k9 and k2 are targets in train, each once. k5 is not: (5 - 2) / 8 and (8 - 2) / 8.
        "train targets": ((1 + 3 / 8) / 2, (1 + 6 / 8) / 2),
        "blank query": (5 / 10, 8 / 10),
        "model": (1, 1),
        "model, known queries removed": (1, 1),
    }
    assert {row["ranking"]: (row["R@5"], row["R@8"]) for row in found["rows"]} == {
        name: pytest.approx(value) for name, value in expected.items()
    }
    # k0 k1 k3 k4 are known. Own ones aside, 2 of 7 are, and all 7 are listed.
    last = row_of(found, ranking="model, known queries removed")
    assert (last["gallery"], last["pool ratio"], last["suspicious"]) == (10, 10 / 6, "no")
    assert last["known@8"] == last["chance@8"] == pytest.approx(2 / 7)
    pool = {"gallery": 10, "known": 4, "known_targets": 0, "without_known": 6, "pool_ratio": 10 / 6}
    assert found["pools"] == {"overall": pool, "by_category": {"dress": pool}}
    # The first five of either dialogue, after its own: k3 k4 k5 k6 k7 and k0 k1 k2 k6 k7, the target aside.
    cuts = found["detector"]["overall"]["cuts"]
    assert [(cut["first"], cut["of"], cut["expected"]) for cut in cuts] == [
        (5, 10, pytest.approx(20 / 7)),
        (8, 14, pytest.approx(4)),
        (10, 14, pytest.approx(4)),
    ]
    assert [cut["found"] for cut in cuts] == [4, 4, 4]
    assert found["detector"]["by_category"] == {}  # there is one category only


def test_no_category_takes_the_place_of_all_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("all", "overall"):
        monkeypatch.setattr("letters.TABLE", TABLE.replace("shirt,", f"{name},"))
        letters = build_letters(tmp_path, name=name)
        transactions = letters.transactions("test")
        galleries = {category: letters.gallery("test", category) for category in ("dress", name)}
        ranker = Ranker(Named(), galleries, Catalogue(letters.images), depth=100)
        study = Study(ranker, letters, "test", transactions)
        # Only the dialogue of this category has known queries enough, and returns none.
        known = study.once(KnownQueries)
        known.first[:] = [[[0, k, 30 if category == name else 1] for k in CUTS] for category in study.categories]
        found = GalleryPrior().run(study)
        assert {category: pool["gallery"] for category, pool in found["pools"]["by_category"].items()} == {
            **{"dress": 10, name: 9}
        }
        assert found["pools"]["overall"]["gallery"] == 19
        by_category = found["detector"]["by_category"]
        assert {category: verdict["suspicious"] for category, verdict in by_category.items()} == {
            **{"dress": False, name: True}
        }
        assert [cut["expected"] for cut in by_category[name]["cuts"]] == [30, 30, 30]
        assert [cut["expected"] for cut in found["detector"]["overall"]["cuts"]] == [32, 32, 32]
        rows = {row["ranking"]: (row["gallery"], row["suspicious"]) for row in found["rows"] if "gallery" in row}
        assert rows == {
            "model, known queries removed": (19, "yes"),
            "the same, dress": (10, "no"),
            f"the same, {name}": (9, "yes"),
        }


def test_a_system_that_hardly_returns_a_known_query_where_the_score_looks_is_found_out_and_an_honest_one_is_not(
    tmp_path: Path,
) -> None:
    test = many()
    benchmark = written(tmp_path, test)
    images = np.array(benchmark.gallery("test", "dress").image_ids)
    known = {turn.reference for t in test for turn in t.turns}
    rng = np.random.default_rng(0)
    answers: dict[str, list[Ranking]] = {}
    for t in test:
        order = rng.permutation(images).tolist()
        kept = {
            "honest": order,
            "struck": [image for image in order if image not in known],
            "own hidden": [image for image in order if image not in t.images[:-1]],
        }
        back = [image for image in order if image in known and image not in t.images]
        for cut in (5, 8):
            kept[f"struck to {cut}"] = [*kept["struck"][:cut], *back]
        kept["fewer"] = [*kept["struck"][:2], *back]  # 3/5 and more of the first: two thirds of what chance expects
        for name, some in kept.items():
            answers.setdefault(name, []).append(
                Ranking(t.transaction_id, some[:12], np.arange(12, 0, -1, dtype=np.float32))
            )
    found = {}
    for name, rankings in answers.items():
        path = tmp_path / f"{name}.parquet"
        write_run(path, rankings)
        file = RankedFile(path, benchmark, "test")
        study = Study(file, benchmark, "test", benchmark.transactions("test"), measures=file.measures)
        found[name] = GalleryPrior().run(study)
    assert {name: one["suspicious"] for name, one in found.items()} == {
        "honest": False,
        "struck": True,
        "own hidden": False,
        "struck to 5": True,
        "struck to 8": True,
        "fewer": False,
    }
    by_cut = {
        name: {cut["first"]: cut["suspicious"] for cut in one["detector"]["overall"]["cuts"]}
        for name, one in found.items()
    }
    assert by_cut["struck"] == by_cut["struck to 8"] == {5: True, 8: True, 10: True}
    assert by_cut["struck to 5"] == {5: True, 8: False, 10: False}
    cuts = found["struck"]["detector"]["overall"]["cuts"]
    assert [(cut["found"], cut["of"]) for cut in cuts] == [(0, 5 * 30), (0, 8 * 30), (0, 10 * 30)]
    assert cuts[-1]["expected"] > 200
    rows = {row["ranking"]: row for row in found["struck to 8"]["rows"]}
    shown = rows["model, known queries removed"]
    assert shown["known@8"] < 0.1 < 0.7 < shown["chance@8"]
    assert shown["suspicious"] == "yes"
    # Of one ranking chance expects too few to say anything, and more than half of it is no finding.
    known_of_one = KnownQueries(study_of(Table(test, [[0] * len(images)] * 30), benchmark))
    known_of_one.first = np.tile([0, 10, 7.5], (3, len(CUTS), 1))
    assert not known_of_one.verdict(np.array([0, 1]))["suspicious"]
    assert known_of_one.verdict(np.array([0, 1, 2]))["suspicious"]
    for few, suspicious in ((11, True), (12, False)):
        known_of_one.first[0, :, 0] = few
        assert known_of_one.verdict(np.array([0, 1, 2]))["suspicious"] is suspicious
    # Nothing is left to strike: its score is what it is.
    rows = {row["ranking"]: row for row in found["struck"]["rows"]}
    assert rows["model, known queries removed"]["R@5"] == rows["model"]["R@5"]
    assert "blank query" not in rows
    assert any("this is a file of final rankings" in note for note in found["struck"]["notes"])


# Time


def test_a_model_with_steps_is_asked_turn_by_turn_and_sees_no_target(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Steps(LastOnly):
        def step(self, turn: History, state: Any, catalogue: Catalogue) -> Any:
            assert isinstance(catalogue, Catalogue)
            seen.append((turn, state))
            return self.vector(turn.references[-1]), (state or 0) + 1

    study = study_of(Steps(), written(tmp_path, many(6)))
    found = Latency(transactions=4).run(study)
    assert all(isinstance(turn, History) and len(turn) == 1 for turn, _ in seen)
    assert {state for _, state in seen} >= {None, 1}
    targets = set(study.targets)
    assert not any(turn.references[0] in targets for turn, _ in seen)
    modes = [row["mode"] for row in found["rows"]]
    assert modes == ["batch", "interactive, step", "floor: bare product", "gallery"]
    assert found["n"] == 4
    assert row_of(found, mode="floor: bare product")["x floor"] == 1
    interactive = row_of(found, mode="interactive, step")
    assert 0 < interactive["ms per turn"] <= interactive["p95 per turn"]
    assert interactive["ms per transaction"] == found["ms_per_transaction"] > found["ms_per_turn"]


def test_a_scoring_model_has_times_and_no_floor(tmp_path: Path) -> None:
    found = Latency().run(study_of(Named(), written(tmp_path, many(6))))
    assert [row["mode"] for row in found["rows"]] == ["batch", "interactive"]
    assert found["n"] == 6
    assert found["recall"] == 1
    assert not Latency.parts


def test_times_by_a_clock_that_ticks_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtbench.evaluation.evaluators.latency.perf_counter", itertools.count().__next__)
    found = Latency().run(study_of(Named(), written(tmp_path, many(6))))
    batch, interactive = found["rows"]  # six dialogues of 2, 3, 4, 2, 3 and 4 turns
    assert (batch["ms per turn"], batch["ms per transaction"]) == pytest.approx((1000 / 18, 1000 / 6))
    assert (interactive["ms per turn"], interactive["ms per transaction"]) == (1000, 3000)
    assert (interactive["p95 per turn"], interactive["p95 per transaction"]) == (1000, 4000)


# Several targets


def _by_enumeration(scores: list[int], relevant: list[int], k: int) -> tuple[float, float, float]:
    """AP@K, recall@K and Success@K as the mean over every order that the scores allow."""
    classes = [[i for i, s in enumerate(scores) if s == value] for value in sorted(set(scores), reverse=True)]
    found = []
    for orders in itertools.product(*(list(itertools.permutations(c)) for c in classes)):
        hit = [image in relevant for order in orders for image in order][:k]
        ap = sum(sum(hit[: i + 1]) / (i + 1) for i, one in enumerate(hit) if one) / min(len(relevant), k)
        found.append((ap, sum(hit) / len(relevant), float(any(hit))))
    return tuple(np.mean(found, axis=0))


def _relevant(scores: list[list[int]], relevant: list[list[int]]) -> Relevant:
    places = [(q, sum(s > row[i] for s in row), row.count(row[i])) for q, row in enumerate(scores) for i in relevant[q]]
    return Relevant(*np.array(places, dtype=np.int64).reshape(-1, 3).T, n=len(scores))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_measures_of_several_targets_are_the_mean_over_all_orders_of_ties(data: st.DataObject) -> None:
    size, n = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))
    scores = [data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)) for _ in range(n)]
    relevant = [sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1))) for _ in range(n)]
    k = data.draw(st.integers(1, 7))
    where = _relevant(scores, relevant)
    for measure, column in ((average_precision, 0), (recall, 1), (success, 2)):
        expected = [_by_enumeration(s, r, k)[column] for s, r in zip(scores, relevant, strict=True)]
        assert measure(where, k) == pytest.approx(expected), measure.__name__


def test_without_ties_trec_eval_gets_the_same() -> None:
    rng = np.random.default_rng(3)
    scores = [rng.permutation(80).tolist() for _ in range(20)]
    relevant = [rng.choice(80, int(rng.integers(1, 9)), replace=False).tolist() for _ in range(20)]
    where = _relevant(scores, relevant)
    qrels = [ir_measures.Qrel(str(q), str(i), 1) for q, some in enumerate(relevant) for i in some]
    run = [ir_measures.ScoredDoc(str(q), str(i), float(s)) for q, row in enumerate(scores) for i, s in enumerate(row)]
    for k in (5, 10, 50):
        names = [ir_measures.parse_measure(f"{name}@{k}") for name in ("AP", "R", "Success")]
        theirs = {(m.measure, int(m.query_id)): m.value for m in ir_measures.iter_calc(names, qrels, run)}
        # trec_eval divides AP@K by all relevant images, CIRCO by no more than K.
        factor = where.count / np.minimum(where.count, k)
        for name, ours in zip(
            names, (average_precision(where, k) / factor, recall(where, k), success(where, k)), strict=True
        ):
            assert ours == pytest.approx([theirs[name, q] for q in range(20)])


def test_an_image_that_was_not_ranked_is_relevant_and_never_found() -> None:
    where = Relevant(np.array([0, 0, 1]), np.array([0, 9, 9]), np.array([1, 0, 0]), n=2)
    assert average_precision(where, 5).tolist() == [1 / 2, 0]
    assert recall(where, 5).tolist() == [1 / 2, 0]
    assert success(where, 5).tolist() == [1, 0]
    none = Relevant(np.array([0]), np.array([9]), np.array([0]), n=1)
    assert (average_precision(none, 5).tolist(), recall(none, 5).tolist(), success(none, 5).tolist()) == ([0], [0], [0])


def test_every_image_that_fulfils_a_dialogue_counts(tmp_path: Path) -> None:
    more = " ".join(f"b{i:02}" for i in range(16))
    benchmark = with_truth(
        written(tmp_path, COLOURED, more), {}, {"dress.test.a": Dialogue(({}, {}, {}), ("a4", "b00", "b15"))}
    )
    # In order: b01 a4 b02 .. b04 b00, then b15 among 14 with one score, at positions 7 to 20.
    scores = [[0, 0, 0, 8, 3, 9, 6, 5, 4, *[0] * 11]]
    found = MultiTarget().run(study_of(Table(COLOURED, scores), benchmark))
    row = row_of(found, turns="all")
    assert (row["n"], row["relevant"]) == (1, 3)
    assert row["mAP@5"] == pytest.approx(1 / 2 / 3)
    assert row["recall@5"] == pytest.approx(1 / 3)
    assert row["recall@10"] == pytest.approx((2 + 4 / 14) / 3)
    assert row["mAP@10"] == pytest.approx((1 / 2 + 2 / 6 + sum(3 / p for p in range(7, 11)) / 14) / 3)
    assert row["recall@50"] == row["Success@50"] == row["Success@5"] == 1
    assert row_of(found, turns="3")["mAP@5"] == row["mAP@5"]


def test_several_targets_need_the_truth(tmp_path: Path) -> None:
    with pytest.raises(NotAvailableError, match="needs true attributes"):
        MultiTarget().run(study_of(Named(), written(tmp_path, COLOURED)))


# Parts, and files of rankings


@pytest.mark.parametrize("evaluator", [Counterfactual, Retention, GalleryPrior, MultiTarget])
@pytest.mark.parametrize("first", ["whole", "part"])
def test_a_part_sees_what_the_whole_drew(tmp_path: Path, evaluator: Any, first: str) -> None:
    test = many()
    attributes = {image: {"end": image[-1]} for t in test for image in t.images}
    truth = {
        t.transaction_id: Dialogue(
            tuple({"end": t.target[-1]} if k == 0 else {} for k in range(len(t.turns))), (t.target,)
        )
        for t in test
    }
    benchmark = with_truth(written(tmp_path, test), attributes, truth)
    study = study_of(Named(), benchmark)
    rows = np.flatnonzero(study.turns == 3)
    once = evaluator()
    if first == "whole":
        once.run(study)
    part = once.run(study.part(rows))
    assert part["n"] == len(rows)
    assert part["rows"]
    # A study of nothing but these would draw otherwise; the part of a part is the same part.
    anew = study_of(Named(), benchmark)
    assert part == evaluator().run(anew.part(np.arange(len(anew))).part(rows))
    assert {row["n"] for row in part["rows"] if "floor" not in row} == {len(rows)}
    if evaluator is Counterfactual:
        options = evaluator(by_turns=True).run(study)
        whole = {(r["change"], r["age"]): r["R@5"] for r in options["rows"] if r.get("turns") == 3}
        assert {(r["change"], r["age"]): r["R@5"] for r in part["rows"]} == pytest.approx(whole)


def test_an_evaluator_that_is_used_again_starts_anew(tmp_path: Path) -> None:
    benchmark = written(tmp_path, many())
    for evaluator in (GalleryPrior, Counterfactual):
        used = evaluator()
        used.run(study_of(Named(), benchmark))
        assert used.run(study_of(LastOnly(), benchmark)) == evaluator().run(study_of(LastOnly(), benchmark))


def test_a_file_of_rankings_gets_what_it_can_and_is_told_what_it_cannot(tmp_path: Path) -> None:
    benchmark = build_letters(tmp_path)
    evaluate("bm25", benchmark, tmp_path / "results")
    (run,) = (tmp_path / "results").glob("*/run.parquet")
    names = ("counterfactual", "retention", "gallery-prior", "latency", "multi-target")
    found = evaluate(str(run), benchmark, tmp_path / "more", Settings(evaluators=["all"]))["studies"]
    why = {name: found[name].get("not_available") for name in names}
    assert why == {
        "counterfactual": "needs rankings of other histories, and this is a file of final rankings",
        "retention": "needs true attributes or attribute words, and letters has neither",
        "gallery-prior": None,
        "latency": "needs a model, and this is a file of final rankings",
        "multi-target": "needs true attributes, which letters does not have",
    }
    with pytest.raises(MtbenchError, match="the evaluator 'latency' needs a model"):
        evaluate(str(run), benchmark, tmp_path / "more", Settings(evaluators=["latency"]))


def test_short_rankings_of_a_file_leave_out_what_they_cannot_tell(tmp_path: Path) -> None:
    more = " ".join(f"b{i:02}" for i in range(16))
    benchmark = with_truth(
        written(tmp_path, COLOURED, more),
        {**ATTRIBUTES, **{f"b{i:02}": {"colour": "red"} for i in range(16)}},
        {"dress.test.a": Dialogue(({}, {"colour": "blue"}, {}), ("a4", "b00"))},
    )
    listed = ["b05", "a4", "b00", "a3", "a1", "a2", "b01", "b02"]
    path = tmp_path / "run.parquet"
    write_run(path, [Ranking("dress.test.a", listed, np.arange(8, 0, -1, dtype=np.float32))])
    file = RankedFile(path, benchmark, "test")
    study = Study(file, benchmark, "test", benchmark.transactions("test"), measures=file.measures)
    kept = Retention().run(study)
    assert kept["rows"][0]["precision@5"] == 2 / 5
    assert "precision@10" not in kept["rows"][0]
    assert "Not told at 10: the rankings of the file are shorter." in kept["notes"]
    many_targets = MultiTarget().run(study)
    assert row_of(many_targets, turns="all")["mAP@5"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert "Not told at 10 and 50: the rankings of the file are shorter." in many_targets["notes"]
