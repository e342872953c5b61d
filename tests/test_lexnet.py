"""The learned lexical channel: BM25 at the start, and each learned part worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import write_tiny_benchmark

torch = pytest.importorskip("torch")

from mtbench.core.errors import MtbenchError  # noqa: E402
from mtbench.core.types import Gallery, History, Image  # noqa: E402
from mtbench.evaluation.firewall.check import check  # noqa: E402
from mtbench.models.bm25 import BM25, DECAYS  # noqa: E402
from mtbench.models.checkpoint import open_checkpoint  # noqa: E402
from mtbench.models.learning.words import count, frequent, lessons_of, sparse_tensor  # noqa: E402
from mtbench.models.lexnet import LexNet  # noqa: E402
from mtbench.models.nets.lexical import Scores  # noqa: E402
from mtbench.models.protocol import BLANK, Catalogue, Fold  # noqa: E402
from mtbench.training.train import TrainSettings, train  # noqa: E402

WORDS = ("red", "blue", "long", "heel", "Dots")


def catalogue_of(captions: dict[str, str | None]) -> Catalogue:
    """Words alone: whoever asks for features gets an error."""
    return Catalogue({name: Image(name, "shoes", caption) for name, caption in captions.items()})


def history(references: str, *feedback: str) -> History:
    return History("shoes", tuple(references), feedback)


def fold(pairs: list[tuple[History, tuple[str, ...]]], measure: Any = None) -> Fold:
    histories, targets = [one for one, _ in pairs], [led_to for _, led_to in pairs]
    gallery = {"shoes": Gallery("train", "shoes", "all-images", ())}
    return Fold(histories, targets, gallery, lambda model: {"mean": measure(model)}, lambda: fold(pairs))


NOTHING = fold([])


def made(words: list[str], said: list[str] | None = None, fades: float = 0.0, **options: Any) -> LexNet:
    """A model that has learned nothing yet."""
    torch.manual_seed(0)
    model = LexNet(device="cpu", **options)
    model.build({"words": words, "said": words if said is None else said, "fades": fades}).eval()
    return model


def given_weights(model: LexNet, **weights: dict[str, float]) -> LexNet:
    """With some of its weights set, by word."""
    with torch.no_grad():
        for row, name in enumerate(("document", "reference", "feedback")):
            for word, value in weights.get(name, {}).items():
                model.query.gains[row, model.words.index(word)] = value
        model.query.reads.zero_()
        for part, matrix, column in (("gate", model.query.gate, 0), ("expansion", model.query.expansion, model.rank)):
            for pair, value in weights.get(part, {}).items():
                said, word = pair.split(">")
                model.query.reads[model.said.index(said), column] = 1
                matrix[0, model.words.index(word)] = value
    return model


texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


@given(
    captions=st.lists(st.none() | texts, min_size=1, max_size=6),
    asked=st.lists(st.tuples(st.integers(0, 5), st.lists(texts, min_size=1, max_size=4)), min_size=1, max_size=4),
    known=st.lists(st.sampled_from([word.lower() for word in WORDS]), unique=True),
    k1=st.floats(0, 3),
    b=st.floats(0, 1),
    weight=st.floats(0.01, 2),
    fades=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_before_it_has_learned_anything_it_is_bm25_whatever_words_it_knows(
    captions, asked, known, k1, b, weight, fades
):
    table = {f"i{n}": caption for n, caption in enumerate(captions)}
    histories = [
        History("shoes", tuple(f"i{(first + n) % len(captions)}" for n in range(len(feedback))), tuple(feedback))
        for first, feedback in asked
    ]
    model = made(known, fades=fades, k1=k1, b=b, reference_weight=weight, rank=2)
    found = model.score(histories, list(table), catalogue_of(table))
    assert found.shape == (len(histories), len(table))
    assert found.dtype == np.float32
    peer = BM25(k1=k1, b=b, reference_weight=weight, decay=fades).score(histories, list(table), catalogue_of(table))
    assert found == pytest.approx(peer, rel=1e-4, abs=1e-5)


CLOSET = {"r": "red", "b": "blue", "l": "long", "h": "heel", "n": None}
SHELF = list("rblhn")
ONE = BM25(reference_weight=0, decay=0).score([history("n", "red")], SHELF, catalogue_of(CLOSET))[0, 0]
"""What a word counts for the one image that has it: all words of the closet are equally rare."""


def scores(model: LexNet, *asked: History) -> list[list[float]]:
    return (model.score(asked, SHELF, catalogue_of(CLOSET)) / ONE).round(5).tolist()


def test_a_learned_weight_of_a_word_counts_in_documents_references_or_feedback():
    two, three, five = (math.log(n) for n in (2, 3, 5))
    words = ["blue", "heel", "long", "red"]
    model = made(words, reference_weight=0.5, rank=1)
    given_weights(model, document={"red": two}, reference={"blue": three, "red": three}, feedback={"long": five})
    assert scores(model, history("n", "red")) == [[2, 0, 0, 0, 0]]
    assert scores(model, history("r", "")) == [[0.5 * 2 * 3, 0, 0, 0, 0]]
    assert scores(model, history("b", "long blue")) == [[0, 0.5 * 3 + 1, 5, 0, 0]]
    assert scores(model, history("l", "long long")) == [[0, 0, 0.5 + 2 * 5, 0, 0]]


def test_a_gate_takes_back_what_the_reference_has_and_the_feedback_does_not_want():
    model = made(["blue", "heel", "long", "red"], ["less", "no"], reference_weight=0.5, rank=1)
    given_weights(model, gate={"no>heel": -1, "less>heel": -1})
    assert scores(model, history("h", "flat"), history("h", "no"), history("b", "no")) == [
        [0, 0, 0, 0.5, 0],
        [0, 0, 0, 0, 0],
        [0, 0.5, 0, 0, 0],
    ]
    # "no" and "less": 0.5 (1 - 1 - 1)
    assert scores(model, history("h", "no, less")) == [[0, 0, 0, -0.5, 0]]


def test_an_expansion_looks_for_words_that_nobody_said():
    model = made(["blue", "heel", "long", "red"], ["formal"], rank=1)
    given_weights(model, expansion={"formal>heel": 3}, document={"heel": math.log(2)})
    assert scores(model, history("n", "formal"), history("n", "red")) == [[0, 0, 0, 6, 0], [1, 0, 0, 0, 0]]


def test_older_feedback_fades_in_the_words_and_in_what_reads_them():
    model = made(["blue", "heel", "long", "red"], ["formal"], fades=0.5, rank=1)
    given_weights(model, expansion={"formal>heel": 4})
    assert scores(model, history("nnn", "formal red", "long", "blue")) == [[0.25, 1, 0.5, 4 * 0.25, 0]]


def test_words_that_were_not_learned_count_as_in_bm25_or_not_at_all():
    asked = history("b", "red long")
    assert scores(made(["red"], reference_weight=0.5), asked) == [[1, 0.5, 1, 0, 0]]
    assert scores(made(["red"], reference_weight=0.5, unknown="ignored"), asked) == [[1, 0, 0, 0, 0]]
    assert scores(made([], reference_weight=0.5), asked) == [[1, 0.5, 1, 0, 0]]


def test_scores_have_the_gradient_of_a_plain_product():
    torch.manual_seed(0)
    dense = torch.randn(5, 4, dtype=torch.float64) * (torch.rand(5, 4) < 0.5)
    queries = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    documents = dense.to_sparse()
    assert torch.allclose(Scores.apply(queries, documents, dense.T.to_sparse()), queries @ dense.T)
    assert torch.autograd.gradcheck(lambda q: Scores.apply(q, documents, dense.T.to_sparse()), queries)


def test_words_of_one_letter_count_and_rare_ones_are_not_learned():
    assert frequent(["No t-shirt, a RED one", "red, red", "a red"], 2) == ["a", "red"]
    assert count(["a A t", "", "T b"], ["t", "a"]).toarray().tolist() == [[1, 2], [0, 0], [1, 0]]
    matrix = count(["a a", "b"], ["a", "b"])
    assert sparse_tensor(matrix).to_dense().tolist() == matrix.toarray().tolist()


def test_every_distinct_turn_is_a_lesson_among_the_images_of_its_category():
    pairs = [
        (history("ab", "x", "y"), ("b", "c")),
        (history("db", "z", "y"), ("b", "c")),
        (History("dress", ("a",), ("x",)), ("e",)),
    ]
    single = lessons_of(fold(pairs), single_turns=True)
    # "b", "y" -> "c" stands in two transactions, and is learned once.
    assert [(h.references, h.feedback) for h in single.histories] == [
        (("a",), ("x",)),
        (("b",), ("y",)),
        (("d",), ("z",)),
        (("a",), ("x",)),
    ]
    assert single.categories.tolist() == [0, 0, 0, 1]
    assert single.candidates == [["a", "b", "c", "d"], ["a", "e"]]
    assert single.places.tolist() == [1, 2, 1, 1]
    with_past = lessons_of(fold(pairs), single_turns=False)
    assert [h.feedback for h in with_past.histories] == [("x",), ("x", "y"), ("z",), ("z", "y"), ("x",)]
    assert with_past.places.tolist() == [1, 2, 1, 2, 1]
    with pytest.raises(MtbenchError, match="no transactions to learn from"):
        lessons_of(NOTHING, single_turns=True)


COLOURS = ("red", "blue", "green", "black")
SAID = ("crimson", "navy", "lime", "dark")
STOCK = {f"{colour}{n}": f"a {colour} {kind}" for colour in COLOURS for n, kind in enumerate(("shoe", "boot", "heel"))}
PAIRS = [
    (History("shoes", (start,), (f"make it {said}",)), (f"{colour}{start[-1]}",))
    for start in STOCK
    for said, colour in zip(SAID, COLOURS, strict=True)
    if not start.startswith(colour)
]
"""The kind stays, and the colour is asked for in words that no caption has."""


def learned(**options: Any) -> LexNet:
    model = LexNet(**{"device": "cpu", "epochs": 15, "batch": 12, "rate": 0.05, "at_least": 1, "rank": 8, **options})
    model.fit(fold(PAIRS), NOTHING, catalogue_of(STOCK))
    return model


def hits(model: Any) -> float:
    found = model.score([asked for asked, _ in PAIRS], list(STOCK), catalogue_of(STOCK)).argmax(axis=1)
    return float(np.mean([list(STOCK)[n] == led_to[0] for n, (_, led_to) in zip(found, PAIRS, strict=True)]))


@pytest.mark.parametrize("negatives", ["batch", "train"])
def test_it_learns_what_words_mean_that_no_image_has(negatives):
    assert hits(BM25(decay=0.0)) == 0  # it finds the reference
    assert hits(learned(negatives=negatives)) == 1


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    ask = ([PAIRS[0][0]], list(STOCK), catalogue_of(STOCK))
    first, same, other = (learned(epochs=2, seed=seed).score(*ask) for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.fixture(scope="module")
def model() -> LexNet:
    found = learned(epochs=3)
    found.fades = 0.5
    return found


def test_a_history_alone_scores_as_in_a_batch_and_the_order_of_the_gallery_does_not_matter(model):
    catalogue = catalogue_of(STOCK)
    asked = [PAIRS[0][0], History("shoes", ("red0", "blue1"), ("unheard of", "lime")), PAIRS[5][0]]
    whole = model.score(asked, list(STOCK), catalogue)
    alone = np.concatenate([model.score([one], list(STOCK), catalogue) for one in asked])
    assert alone == pytest.approx(whole, abs=1e-5)
    assert np.array_equal(model.score(asked, list(STOCK)[::-1], catalogue), whole[:, ::-1])


def test_images_with_the_same_words_tie_exactly(model):
    captions = {**STOCK, **{f"copy{n}": "a red boot" for n in range(33)}}
    found = model.score([asked for asked, _ in PAIRS], list(captions), catalogue_of(captions))
    assert (found[:, 12:] == found[:, [list(STOCK).index("red1")]]).all()


def test_empty_feedback_images_without_words_and_the_blank_image_are_ranked(model):
    captions = {**STOCK, "bare": None}
    asked = [History("shoes", ("bare",), ("",)), History("shoes", (BLANK,), ("",)), History("shoes", ("red0",), ("",))]
    found = model.score(asked, list(captions), catalogue_of(captions))
    assert (found[:2] == 0).all()
    assert found[2].argmax() == 0
    assert (model.score(asked, ["bare"], catalogue_of(captions)) == 0).all()


def test_the_words_of_another_catalogue_are_not_mixed_up_with_those_seen_before(model):
    asked = [History("shoes", (BLANK,), ("red",))]
    before = model.score(asked, ["x", "y"], catalogue_of({"x": "red", "y": "blue"}))
    after = model.score(asked, ["x", "y"], catalogue_of({"x": "blue", "y": "red"}))
    assert np.array_equal(before, after[:, ::-1])
    assert before[0].argmax() == 0


def test_how_much_older_feedback_counts_is_chosen_on_dev_and_kept_with_the_words():
    tried = []

    def measure(model: LexNet) -> float:
        tried.append(model.fades)
        return float(model.fades in (0.5, 0.75))

    model = LexNet(epochs=1, device="cpu", at_least=1)
    chosen = model.fit(fold(PAIRS), fold(PAIRS, measure), catalogue_of(STOCK))
    assert chosen["fades"] == model.fades == model.inputs["fades"] == 0.5
    assert tried == [0.0, 0.0, *DECAYS]  # before and after the epoch, then the choice
    given = LexNet(epochs=1, device="cpu", fading=0.25)
    assert given.fit(fold(PAIRS), fold(PAIRS, measure), catalogue_of(STOCK))["fades"] == 0.25
    assert tried[len(DECAYS) + 2 :] == [0.25, 0.25]


def test_a_checkpoint_gives_the_same_scores_and_holds_the_words(tmp_path: Path):
    benchmark = write_tiny_benchmark(tmp_path / "tiny")
    options = {"epochs": "2", "at_least": "1", "rank": "2", "device": "cpu", "batch": "1"}
    done = train("lexnet", benchmark, tmp_path, TrainSettings(options=options))
    assert done.record["inputs"]["words"] == ["a", "blue", "dress", "long", "red"]  # of the training transactions
    assert done.record["inputs"]["said"] == ["blue", "is", "longer"]
    catalogue = catalogue_of({"a": "a red dress", "b": "a blue dress", "c": "zebra"})
    asked = [history("a", "is blue"), history("ab", "is longer", "zebra")]
    opened = open_checkpoint(done.path).model
    again = open_checkpoint(train("lexnet", benchmark, tmp_path / "again", TrainSettings(options=options)).path).model
    found = opened.score(asked, list("abc"), catalogue)
    assert np.array_equal(found, again.score(asked, list("abc"), catalogue))
    assert opened.fades == done.record["inputs"]["fades"]


def test_inputs_of_a_checkpoint_that_are_no_vocabulary_are_refused():
    for inputs in (
        {"words": ["a", "a"], "said": []},
        {"words": ["a"], "said": ["b", "b"]},
        {"words": [], "said": [], "fades": 2},
    ):
        with pytest.raises(ValueError, match="twice"):
            LexNet(device="cpu").network(**inputs)


@pytest.mark.parametrize(
    "options",
    [
        *({"k1": -1}, {"b": 2}, {"fading": 1.5}, {"dropout": 1.0}),
        *({"reference_weight": 0}, {"scale": 0}, {"rank": 0}, {"at_least": 0}),
    ],
    ids=str,
)
def test_options_outside_their_range_are_refused(options):
    with pytest.raises(ValueError, match="must"):
        LexNet(**options)


def test_a_model_that_was_not_trained_says_so():
    with pytest.raises(RuntimeError, match="not trained yet"):
        LexNet(device="cpu").query  # noqa: B018


def test_it_keeps_the_contract_of_a_model_and_cannot_see_the_answers():
    report = check("lexnet", options={"epochs": 1, "device": "cpu"})
    assert report.ok, [finding for finding in report.findings if finding.status == "fail"]
