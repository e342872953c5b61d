"""Late fusion: z-scores and weights worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import write_tiny_benchmark

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History, Image
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.inputs import Settings
from mtbench.models.bm25 import BM25
from mtbench.models.fusion import Fusion, z_scores
from mtbench.models.protocol import BLANK, Catalogue, Fold

MODELS = """
import numpy as np

class Fixed:
    '''Scores that are written down, the same for every history.'''
    scores = ()
    def __init__(self):
        self.asked = []
    def score(self, histories, image_ids, catalogue):
        self.asked.append(type(self).__name__)
        table = dict(zip("abcd", self.scores))
        return np.tile(np.array([table[image] for image in image_ids], np.float32), (len(histories), 1))

class Middle(Fixed):  # mean 2, deviation 1: -1, 1, 1, -1
    scores = (1, 3, 3, 1)

class Late(Fixed):  # mean 5, deviation 5: -1, -1, 1, 1
    scores = (0, 0, 10, 10)

class Last(Fixed):  # mean 1/4, deviation sqrt(3)/4: -1/sqrt(3) three times, sqrt(3)
    scores = (0, 0, 0, 1)

class Flat(Fixed):
    scores = (0.1, 0.1, 0.1, 0.1)

class Cosine:
    '''Images and histories on a plane.'''
    similarity = "cosine"
    def __init__(self):
        self.asked = []
    def embed_histories(self, histories, catalogue):
        return np.array([(2, 0) if "x" in history.feedback else (0, 2) for history in histories], np.float32)
    def embed_images(self, image_ids, catalogue):
        self.asked.append("images")
        return np.array([catalogue.text(image).split() for image in image_ids], np.float32)

class Dot(Cosine):
    similarity = "dot"

class Drawn(Cosine):
    '''Many images with the same vector.'''
    def embed_histories(self, histories, catalogue):
        return np.random.default_rng(0).normal(size=(len(histories), 300)).astype(np.float32)
    def embed_images(self, image_ids, catalogue):
        return np.tile(np.random.default_rng(1).normal(size=300), (len(image_ids), 1)).astype(np.float32)
"""

PLANE = Catalogue({name: Image(name, "shoes", at) for name, at in zip("abc", ("3 0", "0 2", "1 0"), strict=True)})
ASKED = [History("shoes", ("a",), ("x",)), History("shoes", ("a", "b"), ("z", "y"))]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Fusion]:
    """Makes a fusion of the models above."""
    file = tmp_path / "models.py"
    file.write_text(MODELS, encoding="utf-8")
    return lambda *names, **options: Fusion(parts=tuple(f"{file}:{name}" for name in names), **options)


def calls(model: Fusion) -> list[str]:
    """What the parts noted."""
    return [name for part in model._parts for name in part.model.asked]


def dev_of(measure: Callable[[Any], float]) -> Fold:
    gallery = Gallery("dev", "shoes", "all-images", tuple("abcd"))
    return Fold(
        ASKED, [("d",), ("b", "d")], {"shoes": gallery}, lambda model: {"mean": measure(model)}, lambda: NOTHING
    )


NOTHING = Fold((), (), {}, lambda model: {}, lambda: NOTHING)


def test_z_scores_are_deviations_from_the_mean_of_a_row_and_zero_where_nothing_deviates():
    found = z_scores(np.array([[1, 3, 3, 1], [0, 0, 0, 4], [0.1, 0.1, 0.1, 0.1]]))
    assert found.dtype == np.float32
    # The second row: mean 1, deviation sqrt((1 + 1 + 1 + 9) / 4) = sqrt(3).
    assert found == pytest.approx(np.array([[-1, 1, 1, -1], [-(3**-0.5)] * 3 + [3**0.5], [0, 0, 0, 0]]))
    assert z_scores(np.full((1, 7), 0.1)).tolist() == [[0.0] * 7]  # its mean is not 0.1, by a last digit


def test_scores_are_the_weighted_sum_of_the_z_scores(made):
    model = made("Middle", "Late", weights=(0.25, 0.75))
    # 0.25 (-1, 1, 1, -1) + 0.75 (-1, -1, 1, 1)
    assert model.score(ASKED, list("abcd"), PLANE).tolist() == [[-1, -0.5, 1, 0.5]] * 2
    assert model.score(ASKED[:1], list("dbca"), PLANE).tolist() == [[0.5, -0.5, 1, -1]]


def test_a_model_fused_with_itself_is_its_own_z_scores_whatever_the_weights(made):
    catalogue = Catalogue(
        {name: Image(name, "shoes", text) for name, text in zip("abc", ("x", "x y", "z"), strict=True)}
    )
    alone = BM25().score(ASKED, list("abc"), catalogue)
    fused = Fusion(parts=("bm25", "bm25"), weights=(0.3, 0.7)).score(ASKED, list("abc"), catalogue)
    assert fused == pytest.approx(z_scores(alone), abs=1e-6)
    assert fused.argsort(axis=1).tolist() == alone.argsort(axis=1).tolist()


def test_a_part_that_scores_all_images_the_same_changes_nothing(made):
    half = made("Late", "Flat", weights=(0.5, 0.5)).score(ASKED, list("abcd"), PLANE)
    assert half.tolist() == [[-0.5, -0.5, 0.5, 0.5]] * 2


def test_a_part_without_weight_is_not_asked(made):
    model = made("Late", "Cosine", weights=(1, 0))
    assert model.score(ASKED, list("abcd"), PLANE).tolist() == [[-1, -1, 1, 1]] * 2  # Cosine knows no image "d"


def test_vectors_are_compared_by_cosine_or_dot_product_as_their_model_says(made):
    root = 2**0.5
    # x: cosines 1, 0, 1 have the mean 2/3 and the deviation sqrt(2)/3; y: cosines 0, 1, 0.
    by_cosine = made("Cosine", "Flat", weights=(1, 0)).score(ASKED[:1], list("abc"), PLANE)
    assert by_cosine == pytest.approx(np.array([[1 / root, -root, 1 / root]]))
    # x: products 6, 0, 2 have the mean 8/3 and the deviation sqrt(56)/3.
    by_dot = made("Dot", "Flat", weights=(1, 0)).score(ASKED[:1], list("abc"), PLANE)
    assert by_dot == pytest.approx(np.array([[10, -8, -2]]) / 56**0.5)


def test_images_with_the_same_vector_tie_exactly(made):
    names = [f"i{n}" for n in range(33)]  # a plain product of 33 x 300 gives equal rows unequal scores
    found = made("Drawn", "Flat", weights=(1, 0)).score(ASKED * 20, names, PLANE)
    assert (found == found[:, :1]).all()


def test_vectors_of_a_gallery_are_made_once_but_not_taken_for_those_of_another_catalogue(made):
    model = made("Cosine", "Dot", weights=(1, 1))
    before = model.score(ASKED, list("abc"), PLANE)
    assert calls(model) == ["images", "images"]
    assert np.array_equal(model.score(ASKED, list("abc"), PLANE), before)
    assert calls(model) == ["images", "images"]
    moved = Catalogue({name: Image(name, "shoes", at) for name, at in zip("abc", ("0 2", "3 0", "1 0"), strict=True)})
    assert np.array_equal(model.score(ASKED, list("abc"), moved), before[:, [1, 0, 2]])
    assert model.score(ASKED, list("ba"), PLANE).shape == (2, 2)


def test_a_history_alone_scores_as_in_a_batch_and_the_order_of_the_gallery_does_not_matter(made):
    model = made("Cosine", "Dot", weights=(1, 2))
    whole = model.score(ASKED, list("abc"), PLANE)
    assert not np.allclose(whole[0], whole[1])
    assert np.concatenate([model.score([one], list("abc"), PLANE) for one in ASKED]) == pytest.approx(whole, abs=1e-6)
    assert model.score(ASKED, list("cab"), PLANE) == pytest.approx(whole[:, [2, 0, 1]], abs=1e-6)


def test_the_smallest_share_that_does_best_on_dev_is_taken_one_part_after_the_other(made):
    model = made("Middle", "Last", "Flat", "Late")
    dev = dev_of(lambda m: float((m.score(ASKED, list("abcd"), PLANE).argmax(axis=1) == 3).mean()))
    # d is on top where -(1 - s) + 1.732 s > (1 - s) - 0.577 s, so for s > 0.464; Flat and Late cannot add to that.
    assert model.fit(NOTHING, dev, PLANE) == {"weights": [0.5, 0.5, 0.0, 0.0]}
    assert calls(model) == ["Middle", "Last", "Flat", "Late"]  # each once, whatever the number of shares
    assert model.score(ASKED, list("abcd"), PLANE).argmax(axis=1).tolist() == [3, 3]


def test_a_later_part_takes_its_share_of_all_before_it(made):
    model = made("Middle", "Last", "Late")
    # What dev likes best is a sum of the weights of its own: 0.4 of Last, then 0.2 of Late.
    wanted = 0.8 * (0.6 * np.array([-1, 1, 1, -1]) + 0.4 * np.array([-1, -1, -1, 3]) * 3**-0.5) + 0.2 * np.array(
        [-1, -1, 1, 1]
    )

    def measure(m: Any) -> float:
        return (
            -float(np.abs(m.score(ASKED[:1], list("abcd"), PLANE)[0] - wanted).sum())
            if len(m.weights) == 3
            else (-abs(m.weights[1] - 0.4))
        )

    assert model.fit(NOTHING, dev_of(measure), PLANE) == {"weights": [0.48, 0.32, 0.2]}


def test_weights_that_are_given_stay_and_without_a_dev_part_all_are_equal(made):
    never = dev_of(lambda m: pytest.fail("scored although the weights were given"))
    assert made("Middle", "Late", weights=(1, 3)).fit(NOTHING, never, PLANE) == {"weights": [1, 3]}
    assert made("Middle", "Late").fit(NOTHING, NOTHING, PLANE) == {"weights": [0.5, 0.5]}


def test_named_parts_are_fitted_and_what_they_chose_is_told(made):
    catalogue = Catalogue({name: Image(name, "shoes", text) for name, text in zip("abcd", "xyzw", strict=True)})
    model = Fusion(parts=("bm25", "random"))
    chosen = model.fit(NOTHING, dev_of(lambda m: float(getattr(m, "reference_weight", 0) == 0.7)), catalogue)
    assert chosen == {"weights": [1.0, 0.0], "bm25": {"reference_weight": 0.7, "decay": 0.0}}
    alone = BM25(reference_weight=0.7, decay=0.0).score(ASKED, list("abcd"), catalogue)
    assert np.array_equal(model.score(ASKED, list("abcd"), catalogue), z_scores(alone))


def test_a_blank_image_an_empty_text_and_a_gallery_of_one_are_ranked(made):
    asked = [History("shoes", (BLANK,), ("",))]
    model = Fusion(parts=("bm25", "random"))
    assert np.isfinite(model.score(asked, list("abc"), PLANE)).all()
    assert model.score(asked, ["a"], PLANE).tolist() == [[0.0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parts": ("bm25",)}, "parts must be two models or more, not bm25"),
        ({"parts": ()}, "not none"),
        ({"parts": ("bm25", "random"), "weights": (1.0,)}, "weights must be 2 numbers"),
        ({"parts": ("bm25", "random"), "weights": (1.0, -0.1)}, "0 or more"),
        ({"parts": ("bm25", "random"), "weights": (0.0, 0.0)}, "not all 0"),
    ],
)
def test_parts_and_weights_that_make_no_sum_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Fusion(**options)


def test_a_part_that_nobody_knows_is_named():
    with pytest.raises(MtbenchError, match="bm52"):
        Fusion(parts=("bm25", "bm52"))


def test_an_evaluation_knows_the_checkpoints_inside_a_fusion(tmp_path: Path):
    pytest.importorskip("torch")
    from mtbench.training.train import TrainSettings, train

    benchmark = write_tiny_benchmark(tmp_path / "tiny")
    options = {"epochs": "1", "at_least": "1", "device": "cpu"}
    one, two = (train("lexnet", benchmark, tmp_path, TrainSettings(seed=seed, options=options)) for seed in (3, 4))

    def result(parts: str) -> dict[str, Any]:
        settings = Settings(seed=7, options={"parts": parts, "weights": "1,1"})
        return evaluate("fusion", benchmark, tmp_path / "results", settings)

    record = result(f"bm25, {one.path}")
    assert record["options"] == {"parts": "bm25,lexnet", "weights": "1,1", "seed": 3}
    assert [(part["model"], part["seed"]) for part in record["trained"]] == [("lexnet", 3)]
    assert record["trained"][0]["leak"] == one.record["leak"]
    assert str(tmp_path) not in json.dumps(record["options"]) + json.dumps(record["chosen_on_dev"])
    assert set(record["chosen_on_dev"]) == {"weights", "bm25"}
    both = result(f"{one.path},{two.path}")
    assert [part["seed"] for part in both["trained"]] == [3, 4]
    assert len({record["key"], both["key"], result(f"{two.path},{one.path}")["key"]}) == 3
    one.path.joinpath("weights.safetensors").write_bytes(b"")
    with pytest.raises(MtbenchError, match="cut off, or changed"):
        result(f"lookup,{one.path}")


def test_a_checkpoint_of_another_benchmark_is_refused_inside_a_fusion(tmp_path: Path):
    pytest.importorskip("torch")
    from mtbench.training.train import TrainSettings, train

    first = write_tiny_benchmark(tmp_path / "tiny")
    made = train("lexnet", first, tmp_path, TrainSettings(options={"epochs": "1", "device": "cpu"}))
    captions = {
        "train": {"red": "red", "blue": "blue", "long": "long"},
        "dev": {},
        "test": {"t1": "", "t2": "", "t3": ""},
    }
    other = write_tiny_benchmark(tmp_path / "other", captions=captions)
    with pytest.raises(MtbenchError, match="was trained on tiny revision"):
        evaluate("fusion", other, tmp_path / "results", Settings(options={"parts": f"bm25,{made.path}"}))
