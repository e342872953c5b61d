"""The baselines of FashionNTM (section 4) that need no training, on vectors of any encoder.

The paper puts a trained single-turn model under them, f_qry: that is the option ``combiner``, a checkpoint that
`mtbench train combiner` made. Without it f_qry(n) is the sum of two unit vectors, that of the reference times a weight
and that of the feedback, brought to length 1; the weight is chosen on dev.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtbench.core.types import History
from mtbench.features.needs import need
from mtbench.models.protocol import Array, Catalogue, Fold

if TYPE_CHECKING:
    from mtbench.models.combiner import Combiner

WEIGHTS = (0.0, 0.25, 0.5, 0.7, 1.0, 1.5)
ALPHAS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
"""What is tried on dev; of equals the first is taken, so the simplest comes first."""


class _Aggregator:
    """f_qry for every turn; how the turns become one query is left to `aggregate`.

    Args:
        reference_weight: of the vector of the reference, where that of the feedback has 1; None to choose it on dev.
        combiner: checkpoint of a trained ``combiner``, which makes f_qry; None for the weighted sum.
    """

    similarity = "cosine"

    def __init__(self, *, reference_weight: float | None = None, combiner: Path | None = None) -> None:
        if combiner is not None and reference_weight is not None:
            raise ValueError("a trained combiner weighs the reference itself: leave out reference_weight")
        self.reference_weight = 0.7 if reference_weight is None else reference_weight
        self.combiner = combiner
        self._weight_is_given = reference_weight is not None

    def fit(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Mapping[str, Any]:
        """Choose the weight of the reference on dev, unless it was given. Nothing is learned from train."""
        if self.combiner is not None:
            return {}
        if not self._weight_is_given and catalogue.features.reads_text:
            self.reference_weight = best_on(dev, self, "reference_weight", WEIGHTS)
        return {"reference_weight": self.reference_weight}

    @cached_property
    def _single(self) -> Combiner | None:
        """The trained single-turn model, if one was given."""
        if self.combiner is None:
            return None
        need("torch", extra="neural")
        from mtbench.models.checkpoint import model_of  # torch: only where it is needed
        from mtbench.models.combiner import Combiner

        return model_of(self.combiner, Combiner, "combiner")

    def embed_images(self, image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """The vectors of the encoder, or of the combiner, float32 (G, d)."""
        return self._single.embed_images(image_ids, catalogue) if self._single else catalogue.image_features(image_ids)

    def embed_histories(self, histories: Sequence[History], catalogue: Catalogue) -> Array:
        """One query for each history, float32 (B, d)."""
        references = [reference for history in histories for reference in history.references]
        feedback = [text for history in histories for text in history.feedback]
        turns = self.single_turn(references, feedback, catalogue)
        ends = np.cumsum([len(history) for history in histories])
        return np.stack([self.aggregate(part) for part in np.split(turns, ends[:-1])])

    def single_turn(self, references: Sequence[str], feedback: Sequence[str], catalogue: Catalogue) -> Array:
        """f_qry of single turns, float32 (n, d); of the reference alone where the features know no texts."""
        if self._single:
            return self._single.single_turn(references, feedback, catalogue)
        images = unit(catalogue.image_features(references))
        texts = catalogue.text_features(feedback)
        return images if texts is None else unit(self.reference_weight * images + unit(texts))

    def aggregate(self, turns: Array) -> Array:
        """One query (d,) of f_qry (N, d), oldest turn first."""
        raise NotImplementedError


class LastTurn(_Aggregator):
    """Only the final turn: f_qry of the last reference and feedback."""

    def aggregate(self, turns: Array) -> Array:
        last: Array = turns[-1]
        return last


class Avg(_Aggregator):
    """ST + avg: the mean of f_qry over all turns."""

    def aggregate(self, turns: Array) -> Array:
        mean: Array = turns.mean(axis=0)
        return mean


class Ewma(_Aggregator):
    """ST + EWMA: s_n = a f_n + (1 - a) s_{n-1}; the paper leaves a unstated, here it is chosen on dev.

    Args:
        alpha: a, between 0 and 1; None to choose it on dev.
    """

    def __init__(
        self, *, alpha: float | None = None, reference_weight: float | None = None, combiner: Path | None = None
    ) -> None:
        super().__init__(reference_weight=reference_weight, combiner=combiner)
        if alpha is not None and not 0 <= alpha <= 1:
            raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
        self.alpha = 1.0 if alpha is None else alpha
        self._alpha_is_given = alpha is not None

    def fit(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Mapping[str, Any]:
        """Choose the weight of the reference, then alpha, on dev."""
        chosen = super().fit(train, dev, catalogue)
        if not self._alpha_is_given:
            self.alpha = best_on(dev, self, "alpha", ALPHAS)
        return {**chosen, "alpha": self.alpha}

    def aggregate(self, turns: Array) -> Array:
        state: Array = turns[0]
        for turn in turns[1:]:
            state = np.asarray(self.alpha * turn + (1 - self.alpha) * state, dtype=np.float32)
        return state


class Cat(_Aggregator):
    """ST + cat: the first reference with all feedback joined to one text, encoded anew."""

    def embed_histories(self, histories: Sequence[History], catalogue: Catalogue) -> Array:
        """One query for each history, float32 (B, d)."""
        texts = [catalogue.joiner.join(history.feedback) for history in histories]
        return self.single_turn([history.references[0] for history in histories], texts, catalogue)


def best_on(dev: Fold, model: Any, option: str, values: Sequence[float]) -> float:
    """The value of an option with the best headline measure on dev; of equals the first. Sets it on the model.

    Without a dev part nothing is tried, and the model keeps what it has.
    """
    if not dev.histories:
        kept: float = getattr(model, option)
        return kept
    scores = []
    for value in values:
        setattr(model, option, value)
        scores.append(dev.score(model))
    best = values[int(np.argmax(scores))]
    setattr(model, option, best)
    return best


def unit(vectors: npt.NDArray[Any]) -> Array:
    """Rows at length 1; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms == 0, 1, norms), dtype=np.float32)
