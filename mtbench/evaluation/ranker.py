"""One door to the exact ranking engine: any model, any split, one gallery for each category."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History
from mtbench.evaluation.measures import Positions, macro, per_transaction
from mtbench.evaluation.ranking import Ranks, rank_embeddings, rank_scores
from mtbench.models.protocol import Catalogue, Model


@dataclass(frozen=True)
class Query:
    """One history to rank the gallery for, and the target that the engine, never the model, looks for."""

    history: History
    target: str


class Ranker:
    """Ranks galleries with one model.

    Args:
        model: an embedding or a scoring model.
        galleries: the candidates by category.
        catalogue: what the model may look up.
        depth: length of the lists; 0 for ranks alone.
    """

    def __init__(self, model: Model, galleries: dict[str, Gallery], catalogue: Catalogue, *, depth: int = 0) -> None:
        check_model(model)
        self.model = model
        self.galleries = galleries
        self.catalogue = catalogue
        self.depth = depth
        self._vectors: dict[str, npt.NDArray[np.float32]] = {}
        self._columns = {name: {i: n for n, i in enumerate(gallery.image_ids)} for name, gallery in galleries.items()}

    def rank(self, queries: Sequence[Query]) -> dict[str, tuple[npt.NDArray[np.int64], Ranks]]:
        """By category: which of the queries it has, and their ranks in its gallery."""
        found = {}
        for category in sorted({query.history.category for query in queries}):
            rows = [row for row, query in enumerate(queries) if query.history.category == category]
            found[category] = (np.array(rows), self._rank_category(category, [queries[row] for row in rows]))
        return found

    def positions(self, queries: Sequence[Query]) -> Positions:
        """Where each target stands, in the order of the queries, own references kept."""
        return in_order(self.rank(queries), len(queries))

    def _rank_category(self, category: str, queries: Sequence[Query]) -> Ranks:
        image_ids = self.galleries[category].image_ids
        column = self._columns[category]
        histories = [query.history for query in queries]
        targets = np.array([column.get(query.target, -1) for query in queries], dtype=np.int64)
        shown = [[column[image] for image in history.references if image in column] for history in histories]
        model: Any = self.model  # one of two protocols: which one, check_model and hasattr tell
        if not _missing(model):
            if category not in self._vectors:
                vectors = model.embed_images(image_ids, self.catalogue)
                self._vectors[category] = self._array("embed_images", vectors, len(image_ids))
            queried = model.embed_histories(histories, self.catalogue)
            return rank_embeddings(
                self._array("embed_histories", queried, len(histories)),
                self._vectors[category],
                targets,
                similarity=model.similarity,
                shown=shown,
                depth=self.depth,
            )
        return rank_scores(
            lambda rows: self._array("score", model.score(histories[rows], image_ids, self.catalogue)),
            len(histories),
            len(image_ids),
            targets,
            shown=shown,
            depth=self.depth,
        )

    def _array(self, method: str, values: Any, rows: int | None = None) -> npt.NDArray[Any]:
        """What a model gave, as an array of numbers; with ``rows``, one row for each thing asked about."""
        what = f"{type(self.model).__name__}.{method}"
        try:
            array = np.asarray(values)
        except (TypeError, ValueError, RuntimeError) as error:  # rows of different length; a tensor with gradients
            raise MtbenchError(f"{what} gives no array: {error}") from error
        if array.dtype.kind not in "fiub":
            raise MtbenchError(f"{what} gives no numbers, but {type(values).__name__} ({array.dtype})")
        if rows is not None and (array.ndim != 2 or len(array) != rows):
            raise MtbenchError(f"{what} gives shape {array.shape}, but ({rows}, d) was asked for")
        return array


def in_order(ranks: dict[str, tuple[npt.NDArray[np.int64], Ranks]], n: int, *, excluded: bool = False) -> Positions:
    """The positions of all categories in the order of the queries; ``excluded``: without images already shown."""
    greater, equal, candidates = (np.zeros(n, dtype=np.int64) for _ in range(3))
    for rows, found in ranks.values():
        positions = found.excluded if excluded else found.kept
        greater[rows], equal[rows], candidates[rows] = (
            positions.greater,
            positions.equal,
            positions.candidates,
        )
    return Positions(greater, equal, candidates)


def headline(positions: Positions, categories: Sequence[str]) -> float:
    """The one number that options are chosen by: the mean of R@5 and R@8, macro over categories."""
    return macro("mean", per_transaction(positions, ["mean"])["mean"], categories)


def check_model(model: object) -> None:
    """Refuse what is neither an embedding nor a scoring model, and say what is missing."""
    missing = _missing(model)
    if missing and not hasattr(model, "score"):
        raise MtbenchError(
            f"{type(model).__name__} is no model: it needs `score`, or `embed_histories`, `embed_images` and "
            f"`similarity`, and lacks {', '.join(missing)}"
        )


def _missing(model: object) -> list[str]:
    """What an embedding model has and this one has not."""
    return [name for name in ("embed_histories", "embed_images", "similarity") if not hasattr(model, name)]
