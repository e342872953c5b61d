"""Words as counts and as BM25 documents: what a lexical model learns from, and what it ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from torch import Tensor

from mtbench.core.errors import MtbenchError
from mtbench.core.types import History
from mtbench.models.bm25 import TOKEN, document_weights
from mtbench.models.learning.examples import Indices
from mtbench.models.protocol import Catalogue, Fold


def frequent(texts: Sequence[str], at_least: int) -> list[str]:
    """The words that so many of the texts have; sorted.

    >>> frequent(["No heel", "no heel, red"], 2)
    ['heel', 'no']
    """
    words_in = CountVectorizer(token_pattern=TOKEN).build_analyzer()
    found = Counter(word for text in texts for word in set(words_in(text)))
    return sorted(word for word, holders in found.items() if holders >= at_least)


def count(texts: Sequence[str], words: Sequence[str]) -> sparse.csr_array:
    """How often each of the words occurs in each of the texts, float32 (texts, words)."""
    if not words or not texts:
        return sparse.csr_array((len(texts), len(words)), dtype=np.float32)
    counter = CountVectorizer(token_pattern=TOKEN, vocabulary=words, dtype=np.float32)
    return sparse.csr_array(counter.transform(texts))


class Documents:
    """The words of a gallery with their BM25 weights: those that a model knows, and the others.

    Args:
        texts: of the G images.
        known: the V words that the model knows.
        k1, b: of BM25.

    Attributes:
        known: weights of the words that the model knows, float32 (G, V).
        names: the other words of the gallery, N of them.
        others: their weights, float32 (N, G).
    """

    def __init__(self, texts: Sequence[str], known: Sequence[str], *, k1: float, b: float) -> None:
        self.names = sorted(set(frequent(texts, 1)) - set(known))
        counts = count(texts, [*known, *self.names]).astype(np.float64)
        weights = document_weights(counts, k1=k1, b=b).astype(np.float32)
        self.known = sparse.csr_array(weights[:, : len(known)])
        self.others = sparse.csr_array(weights[:, len(known) :].T)


@dataclass(frozen=True)
class Lessons:
    """Every distinct turn of the training transactions, and where it led.

    Attributes:
        histories: the turn, with those before it if they are to be learned from.
        categories: of each, as a number.
        candidates: all images that the transactions of a category show or lead to, by that number.
        places: where the image that each turn led to stands among them.
    """

    histories: list[History]
    categories: Indices
    candidates: list[list[str]]
    places: Indices

    def texts(self, catalogue: Catalogue) -> tuple[list[str], list[str]]:
        """The words of every image, and every different feedback."""
        images = dict.fromkeys(image for some in self.candidates for image in some)
        said = dict.fromkeys(text for history in self.histories for text in history.feedback)
        return [catalogue.text(image) for image in images], list(said)


def lessons_of(fold: Fold, *, single_turns: bool) -> Lessons:
    """What a fold has to teach, in the order in which it occurs.

    Raises:
        MtbenchError: there are no transactions.
    """
    if not fold.histories:
        raise MtbenchError("the train part has no transactions to learn from")
    seen: dict[tuple[History, str], None] = {}
    images: dict[str, dict[str, int]] = {}
    for history, led_to in zip(fold.histories, fold.targets, strict=True):
        numbers = images.setdefault(history.category, {})
        for n, target in enumerate(led_to, 1):
            so_far = history.first(n)
            seen.setdefault((so_far.last(1) if single_turns else so_far, target))
            for image in (history.references[n - 1], target):
                numbers.setdefault(image, len(numbers))
    categories = {category: number for number, category in enumerate(images)}
    return Lessons(
        [history for history, _ in seen],
        np.array([categories[history.category] for history, _ in seen], dtype=np.int64),
        [list(numbers) for numbers in images.values()],
        np.array([images[history.category][target] for history, target in seen], dtype=np.int64),
    )


def sparse_tensor(matrix: sparse.csr_array) -> Tensor:
    """The same matrix for torch."""
    entries = matrix.tocoo()
    places = torch.from_numpy(np.stack(entries.coords).astype(np.int64))
    values = torch.from_numpy(entries.data)
    return torch.sparse_coo_tensor(places, values, entries.shape, check_invariants=True).coalesce()
