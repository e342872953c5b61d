"""How long an answer takes: all dialogues at once, one turn at a time, and what no model can go below.

``interactive`` asks as a conversation does: after every turn of a dialogue, one history, scores for the whole gallery,
the first ten. A model that offers ``step(turn, state, catalogue) -> (embedding, state)`` gets each turn as a history of
one turn, with the state that it returned before (None at first). The vectors of the gallery are there before; making
them is timed alone. ``floor`` is the bare product of the gallery with one vector, for an embedding model: in the same
run, on the same arrays.

Times are of this machine in this state; compare models of one run only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from mtbench.core.types import History
from mtbench.evaluation.measures import Floats, macro, recall
from mtbench.evaluation.ranker import Ranker, is_embedding
from mtbench.evaluation.ranking import Array
from mtbench.evaluation.study import Study
from mtbench.models.aggregators import unit

HEAD = 10

NOTES = (
    "Times vary from run to run and from machine to machine: compare models of one run only.",
    "ms per turn, ms per transaction: batch: total / n, with whatever the evaluators before have warmed; else the "
    "median. p95: 95% are faster. floor: the gallery times one vector, nothing else.",
)


class Latency:
    """Milliseconds per turn and per transaction, in a batch and interactively, against a bare product.

    Args:
        transactions: how many dialogues are asked interactively.
    """

    parts = False

    def __init__(self, *, transactions: int = 50) -> None:
        self.transactions = transactions

    def run(self, study: Study) -> dict[str, Any]:
        """Rows: batch, interactive, floor and gallery; times in ms.

        Raises:
            NotAvailableError: a file of rankings.
        """
        _ = study.model
        ranker = study.ranker
        assert isinstance(ranker, Ranker)  # what study.model has made sure of
        n = min(self.transactions, len(study))
        chosen = np.random.default_rng(study.seed).permutation(len(study))[:n]
        answering = _Answering(ranker, sorted(set(study.categories)))
        histories = [study.histories[row] for row in chosen.tolist()]
        dialogues = [[history.first(turns + 1) for turns in range(len(history))] for history in histories]
        answering.dialogue(dialogues[0])  # warm-up: what is made on first use, and caches
        answering.bare.clear()
        times = [answering.dialogue(turns) for turns in dialogues]
        per_turn = np.array([ms for some in times for ms in some])
        per_transaction = np.array([sum(some) for some in times])

        batch = _ms(lambda: ranker.ask(study.histories, [[target] for target in study.targets]))
        rows = [
            _row("batch", len(study), np.array([batch / study.turns.sum()]), np.array([batch / len(study)])),
            _row("interactive, step" if answering.steps else "interactive", n, per_turn, per_transaction),
        ]
        if answering.vectors:
            rows.append(_row("floor: bare product", n, np.array(answering.bare), None))
            for row in rows:
                row["x floor"] = row["ms per turn"] / rows[-1]["ms per turn"]
            images = sum(map(len, answering.vectors.values()))
            rows.append({"mode": "gallery", "n": images, "ms per image": answering.gallery_ms / images})
        return {
            "n": n,
            "seed": study.seed,
            "recall": macro("R@5", recall(study.positions, 5), study.categories),
            "ms_per_transaction": float(np.median(per_transaction)),
            "ms_per_turn": float(np.median(per_turn)),
            "gallery": {c: len(ranker.galleries[c]) for c in answering.categories},
            "rows": rows,
            "notes": [*NOTES],
        }


class _Answering:
    """A model in front of galleries whose vectors are made, one history at a time."""

    def __init__(self, ranker: Ranker, categories: Sequence[str]) -> None:
        self.model: Any = ranker.model
        self.categories = categories
        self._ranker = ranker
        self.vectors: dict[str, Array] = {}
        self.gallery_ms = 0.0
        self.bare: list[float] = []
        if is_embedding(self.model):
            self._embed()
        self.steps = bool(self.vectors) and hasattr(self.model, "step")

    def _embed(self) -> None:
        for category in self.categories:
            ids = self._ranker.galleries[category].image_ids
            start = perf_counter()
            found = np.asarray(self.model.embed_images(ids, self._ranker.catalogue), dtype=np.float32)
            self.gallery_ms += 1000 * (perf_counter() - start)
            self.vectors[category] = np.ascontiguousarray(self._unit(found))

    def dialogue(self, histories: Sequence[History]) -> list[float]:
        """The time of each answer of a dialogue, in ms."""
        times = []
        state: Any = None
        for history in histories:
            start = perf_counter()
            if self.steps:
                found, state = self.model.step(history.last(1), state, self._ranker.catalogue)
            elif self.vectors:
                found = self.model.embed_histories([history], self._ranker.catalogue)
            if self.vectors:
                vector = self._unit(np.asarray(found, dtype=np.float32).reshape(1, -1))[0]
                scores = self.vectors[history.category] @ vector
            else:
                scores = self._scores(history)
            first = np.argpartition(-scores, min(HEAD, len(scores)) - 1)[:HEAD]
            first[np.argsort(-scores[first])]
            times.append(1000 * (perf_counter() - start))
            if self.vectors:  # at once, so that whatever else the machine does weighs on both
                self.bare.append(_ms(lambda of=self.vectors[history.category], by=vector: of @ by))  # type: ignore[misc]
        return times

    def _scores(self, history: History) -> Array:
        ids = self._ranker.galleries[history.category].image_ids
        scores = np.asarray(self.model.score([history], ids, self._ranker.catalogue), dtype=np.float32)
        return scores.reshape(-1)

    def _unit(self, vectors: Array) -> Array:
        return unit(vectors) if self.model.similarity == "cosine" else vectors


def _ms(action: Callable[[], object]) -> float:
    start = perf_counter()
    action()
    return 1000 * (perf_counter() - start)


def _row(mode: str, n: int, turn: Floats, transaction: Floats | None) -> dict[str, Any]:
    """Medians, and the 95th percentiles where there is more than one time."""
    row: dict[str, Any] = {"mode": mode, "n": n, "ms per turn": float(np.median(turn))}
    if len(turn) > 1:
        row["p95 per turn"] = float(np.quantile(turn, 0.95))
    if transaction is not None:
        row["ms per transaction"] = float(np.median(transaction))
        if len(transaction) > 1:
            row["p95 per transaction"] = float(np.quantile(transaction, 0.95))
    return row
