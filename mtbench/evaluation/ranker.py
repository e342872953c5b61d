"""One door to the exact ranking engine: any model, any histories, one gallery for each category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History, Transaction
from mtbench.evaluation.measures import HEADLINE, Positions, macro, per_transaction
from mtbench.evaluation.ranking import Array, Indices, Ranks, rank_embeddings, rank_scores
from mtbench.models.protocol import Catalogue, Fold, Model

Asked: TypeAlias = History | tuple[History, ...]
"""What a gallery is ranked for. Several histories are one query: the mean of their vectors (brought to length 1 for a
cosine) or of their scores, which is the no-memory aggregator "mean" when each holds one turn."""

AT_ONCE = 8192
"""Histories embedded in one call, so that the memory of a model stays bounded."""


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

    def __init__(self, model: Model, galleries: Mapping[str, Gallery], catalogue: Catalogue, *, depth: int = 0) -> None:
        check_model(model)
        self.model = model
        self.galleries = galleries
        self.catalogue = catalogue
        self.depth = depth
        self._vectors: dict[str, Array] = {}
        self._columns = {name: {i: n for n, i in enumerate(gallery.image_ids)} for name, gallery in galleries.items()}

    def rank(self, queries: Sequence[Query]) -> dict[str, tuple[Indices, Ranks]]:
        """By category: which of the queries it has, and their ranks in its gallery."""
        return self.ask([query.history for query in queries], [[query.target] for query in queries], depth=self.depth)

    def positions(self, queries: Sequence[Query]) -> Positions:
        """Where each target stands, in the order of the queries, own references kept."""
        return in_order(self.rank(queries), len(queries))

    def ask(
        self, asked: Sequence[Asked], targets: Sequence[Sequence[str]], *, depth: int = 0
    ) -> dict[str, tuple[Indices, Ranks]]:
        """By category: which of ``asked`` it has, and the ranks of all their targets, one after the other."""
        categories = [category_of(one) for one in asked]
        found = {}
        for category in sorted(set(categories)):
            rows = [row for row, name in enumerate(categories) if name == category]
            ranks = self._ask(category, [asked[row] for row in rows], [targets[row] for row in rows], depth)
            found[category] = (np.array(rows, dtype=np.int64), ranks)
        return found

    def _ask(self, category: str, asked: Sequence[Asked], targets: Sequence[Sequence[str]], depth: int) -> Ranks:
        image_ids, column = self.galleries[category].image_ids, self._columns[category]
        columns = np.array([column.get(image, -1) for each in targets for image in each], dtype=np.int64)
        rows = np.repeat(np.arange(len(asked)), [len(each) for each in targets])
        shown = [[column[image] for image in shown_in(one) if image in column] for one in asked]
        model: Any = self.model  # one of two protocols: which one, check_model and hasattr tell
        if is_embedding(model):
            return rank_embeddings(
                self._queries(asked),
                self._gallery(category),
                columns,
                similarity=model.similarity,
                rows=rows,
                shown=shown,
                depth=depth,
            )
        return rank_scores(
            lambda where: self._scores(asked[where], image_ids),
            len(asked),
            len(image_ids),
            columns,
            rows=rows,
            shown=shown,
            depth=depth,
        )

    def _gallery(self, category: str) -> Array:
        """The vectors of a gallery, embedded once: (G, d)."""
        if category not in self._vectors:
            model: Any = self.model
            image_ids = self.galleries[category].image_ids
            vectors = model.embed_images(image_ids, self.catalogue)
            self._vectors[category] = self._array("embed_images", vectors, len(image_ids))
        return self._vectors[category]

    def _queries(self, asked: Sequence[Asked]) -> Array:
        """One vector for each: (Q, d)."""
        model: Any = self.model
        histories, of = _flat(asked)
        parts = []
        for start in range(0, len(histories), AT_ONCE):
            some = histories[start : start + AT_ONCE]
            parts.append(self._array("embed_histories", model.embed_histories(some, self.catalogue), len(some)))
        vectors = np.concatenate(parts)
        if len(vectors) == len(asked):
            return vectors
        if model.similarity == "cosine":
            norms = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.where(norms == 0, 1, norms)
        return _means(vectors, of)

    def _scores(self, asked: Sequence[Asked], image_ids: Sequence[str]) -> Array:
        """The scores of a block of queries: (B, G)."""
        model: Any = self.model
        histories, of = _flat(asked)
        scores = self._array("score", model.score(histories, image_ids, self.catalogue))
        return scores if len(histories) == len(asked) else _means(scores, of)

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


def category_of(asked: Asked) -> str:
    """The category whose gallery is ranked."""
    return asked.category if isinstance(asked, History) else asked[0].category


def shown_in(asked: Asked) -> tuple[str, ...]:
    """The images that were shown: the references of all turns."""
    if isinstance(asked, History):
        return asked.references
    return tuple(image for history in asked for image in history.references)


def in_order(ranks: Mapping[str, tuple[Indices, Ranks]], n: int, *, excluded: bool = False) -> Positions:
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


def fold_of(
    transactions: Sequence[Transaction],
    galleries: Mapping[str, Gallery],
    catalogue: Catalogue,
    *,
    held: Mapping[str, Gallery] = MappingProxyType({}),
) -> Fold:
    """Transactions to learn from or to choose options on, scored by the same engine as those of the test part.

    Args:
        transactions: with their answers.
        galleries: the candidates that they are scored among.
        catalogue: of the model.
        held: the candidates of the test part.
    """
    queries = [Query(t.history(joiner=catalogue.joiner), t.target) for t in transactions]
    categories = [t.category for t in transactions]

    def measures(model: Any) -> dict[str, float]:
        positions = Ranker(model, galleries, catalogue).positions(queries)
        found = per_transaction(positions, HEADLINE)
        return {name: macro(name, found[name], categories) for name in HEADLINE}

    def single_turns() -> Fold:
        turns = dict.fromkeys((t.category, turn) for t in transactions for turn in t.turns)
        alone = [Transaction(f"turn {n}", category, (turn,)) for n, (category, turn) in enumerate(turns)]
        return fold_of(alone, galleries, catalogue, held=held)

    targets = [tuple(turn.target for turn in t.turns) for t in transactions]
    said = [tuple(turn.feedback for turn in t.turns) for t in transactions]
    free = _free(galleries, held, {(t.category, turn.target) for t in transactions for turn in t.turns})
    return Fold([query.history for query in queries], targets, free, measures, single_turns, said)


def _free(
    galleries: Mapping[str, Gallery], held: Mapping[str, Gallery], targets: Set[tuple[str, str]]
) -> dict[str, Gallery]:
    """Galleries without the candidates of test, but for the targets of these transactions."""
    found = {}
    for category, gallery in galleries.items():
        others = frozenset(held[category].image_ids) if category in held else frozenset()
        free = tuple(image for image in gallery.image_ids if image not in others or (category, image) in targets)
        found[category] = gallery if len(free) == len(gallery) else replace(gallery, image_ids=free)
    return found


def check_model(model: object) -> None:
    """Refuse what is neither an embedding nor a scoring model, and say what is missing."""
    missing = _missing(model)
    if missing and not hasattr(model, "score"):
        raise MtbenchError(
            f"{type(model).__name__} is no model: it needs `score`, or `embed_histories`, `embed_images` and "
            f"`similarity`, and lacks {', '.join(missing)}"
        )


def is_embedding(model: object) -> bool:
    """Whether a model gives vectors; else it gives scores."""
    return not _missing(model)


def _flat(asked: Sequence[Asked]) -> tuple[list[History], Indices]:
    """All histories, and the query that each belongs to."""
    lists = [[one] if isinstance(one, History) else list(one) for one in asked]
    of = np.repeat(np.arange(len(lists)), [len(some) for some in lists])
    return [history for some in lists for history in some], of


def _means(rows: npt.NDArray[Any], of: Indices) -> Array:
    """The mean of the rows of each query."""
    first = np.searchsorted(of, np.arange(of[-1] + 1))
    return np.asarray(np.add.reduceat(rows, first, axis=0) / np.bincount(of)[:, None], dtype=np.float32)


def _missing(model: object) -> list[str]:
    """What an embedding model has and this one has not."""
    return [name for name in ("embed_histories", "embed_images", "similarity") if not hasattr(model, name)]
