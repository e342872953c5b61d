"""What a model is. Two shapes, both protocols; neither needs a base class, and neither ever receives a target.

>>> class Shortest:
...     '''Ranks images by the length of their caption.'''
...     def score(self, histories, image_ids, catalogue):
...         lengths = [-len(catalogue.text(i)) for i in image_ids]
...         return np.tile(np.array(lengths, np.float32), (len(histories), 1))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History, Image
from mtbench.features.protocol import image_text

Array: TypeAlias = npt.NDArray[np.float32]


class Features(Protocol):
    """Vectors of images and texts, from a feature store."""

    name: str
    proxy: str
    reads_text: bool
    dim: int

    def images(self, image_ids: Sequence[str]) -> Array:
        """Vectors of images, float32 (n, dim)."""
        ...

    def texts(self, texts: Sequence[str]) -> Array:
        """Vectors of texts, float32 (n, dim)."""
        ...


@dataclass(frozen=True)
class Catalogue:
    """Everything a model may look up about images: words, files, vectors. It holds no transaction.

    Attributes:
        records: every image of the benchmark by id.
        proxy: the words that stand for an image: ``caption``, ``attributes``, or both joined by ``+``.
        features: vectors of images and texts; None where the model asked for none.
    """

    records: Mapping[str, Image]
    proxy: str
    features: Features | None = None

    def text(self, image_id: str) -> str:
        """The words that stand for an image; empty where it has none."""
        return image_text(self.records[image_id], self.proxy)

    def image_features(self, image_ids: Sequence[str]) -> Array:
        """Vectors of images, float32 (n, d)."""
        return self._features().images(image_ids)

    def text_features(self, texts: Sequence[str]) -> Array | None:
        """Vectors of texts, float32 (n, d); None for features that know images only."""
        features = self._features()
        return features.texts(texts) if features.reads_text else None

    def _features(self) -> Features:
        if self.features is None:
            raise MtbenchError("this model reads features, but none were given. Add --features NAME")
        return self.features


@dataclass(frozen=True)
class Fold:
    """Transactions with their answers, to learn from: the training or the dev part, never the test part.

    Attributes:
        histories: what is seen, one per transaction.
        targets: the answers in the same order: the target of every turn, the final one last.
        galleries: the candidates by category.
        score: the headline measure of a model on this fold, 0..1, from the same exact ranking as the evaluation.
    """

    histories: Sequence[History]
    targets: Sequence[tuple[str, ...]]
    galleries: Mapping[str, Gallery]
    score: Callable[[Any], float]


class EmbeddingModel(Protocol):
    """Maps histories and images to vectors; images are ranked by cosine or dot product."""

    similarity: str
    """``cosine`` or ``dot``."""

    def embed_histories(self, histories: Sequence[History], catalogue: Catalogue) -> Array:
        """Query vectors, float32 (B, d). A row depends on its own history alone."""
        ...

    def embed_images(self, image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Candidate vectors, float32 (G, d)."""
        ...


class ScoringModel(Protocol):
    """Scores every candidate for every history: for models whose query depends on the candidate."""

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Scores, float32 (B, G), higher is better. Called on blocks of histories of one category."""
        ...


class Trainable(Protocol):
    """A model that learns, or chooses its options, before it is evaluated."""

    def fit(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Mapping[str, Any]:
        """Learn from ``train``, choose on ``dev``; returns what was chosen, for the result record."""
        ...


Model: TypeAlias = EmbeddingModel | ScoringModel
