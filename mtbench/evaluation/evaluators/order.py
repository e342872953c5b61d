"""Does the order of the turns matter where it should not? The same turns in another order (FashionNTM, figure 6)."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal

import numpy as np

from mtbench.core.types import History
from mtbench.evaluation.cells import AVERAGES, Labelled, cells, excerpt
from mtbench.evaluation.evaluators.contradiction import RULE, contradicting
from mtbench.evaluation.evaluators.overlap import rbo
from mtbench.evaluation.measures import Floats, recall
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import NotAvailableError, Study

DEPTH = 50
ORDERS = 24
"""Of a dialogue with more, that many are drawn, the original among them: all there are of four turns."""

ALL, EARLIER = "all turns", "earlier turns"
MEASURES = ("RBO", "R@5", "reordered R@5", "change", "flips")

NOTES = (
    "all turns: any turn may come last. earlier turns: the last one stays, which is the fair question for a model that "
    "leans on the last reference; it takes three turns.",
    f"RBO: overlap of the first {DEPTH} images with those of the original order (p = 0.9): 100% for the same ranking. "
    "flips: share of orders that gain or lose the hit R@5. change: R@5 reordered minus original, paired.",
    f"Means over the orders of a transaction first, at most {ORDERS - 1} beside the original, then over transactions.",
    AVERAGES,
)


@dataclass(frozen=True)
class _Found:
    """Of all transactions: which do not contradict themselves (n,), and the measures by variant, float64 (n,)."""

    kept: Indices
    values: dict[str, dict[str, Floats]]


class Order:
    """Rankings and hits with the turns in every other order, where the feedback does not contradict itself.

    Args:
        what: ``turns`` moves a reference and its feedback together: the same turns, as in FashionNTM's figure 6.
            ``feedback`` moves the feedback alone, and the references stay where they are: the words are then about
            other images than their writer saw.
    """

    def __init__(self, *, what: Literal["turns", "feedback"] = "turns") -> None:
        self.what = what

    def run(self, study: Study) -> dict[str, Any]:
        """Rows by variant and number of turns; the key of each variant has what it comes to over all transactions.

        Raises:
            NotAvailableError: every dialogue has one turn or contradicts itself.
        """
        found, at = study.once(self._measure), study.rows
        kept = found.kept[at]
        rows: list[dict[str, Any]] = []
        overall: dict[str, Any] = {}
        for variant, least in ((ALL, 2), (EARLIER, 3)):
            several = np.flatnonzero(kept & (study.turns >= least))
            total = cells(study, [_labelled(found, variant, at[several], "all")], several)
            overall |= {row["reordered"]: excerpt(row, "RBO", "change", "flips") for row in total}
            rows += total
            for n, of in study.by_turns(least=least):
                of = of[kept[of]]
                rows += cells(study, [_labelled(found, variant, at[of], n)], of, pooled=True)
        n = int((kept & (study.turns >= 2)).sum())
        left_out = int((~kept).sum())
        by = "what is known of them" if study.benchmark.truth is not None else f"their words: {RULE}"
        return {
            "n": n,
            "seed": study.seed,
            "left_out": left_out,
            "what": self.what,
            **overall,
            "rows": rows,
            "notes": [f"{left_out:,} of {len(study):,} dialogues contradict themselves, by {by}: left out.", *NOTES],
        }

    def _measure(self, study: Study) -> _Found:
        names = [t.transaction_id for t in study.transactions]
        feedback = [history.feedback for history in study.histories]
        kept = ~np.array(contradicting(names, feedback, study.benchmark.truth), dtype=bool)
        chosen = np.flatnonzero(kept & (study.turns >= 2)).tolist()
        if not chosen:
            raise NotAvailableError("needs a dialogue of two turns or more that does not contradict itself")
        original = dict(zip(chosen, study.heads_of([study.histories[row] for row in chosen], DEPTH), strict=True))
        before = recall(study.positions, 5)
        groups = [
            (row, variant, other_orders(int(study.turns[row]), still, [study.seed, zlib.crc32(names[row].encode())]))
            for row in chosen
            for variant, still in ((ALL, 0), (EARLIER, 1))
        ]
        asked = [reordered(study.histories[row], order, self.what) for row, _, some in groups for order in some]
        targets = [study.targets[row] for row, _, some in groups for _ in some]
        after = recall(study.positions_of(asked, targets, depth=DEPTH), 5)
        heads = study.heads_of(asked, DEPTH)
        values = {variant: {name: np.full(len(study), np.nan) for name in MEASURES} for variant in (ALL, EARLIER)}
        start = 0
        for row, variant, some in groups:
            here = slice(start, start := start + len(some))
            if some:
                overlap = float(np.mean([rbo(original[row], head) for head in heads[here]]))
                change = after[here] - before[row]
                found = (overlap, before[row], after[here].mean(), change.mean(), np.abs(change).mean())
                for name, value in zip(MEASURES, found, strict=True):
                    values[variant][name][row] = value
        return _Found(kept, values)


def other_orders(turns: int, still: int, seed: Sequence[int]) -> list[tuple[int, ...]]:
    """Orders of a dialogue beside the original one: all of them, or a sample where there are more than `ORDERS`.

    Args:
        turns: how many there are.
        still: how many stay at the end.
        seed: of the sample.
    """
    moving, rest = turns - still, tuple(range(turns - still, turns))
    if math.factorial(moving) <= ORDERS:
        return [(*order, *rest) for order in permutations(range(moving))][1:]
    rng = np.random.default_rng(seed)
    drawn = {tuple(range(moving)): None}
    while len(drawn) < ORDERS:
        drawn.setdefault(tuple(rng.permutation(moving).tolist()))
    return [(*order, *rest) for order in drawn][1:]


def reordered(history: History, order: Sequence[int], what: str = "turns") -> History:
    """The history with its turns, or with its feedback alone, in another order."""
    references = tuple(history.references[turn] for turn in order) if what == "turns" else history.references
    return History(history.category, references, tuple(history.feedback[turn] for turn in order))


def _labelled(found: _Found, variant: str, at: Indices, turns: int | str) -> Labelled:
    return {"reordered": variant, "turns": turns}, {name: v[at] for name, v in found.values[variant].items()}
