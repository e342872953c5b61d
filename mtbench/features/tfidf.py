"""TF-IDF words, folded into a dense space by a truncated SVD (latent semantic analysis).

The floor that every neural encoder has to beat. It learns words, their weights and the space from the
training split alone: a word that only the test split uses has no vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Image
from mtbench.features.needs import version
from mtbench.features.protocol import Array, image_text
from mtbench.features.vectors import normalised

SMALL = 1000
"""Below this many training texts a word counts even if it is seen once only."""

_WORDS: dict[str, Any] = {"sublinear_tf": True, "ngram_range": (1, 2), "dtype": np.float32}


class TfIdf:
    """TF-IDF of captions or attributes, words and word pairs, reduced by SVD; fitted on train alone.

    Args:
        text: what stands for an image: its caption, its attribute words, or both.
        dims: the size of the vectors; smaller where the training texts span fewer.
    """

    reads_text = True

    def __init__(
        self, *, text: Literal["caption", "attributes", "caption+attributes"] = "caption", dims: int = 384
    ) -> None:
        if dims < 1:
            raise ValueError(f"dims must be at least 1, not {dims}")
        self.text = text
        self.dims = dims
        self.proxy: str = text
        self._words: Any = None
        self._axes: Array | None = None

    def settings(self) -> dict[str, Any]:
        """The options, and the version of scikit-learn, on which the words and the SVD depend."""
        return {
            "encoder": "tfidf",
            "text": self.text,
            "dims": self.dims,
            "scikit-learn": version("scikit-learn"),
        }

    @property
    def vocabulary(self) -> list[str]:
        """The words and word pairs learnt, sorted."""
        return sorted(self._fitted()[0].vocabulary_)

    def fit(self, images: Sequence[Image], texts: Sequence[str]) -> None:
        """Learn words and space from training images and feedback.

        Raises:
            MtbenchError: there is not one word.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.utils.extmath import randomized_svd

        documents = [*(image_text(image, self.proxy) for image in images), *texts]
        documents = [document for document in documents if document.strip()]
        words = TfidfVectorizer(**_WORDS, min_df=1 if len(documents) < SMALL else 2)
        try:
            counts = words.fit_transform(documents)
        except ValueError as error:
            raise MtbenchError(
                "the train part has no words to learn vectors from. What needs no vectors, such as bm25, can do without"
            ) from error
        rank = min(self.dims, *counts.shape)
        _, strengths, axes = randomized_svd(counts.astype(np.float64), n_components=rank, n_iter=4, random_state=0)
        # Axes without strength point anywhere: they differ between machines and say nothing.
        axes = axes[strengths > 1e-6 * strengths[0]]
        # An SVD leaves the sign of each axis open: the largest weight is made positive.
        largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
        axes = axes * np.sign(largest)[:, None]
        # A row for each word, in one piece: sparse times dense would copy anything else at every block.
        self._words, self._axes = words, np.ascontiguousarray(axes.T, np.float32)

    def learned(self) -> dict[str, npt.NDArray[Any]]:
        """Words, their weights, and the axes of the space."""
        words, axes = self._fitted()
        return {"words": words.get_feature_names_out().astype(str), "weights": words.idf_, "axes": axes}

    def recall(self, learned: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take what was learned before; the same vectors follow."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        names, axes = learned["words"].tolist(), learned["axes"]
        if axes.ndim != 2 or axes.shape[0] != len(names) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{len(names)} words do not fit axes {axes.shape}")
        words = TfidfVectorizer(**_WORDS, vocabulary={name: i for i, name in enumerate(names)})
        words.idf_ = learned["weights"]
        self._words, self._axes = words, np.ascontiguousarray(axes, np.float32)

    def encode_images(self, images: Sequence[Image], folder: Path | None) -> Array:
        """Vectors of the words that stand for images, float32 (n, d); zeros for an image without words."""
        return self.encode_texts([image_text(image, self.proxy) for image in images])

    def encode_texts(self, texts: Sequence[str]) -> Array:
        """Vectors of texts, float32 (n, d) of length 1; zeros for a text without a known word."""
        words, axes = self._fitted()
        vectors: Array = words.transform(texts) @ axes
        vectors[np.linalg.norm(vectors, axis=1) < 1e-6] = 0  # rounding, not meaning
        return normalised(vectors)

    def _fitted(self) -> tuple[Any, Array]:
        if self._words is None or self._axes is None:
            raise MtbenchError("the tfidf encoder has not learnt its words yet: call fit first")
        return self._words, self._axes
