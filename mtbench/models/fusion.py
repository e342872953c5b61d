"""Late fusion: the scores of several models, made comparable for each query, weighted and summed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtbench.core.options import construct
from mtbench.core.registry import MODELS
from mtbench.core.types import History
from mtbench.models.aggregators import best_on, unit
from mtbench.models.checkpoint import is_checkpoint, open_checkpoint
from mtbench.models.galleries import PerGallery
from mtbench.models.protocol import Array, Catalogue, Fold

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""What is tried on dev for one more part; of equals the first is taken, so the simplest comes first."""


class Fusion:
    """Several models as one: the z-scores of each over the gallery, weighted by what does best on dev, and summed.

    A part's score of an image becomes (score - mean) / standard deviation over the gallery, for every query anew; a
    part that scores all images the same says nothing. The weights sum to 1 and are chosen one part after the other, in
    the order given: the second gets a share s of the whole, which leaves the first 1 - s; then the third; and so on.
    So a part that does not help on dev gets no weight.

    Args:
        parts: two or more, each a folder of a checkpoint, or the name of a model, which is fitted as it comes.
        weights: one for each part; None to choose them on dev.
    """

    def __init__(self, *, parts: tuple[str, ...], weights: tuple[float, ...] | None = None) -> None:
        if len(parts) < 2:
            raise ValueError(f"parts must be two models or more, not {', '.join(parts) or 'none'}")
        if weights is not None and (len(weights) != len(parts) or min(weights) < 0 or max(weights) == 0):
            raise ValueError(f"weights must be {len(parts)} numbers, one for each part, 0 or more, and not all 0")
        self.parts = parts
        self.weights = weights
        self._weights: Sequence[float] = weights or [1 / len(parts)] * len(parts)
        self._parts = [_Part(part) for part in parts]

    def fit(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Mapping[str, Any]:
        """Fit the parts that are no checkpoints, then choose the weights on dev, unless they were given."""
        fitted = {part.name: part.fit(train, dev, catalogue) for part in self._parts}
        if self.weights is None and dev.histories:
            self._weights = chosen_weights(self._parts, dev)
        return {"weights": list(self._weights), **{name: chosen for name, chosen in fitted.items() if chosen}}

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Weighted sums of z-scores, float32 (B, G). A part of weight 0 is not asked."""
        asked = [(part, weight) for part, weight in zip(self._parts, self._weights, strict=True) if weight]
        scores = [part.z_scores(histories, image_ids, catalogue) for part, _ in asked]
        return fused(scores, [weight for _, weight in asked])


class _Part:
    """One of the models, whose scores become z-scores."""

    def __init__(self, part: str) -> None:
        self.is_trained = part not in MODELS.names() and is_checkpoint(part)
        self.model: Any  # of one of two protocols
        if self.is_trained:
            self.model = open_checkpoint(Path(part)).model
        else:
            self.model = construct(MODELS.get(part), {}, what=f"part {part!r}")
        self.name = part
        self._vectors = PerGallery(self._distinct)

    def fit(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Mapping[str, Any]:
        """What was chosen for it; nothing for a checkpoint."""
        if self.is_trained or not hasattr(self.model, "fit"):
            return {}
        chosen: Mapping[str, Any] = self.model.fit(train, dev, catalogue)
        self._vectors.forget()
        return chosen

    def z_scores(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Over the gallery, float32 (B, G)."""
        if not hasattr(self.model, "embed_histories"):
            return z_scores(self.model.score(histories, image_ids, catalogue))
        queries = np.asarray(self.model.embed_histories(histories, catalogue), dtype=np.float32)
        vectors, column_of = self._vectors.of(image_ids, catalogue)
        if self.model.similarity == "cosine":
            queries = unit(queries)
        # Images that look the same to the model must tie exactly, which a product of all rows does not give.
        return z_scores((queries @ vectors.T)[:, column_of])

    def _distinct(self, image_ids: Sequence[str], catalogue: Catalogue) -> tuple[Array, npt.NDArray[np.int64]]:
        """The distinct vectors of a gallery, and which of them each image has."""
        vectors = np.asarray(self.model.embed_images(image_ids, catalogue), dtype=np.float32)
        if self.model.similarity == "cosine":
            vectors = unit(vectors)
        distinct, column_of = np.unique(vectors, axis=0, return_inverse=True)
        return distinct, column_of.reshape(-1)


class _Line:
    """Parts on which weights are tried: each is asked once for the same histories.

    Attributes:
        before: the weights of the parts so far.
        share: of one part more.
    """

    def __init__(self, parts: Sequence[_Part]) -> None:
        self.before, self.share = [1.0], 0.0
        self._parts = parts
        self._known: dict[Any, list[Array]] = {}

    @property
    def weights(self) -> list[float]:
        """Of the parts so far and of the one more; they sum to 1."""
        return [*(round(weight * (1 - self.share), 6) for weight in self.before), self.share]

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Their fusion, float32 (B, G)."""
        known = self._known.setdefault((tuple(histories), tuple(image_ids)), [])
        for part in self._parts[len(known) : len(self.weights)]:
            known.append(part.z_scores(histories, image_ids, catalogue))
        return fused(known, self.weights)


def chosen_weights(parts: Sequence[_Part], dev: Fold) -> list[float]:
    """The weights that do best on dev, found one part after the other."""
    line = _Line(parts)
    for _ in parts[1:]:
        best_on(dev, line, "share", SHARES)
        line.before = line.weights
    return line.before


def fused(scores: Sequence[Array], weights: Sequence[float]) -> Array:
    """The weighted sum."""
    return np.asarray(sum(weight * one for weight, one in zip(weights, scores, strict=True)), dtype=np.float32)


def z_scores(scores: npt.NDArray[Any]) -> Array:
    """Each row minus its mean, in units of its standard deviation; 0 where all scores of a row are the same.

    >>> z_scores(np.array([[1, 3, 3, 1], [5, 5, 5, 5]])).tolist()
    [[-1.0, 1.0, 1.0, -1.0], [0.0, 0.0, 0.0, 0.0]]
    """
    rows = np.ascontiguousarray(scores, dtype=np.float64)
    deviation = rows.std(axis=1, keepdims=True)
    says_nothing = rows.min(axis=1, keepdims=True) == rows.max(axis=1, keepdims=True)
    found = (rows - rows.mean(axis=1, keepdims=True)) / np.where(says_nothing, 1, deviation)
    return np.where(says_nothing, 0, found).astype(np.float32)
