"""Models without training: worked out by hand on vectors of two numbers, and BM25 against plain loops."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History, Image, Transaction, Turn
from mtbench.models.aggregators import ALPHAS, WEIGHTS, Avg, Cat, Ewma, LastTurn, best_on, unit
from mtbench.models.bm25 import BM25
from mtbench.models.lookup import Lookup
from mtbench.models.protocol import Catalogue, Fold
from mtbench.models.random import Random


class Vectors:
    """Features that are written down: vectors of images and of texts."""

    proxy = "user features"

    def __init__(self, images: dict[str, Any], texts: dict[str, Any] | None = None) -> None:
        self._images, self._texts = images, texts
        self.reads_text = texts is not None

    def images(self, image_ids: Sequence[str]):
        return np.array([self._images[image] for image in image_ids], np.float32)

    def texts(self, texts: Sequence[str]):
        assert self._texts is not None
        return np.array([self._texts[text] for text in texts], np.float32)

    def describe(self) -> dict[str, Any]:
        return {}


def catalogue_of(captions: dict[str, str | None], features: Vectors | None = None, **options: Any) -> Catalogue:
    images = {name: Image(name, "shoes", caption) for name, caption in captions.items()}
    return Catalogue(images, features=(lambda: features) if features else None, **options)


def history(references: str, *feedback: str) -> History:
    return History("shoes", tuple(references), feedback)


def fold(histories: Sequence[History] = (), targets: Sequence[tuple[str, ...]] = (), score: Any = None) -> Fold:
    measures = (lambda model: {"mean": score(model)}) if score else _unasked
    return Fold(histories, targets, {"shoes": Gallery("train", "shoes", "all-images", ())}, measures, fold)


def _unasked(model: object) -> dict[str, float]:
    raise AssertionError("scored a fold without transactions")


# f_qry of the three turns, with weight 0.75:
#   p, "up":    unit(0.75 (1, 0) + (0, 1)) = (0.6, 0.8)
#   q, "right": unit(0.75 (0, 1) + (1, 0)) = (0.8, 0.6)
#   p, "right": unit(0.75 (1, 0) + (1, 0)) = (1, 0)
PLANE = catalogue_of(
    {},
    Vectors(
        {"p": (1, 0), "q": (0, 3), "z": (0, 0)},
        {"up": (0, 2), "right": (4, 0), "up and right": (0, 7), "up and right and right": (5, 0)},
    ),
)
TWO = history("pq", "up", "right")
THREE = history("pqp", "up", "right", "right")
ONE = history("q", "right")


@pytest.mark.parametrize(
    ("model", "one", "two", "three"),
    [
        (LastTurn(reference_weight=0.75), (0.8, 0.6), (0.8, 0.6), (1, 0)),
        (Avg(reference_weight=0.75), (0.8, 0.6), (0.7, 0.7), (0.8, 1.4 / 3)),
        # 0.25 (0.8, 0.6) + 0.75 (0.6, 0.8) = (0.65, 0.75), then 0.25 (1, 0) + 0.75 (0.65, 0.75)
        (Ewma(alpha=0.25, reference_weight=0.75), (0.8, 0.6), (0.65, 0.75), (0.7375, 0.5625)),
        # the first reference with all feedback as one text: (0.75, 1) / 1.25, then (0.75 + 1, 0) / 1.75
        (Cat(reference_weight=0.75), (0.8, 0.6), (0.6, 0.8), (1, 0)),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "embed_histories") else "",
)
def test_queries_of_one_two_and_three_turns_worked_out_by_hand(model, one, two, three):
    assert model.embed_histories([TWO, ONE, THREE], PLANE) == pytest.approx(np.array([two, one, three]), abs=1e-6)
    assert model.embed_histories([THREE], PLANE) == pytest.approx(np.array([three]), abs=1e-6)


def test_ewma_with_alpha_one_is_the_last_turn_and_with_alpha_zero_the_first():
    last = LastTurn().embed_histories([THREE, TWO], PLANE)
    first = LastTurn().embed_histories([history("p", "up"), history("p", "up")], PLANE)
    assert np.array_equal(Ewma(alpha=1).embed_histories([THREE, TWO], PLANE), last)
    assert np.array_equal(Ewma(alpha=0).embed_histories([THREE, TWO], PLANE), first)
    assert not np.allclose(first, last)


def test_without_text_vectors_a_turn_is_its_reference_alone_and_no_weight_is_tried():
    images_only = catalogue_of({}, Vectors({"p": (5, 0), "q": (0, 3)}))
    model = Avg()
    chosen = model.fit(fold(), fold([TWO], [("q", "p")]), images_only)
    assert chosen == {"reference_weight": 0.7}
    assert model.embed_histories([TWO, history("pp", "up", "up")], images_only).tolist() == [[0.5, 0.5], [1, 0]]


def test_images_are_the_vectors_of_the_encoder_and_zero_vectors_stay_zero():
    assert LastTurn().embed_images(["q", "z"], PLANE).tolist() == [[0, 3], [0, 0]]
    assert unit(np.array([[0.0, 0.0], [0.0, 2.0]])).tolist() == [[0, 0], [0, 1]]


def test_features_that_were_not_given_are_asked_for_in_words():
    with pytest.raises(MtbenchError, match=r"reads features, but none were given\. Add --features NAME"):
        LastTurn().embed_images(["p"], catalogue_of({}))


def test_of_equally_good_values_the_first_is_taken_and_set():
    model = Ewma()
    good = {0.9: 0.5, 0.5: 0.5}
    dev = fold([TWO], [("q", "p")], score=lambda m: good.get(m.alpha, 0.1))
    assert best_on(dev, model, "alpha", ALPHAS) == model.alpha == 0.9
    assert best_on(fold([TWO], [("q", "p")], score=lambda m: 0.3), model, "alpha", ALPHAS) == 1.0


def test_ewma_chooses_the_weight_of_the_reference_first_and_alpha_with_it():
    asked = []

    def score(model: Ewma) -> float:
        asked.append((model.reference_weight, model.alpha))
        return (model.reference_weight == 0.25) + (model.alpha == 0.4)

    chosen = Ewma().fit(fold(), fold([TWO], [("q", "p")], score), PLANE)
    assert chosen == {"reference_weight": 0.25, "alpha": 0.4}
    assert asked == [(w, 1.0) for w in WEIGHTS] + [(0.25, a) for a in ALPHAS]


def test_options_that_are_given_are_kept_and_without_a_dev_part_nothing_is_tried():
    dev = fold([TWO], [("q", "p")])  # its score would fail
    assert Ewma(alpha=0.3, reference_weight=2.0).fit(fold(), dev, PLANE) == {"reference_weight": 2.0, "alpha": 0.3}
    assert BM25(reference_weight=0.0, decay=0.0).fit(fold(), dev, PLANE) == {"reference_weight": 0.0, "decay": 0.0}
    assert Ewma().fit(fold(), fold(), PLANE) == {"reference_weight": 0.7, "alpha": 1.0}
    assert BM25().fit(fold(), fold(), PLANE) == {"reference_weight": 0.2, "decay": 0.5}


@pytest.mark.parametrize(
    "make", [lambda: Ewma(alpha=1.5), lambda: Ewma(alpha=-0.1), lambda: BM25(k1=-1), lambda: BM25(b=2)]
)
def test_options_outside_their_range_are_refused(make):
    with pytest.raises(ValueError, match="must"):
        make()


# Random


def test_the_same_seed_gives_the_same_scores_whatever_the_batch_and_another_seed_others():
    histories = [history("p" * n, *["up"] * n) for n in range(1, 6)]
    whole = Random(seed=3).score(histories, "abcdefgh", PLANE)
    assert whole.shape == (5, 8)
    assert whole.dtype == np.float32
    assert len({row.tobytes() for row in whole}) == 5
    assert np.array_equal(Random(seed=3).score(histories[::-1], "abcdefgh", PLANE), whole[::-1])
    one_by_one = [Random(seed=3).score([h], "abcdefgh", PLANE)[0] for h in histories]
    assert np.array_equal(np.stack(one_by_one), whole)
    assert not np.isclose(Random(seed=4).score(histories, "abcdefgh", PLANE), whole).any(axis=1).all()


def test_random_scores_put_every_image_on_top_about_equally_often():
    histories = [history("p", str(n)) for n in range(3000)]
    winners = Counter(Random().score(histories, "abc", PLANE).argmax(axis=1).tolist())
    # 1000 each; the standard deviation is sqrt(3000 / 3 * 2 / 3) = 26
    assert all(abs(count - 1000) < 5 * 26 for count in winners.values())


# BM25

WORDS = ("red", "blue", "long", "heel", "Dots")


def plain_bm25(model: BM25, asked: History, captions: dict[str, str | None]) -> list[float]:
    """Robertson & Zaragoza 2009, equation 3.15, in plain loops, with the weights of words in the query."""

    def words(text: str | None) -> list[str]:
        return re.findall(r"\w+", (text or "").lower())

    query: Counter[str] = Counter()
    for word in words(captions[asked.references[-1]]):
        query[word] += model.reference_weight
    for age, text in enumerate(reversed(asked.feedback)):
        for word in words(text):
            query[word] += model.decay**age
    documents = [words(caption) for caption in captions.values()]
    mean_length = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word, weight in query.items():
            holders = sum(word in other for other in documents)
            count = document.count(word)
            if count:
                idf = math.log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
                norm = model.k1 * (1 - model.b + model.b * len(document) / mean_length)
                score += weight * idf * count * (model.k1 + 1) / (count + norm)
        scores.append(score)
    return scores


texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


@given(
    captions=st.lists(st.none() | texts, min_size=1, max_size=6),
    asked=st.lists(st.tuples(st.integers(0, 5), st.lists(texts, min_size=1, max_size=4)), min_size=1, max_size=4),
    k1=st.floats(0, 3),
    b=st.floats(0, 1),
    reference_weight=st.floats(0, 2),
    decay=st.floats(0, 1),
)
@settings(max_examples=150, deadline=None)
def test_bm25_agrees_with_the_formula_in_plain_loops(captions, asked, k1, b, reference_weight, decay):
    table = {f"i{n}": caption for n, caption in enumerate(captions)}
    histories = [
        History("shoes", tuple(f"i{(first + n) % len(captions)}" for n in range(len(feedback))), tuple(feedback))
        for first, feedback in asked
    ]
    model = BM25(k1=k1, b=b, reference_weight=reference_weight, decay=decay)
    found = model.score(histories, list(table), catalogue_of(table))
    assert found.shape == (len(histories), len(table))
    assert found == pytest.approx(np.array([plain_bm25(model, h, table) for h in histories]), rel=1e-5, abs=1e-6)


CLOSET = {"r": "red", "b": "blue", "l": "long", "n": None}


def test_decay_says_how_much_older_feedback_counts():
    catalogue = catalogue_of(CLOSET)
    asked = [history("nnn", "red", "blue", "long")]

    def scores(decay: float) -> list[float]:
        return BM25(reference_weight=0, decay=decay).score(asked, list("rbln"), catalogue)[0].tolist()

    unit_score = scores(1.0)[0]
    assert unit_score > 0
    assert scores(1.0) == pytest.approx([unit_score, unit_score, unit_score, 0])
    assert scores(0.5) == pytest.approx([unit_score / 4, unit_score / 2, unit_score, 0])
    assert scores(0.0) == pytest.approx([0, 0, unit_score, 0])


def test_only_the_last_reference_counts_and_by_its_weight():
    catalogue = catalogue_of(CLOSET)
    asked = [history("rb", "long", "long")]
    by_weight = {w: BM25(reference_weight=w, decay=0).score(asked, list("rbln"), catalogue)[0] for w in (0.0, 1.0, 0.5)}
    assert by_weight[0.0][:2].tolist() == [0, 0]
    assert by_weight[1.0][0] == 0
    assert by_weight[1.0][1] == pytest.approx(by_weight[1.0][2])  # "blue" of the reference is as rare as "long"
    assert by_weight[0.5][1] == pytest.approx(by_weight[1.0][1] / 2)


def test_words_of_attributes_stand_for_images_if_told_so():
    images = {"a": Image("a", "shoes", "red", ("heel",)), "b": Image("b", "shoes", "heel", ("red",))}
    asked = [history("a", "heel")]
    by_words = {
        words: BM25(reference_weight=0).score(asked, ["a", "b"], Catalogue(images, words=words))[0].tolist()
        for words in ("caption", "attributes", "caption+attributes")
    }
    assert by_words["caption"] == by_words["attributes"][::-1]
    assert by_words["caption"][0] == 0 < by_words["caption"][1]
    assert by_words["caption+attributes"][0] == by_words["caption+attributes"][1] > 0


def test_the_words_of_another_catalogue_are_not_mixed_up_with_those_seen_before():
    model = BM25()
    asked = [history("x", "red")]
    before = model.score(asked, ["x", "y"], catalogue_of({"x": "red", "y": "blue"}))
    after = model.score(asked, ["x", "y"], catalogue_of({"x": "blue", "y": "red"}))
    assert before[0].argmax() == 0
    assert after[0].argmax() == 1


# Lookup


def fitted_lookup(captions: dict[str, str | None]) -> tuple[Lookup, Catalogue]:
    catalogue = catalogue_of(captions)
    model = Lookup()
    train = fold([history("rb", "is blue", "is long")], [("b", "l")])
    dev = fold([history("l", "is red")], [("r",)], score=lambda m: 0.5)
    chosen = model.fit(train, dev, catalogue)
    assert chosen == {"references": 3, "reference_weight": 0.0, "decay": 0.0}  # of equals the simplest
    return model, catalogue


def test_what_followed_the_last_reference_is_on_top_and_the_rest_in_the_order_of_bm25():
    captions = {"r": "red", "b": "blue", "l": "long red", "x": "red red shoe", "n": None}
    model, catalogue = fitted_lookup(captions)
    plain = BM25(reference_weight=0.0, decay=0.0)
    asked = [history("xr", "is long", "is red"), history("rx", "is long", "is red")]
    found, lexical = (m.score(asked, list(captions), catalogue) for m in (model, plain))
    # After r came b, whatever the user says; x was never a reference.
    assert found[0].argmax() == 1
    others = [0, 2, 3, 4]
    assert found[0][others].tolist() == lexical[0][others].tolist()
    assert found[1].tolist() == lexical[1].tolist()


def test_the_table_knows_the_dev_part_and_keeps_to_a_category():
    model, catalogue = fitted_lookup({"r": "red", "b": "blue", "l": "long"})
    gallery = list("rbl")
    assert model.score([history("l", "is long")], gallery, catalogue)[0].argmax() == 0
    other = model.score([History("dress", ("l",), ("is long",))], gallery, catalogue)[0]
    assert other.argmax() == 2


def test_an_image_that_followed_but_is_no_candidate_is_passed_over():
    model, catalogue = fitted_lookup({"r": "red", "b": "blue", "l": "long"})
    assert model.score([history("r", "is long")], ["r", "l"], catalogue)[0].argmax() == 1


def test_of_several_images_that_followed_bm25_decides():
    catalogue = catalogue_of({"r": "red", "b": "blue", "l": "long"})
    model = Lookup()
    model.fit(fold([history("r", "x"), history("r", "y")], [("b",), ("l",)]), fold(), catalogue)
    asked = [history("r", "is long"), history("r", "is blue"), history("r", "is red")]
    long, blue, red = model.score(asked, ["l", "b", "r"], catalogue)
    assert np.argsort(-long).tolist() == [0, 1, 2]
    assert np.argsort(-blue).tolist() == [1, 0, 2]
    assert red[0] == red[1] > red[2] > 0


def test_without_any_caption_the_table_still_works_and_the_rest_is_zero():
    model, catalogue = fitted_lookup(dict.fromkeys("rblx"))
    found = model.score([history("r", "is red"), history("x", "is red")], list("rbl"), catalogue)
    assert found[0].argmax() == 1
    assert found[0][[0, 2]].tolist() == [0, 0]
    assert found[1].tolist() == [0, 0, 0]
    assert catalogue.proxy == "none"


# What a model may see


def test_a_history_has_no_field_for_a_target_and_cannot_be_changed():
    assert [field.name for field in dataclasses.fields(History)] == ["category", "references", "feedback"]
    seen = Transaction("t", "shoes", (Turn("a", ("x", "y"), "b"), Turn("b", ("z",), "secret"))).history(joiner=" & ")
    assert seen == History("shoes", ("a", "b"), ("x & y", "z"))
    assert "secret" not in repr(seen)
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen.references = ("secret",)  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):  # slots: nothing can be hung on it either
        object.__setattr__(seen, "target", "secret")


def test_the_last_turns_of_a_history_are_a_history():
    assert THREE.last(2) == history("qp", "right", "right")
    assert THREE.last(9) == THREE


def test_the_catalogue_notes_what_stood_for_the_images():
    images = {
        "words": Image("words", "shoes", "red", ("heel",)),
        "file": Image("file", "shoes", None, (), "file.png"),
        "bare": Image("bare", "shoes"),
    }

    def proxy(look, **options) -> str:
        catalogue = Catalogue(images, **options)
        look(catalogue)
        return catalogue.proxy

    vectors = {"features": lambda: Vectors({"bare": (1, 0)})}
    assert proxy(lambda c: None) == "none"
    assert proxy(lambda c: c.text("bare")) == "none"
    assert proxy(lambda c: c.text("words")) == "caption"
    assert proxy(lambda c: c.text("words"), words="attributes") == "attributes"
    assert proxy(lambda c: c.text("words"), words="caption+attributes") == "caption+attributes"
    assert proxy(lambda c: c.image("file")) == "image"
    assert proxy(lambda c: (c.image("file"), c.text("words"))) == "image+caption"
    assert proxy(lambda c: c.image_features(["bare"]), **vectors) == "user features"
    assert proxy(lambda c: (c.image_features(["bare"]), c.text("words")), **vectors) == "user features+caption"
    assert proxy(lambda c: None, **vectors) == "none"


def test_features_are_opened_on_first_use_and_only_once():
    opened = []
    catalogue = Catalogue({}, features=lambda: opened.append(1) or Vectors({"a": (1, 0)}))
    assert opened == []
    catalogue.image_features(["a"])
    assert catalogue.text_features(["no texts here"]) is None
    assert opened == [1]
