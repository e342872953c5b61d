"""BM25 over the words that stand for images: the lexical baseline, with decayed feedback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from mtbench.core.types import History
from mtbench.models.aggregators import best_on
from mtbench.models.protocol import Array, Catalogue, Fold

REFERENCE_WEIGHTS = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0)
DECAYS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""What is tried on dev; of equals the first is taken, so the simplest comes first."""

TOKEN = r"(?u)\b\w+\b"
"""What a word is: CountVectorizer's own pattern leaves out those of one letter."""


class BM25:
    """BM25 of captions or attributes for the last reference and the feedback of all turns, older turns decayed.

    A query counts the words of the last reference times ``reference_weight``, and the words of the feedback of the
    turn that lies k turns back times decay^k. Both weights are chosen on dev unless given.

    Args:
        k1, b: saturation and length normalisation of BM25 (Robertson & Zaragoza 2009, equation 3.15).
        reference_weight: of the words of the last reference; None to choose it on dev.
        decay: of the feedback, for each turn that it lies back; None to choose it on dev.
    """

    def __init__(
        self,
        *,
        k1: float = 1.2,
        b: float = 0.75,
        reference_weight: float | None = None,
        decay: float | None = None,
    ) -> None:
        if not (k1 >= 0 and 0 <= b <= 1):
            raise ValueError(f"k1 must be 0 or more, and b lie between 0 and 1, not {k1} and {b}")
        self.k1, self.b = k1, b
        self.reference_weight = 0.2 if reference_weight is None else reference_weight
        self.decay = 0.5 if decay is None else decay
        self._given = {"reference_weight": reference_weight is not None, "decay": decay is not None}
        self._catalogue: Catalogue | None = None
        self._indices: dict[tuple[str, ...], tuple[Any, sparse.csc_array]] = {}

    def fit(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Mapping[str, Any]:
        """Choose the weight of the reference, then the decay, on dev."""
        for option, values in (("reference_weight", REFERENCE_WEIGHTS), ("decay", DECAYS)):
            if not self._given[option]:
                best_on(dev, self, option, values)
        return {"reference_weight": self.reference_weight, "decay": self.decay}

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """BM25 scores, float32 (B, G); 0 where no word is shared."""
        vectorizer, documents = self._index_of(tuple(image_ids), catalogue)
        references = vectorizer.transform(catalogue.text(history.references[-1]) for history in histories)
        feedback = vectorizer.transform(text for history in histories for text in history.feedback)
        query = self.reference_weight * references + faded(histories, self.decay) @ feedback
        return np.asarray((query @ documents).toarray(), dtype=np.float32)

    def _index_of(self, image_ids: tuple[str, ...], catalogue: Catalogue) -> tuple[Any, sparse.csc_array]:
        """Word counter and weights (words, G) of a gallery, kept for the next histories on this catalogue."""
        if self._catalogue is not catalogue:
            self._catalogue, self._indices = catalogue, {}
        if image_ids not in self._indices:
            from sklearn.feature_extraction.text import CountVectorizer

            vectorizer = CountVectorizer(token_pattern=TOKEN, dtype=np.float64)
            texts = [catalogue.text(image) for image in image_ids]
            try:
                counts = sparse.csr_array(vectorizer.fit_transform(texts))
            except ValueError:  # not a word in the whole gallery
                vectorizer.fit(["nothing"])
                counts = sparse.csr_array((len(texts), 1))
            self._indices[image_ids] = (vectorizer, document_weights(counts, k1=self.k1, b=self.b).T.tocsc())
        return self._indices[image_ids]


def faded(histories: Sequence[History], decay: float) -> sparse.csr_array:
    """The weight of every turn in the query of its history, decay^age: (B, turns of all histories)."""
    lengths = np.array([len(history) for history in histories])
    rows = np.repeat(np.arange(len(histories)), lengths)
    age = np.repeat(np.cumsum(lengths), lengths) - 1 - np.arange(lengths.sum())
    return sparse.csr_array(
        (np.power(float(decay), age), (rows, np.arange(len(rows)))),
        shape=(len(histories), len(rows)),
    )


def document_weights(counts: sparse.csr_array, *, k1: float, b: float) -> sparse.csr_array:
    """BM25 weights of the words in each document, (G, words), of how often each has each."""
    n = counts.shape[0]
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = np.log1p((n - frequency + 0.5) / (frequency + 0.5))
    length = counts.sum(axis=1)
    norm = k1 * (1 - b + b * length / max(length.mean(), 1e-9))
    rows = np.repeat(np.arange(n), np.diff(counts.indptr))
    weights = counts.copy()
    weights.data = idf[counts.indices] * counts.data * (k1 + 1) / (counts.data + norm[rows])
    return weights
