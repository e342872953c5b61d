"""The memorisation baseline: a table of what was seen, with BM25 behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtbench.core.types import History
from mtbench.models.bm25 import BM25
from mtbench.models.protocol import Array, Catalogue, Fold


class Lookup:
    """A table of training pairs: images that followed the last reference come first, in the order of BM25.

    It understands nothing. What it scores above ``bm25`` is what a split gives away to memorisation. The table is
    filled from train and dev: both are there to be learned from.
    """

    def __init__(self) -> None:
        self._behind = BM25()
        self._followed: dict[tuple[str, str], set[str]] = {}

    def fit(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Mapping[str, Any]:
        """Fill the table; choose the weights of BM25 on dev, without the table."""
        for fold in (train, dev):
            for history, targets in zip(fold.histories, fold.targets, strict=True):
                for reference, target in zip(history.references, targets, strict=True):
                    self._followed.setdefault((history.category, reference), set()).add(target)
        return {"references": len(self._followed), **self._behind.fit(train, dev, catalogue)}

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """BM25, lifted above every other image for those that followed the last reference, float32 (B, G)."""
        scores = self._behind.score(histories, image_ids, catalogue)
        lift = 1 + scores.max(axis=1)  # BM25 is never negative: its idf is not
        column = {image: position for position, image in enumerate(image_ids)}
        for row, history in enumerate(histories):
            seen = self._followed.get((history.category, history.references[-1]), ())
            scores[row, [column[image] for image in seen if image in column]] += lift[row]
        return scores
