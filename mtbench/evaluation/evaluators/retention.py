"""Is what was asked for still fulfilled at the end? Precision of the first images by the age of the request.

A request is one attribute asked for at turn j of N; its age is N - j, the number of turns after it (specs, sections 7
and 8). Its precision at K is the share of the first K images, after the last turn, that have the attribute. Beside it
stands the base rate, the attribute's share of the gallery: what a random ranking gets.

Naming trap: FashionNTM's Fig. 5 ("memory retention") shows examples, not a measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtbench.evaluation.cells import cell
from mtbench.evaluation.evaluators.cutoffs import cutoffs
from mtbench.evaluation.evaluators.requests import Requests, requests_of
from mtbench.evaluation.measures import Floats
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import NotAvailableError, Study

CUTOFFS = (5, 10)

NOTES = (
    "precision@K: share of the first K images that have an attribute that was asked for, by how many turns ago it was "
    "(age). base rate: its share of the gallery. lift@K: precision - base rate, paired.",
    "n: transactions with a request of that age. Older requests come from longer dialogues only.",
)


class Retention:
    """Whether an attribute asked for at turn j holds in the top 5 and 10 at the end, by age of the request.

    Equal scores are in the order of the gallery, as in the run that is written. Images of which no attribute is known
    count neither for nor against; first images none of which is known have the base rate for their precision. A
    file's transaction without a ranking has precision 0.

    Args:
        by_turns: rows for each number of turns too, pooled over categories: old requests are found in long
            dialogues only, so that ages differ in more than age.
    """

    def __init__(self, *, by_turns: bool = False) -> None:
        self.by_turns = by_turns

    def run(self, study: Study) -> dict[str, Any]:
        """Rows by age. A transaction counts once at each age: the mean of its requests of that age.

        Raises:
            NotAvailableError: neither true attributes nor attribute words; no request among all transactions; or
                rankings that are too short.
        """
        requests, ks, notes, whole = study.once(_measure)
        values = {age: of[study.rows] for age, of in sorted(whole.items())}

        def table(rows: Indices, *, pooled: bool = False, **labels: Any) -> list[dict[str, Any]]:
            found = []
            for age, of in values.items():
                if len(at := rows[~np.isnan(of[rows, 0])]):
                    about = {"age": age, "requests": requests.source, **labels}
                    found.append(cell(study, _measures(of[at], ks), at, pooled=pooled, **about))
            return found

        rows = table(np.arange(len(study)))
        for n, long in study.by_turns() if self.by_turns else ():
            rows += table(long, pooled=True, turns=n)
        return {
            "n": int(np.any([~np.isnan(of[:, 0]) for of in values.values()], axis=0).sum()),
            "seed": study.seed,
            "requests": requests.source,
            "rows": rows,
            "notes": [*NOTES, *requests.notes, *notes],
        }


def _measure(study: Study) -> tuple[Requests, list[int], list[str], dict[int, Floats]]:
    """The requests of a whole study, the cut-offs that can be told, why others cannot, and the values by age.

    Values are the base rate, then the precision at each of K cut-offs, float64 (n, 1 + K): means over the requests of
    that age; NaN for a transaction that has none.
    """
    requests = requests_of(study)
    if not any(requests.asked):
        raise NotAvailableError(f"finds no request for an attribute in the {study.split} part")
    ks, notes = cutoffs(study, CUTOFFS)
    return requests, ks, notes, _precisions(study, requests, ks)


def _precisions(study: Study, requests: Requests, ks: Sequence[int]) -> dict[int, Floats]:
    heads = study.heads_of(study.histories, max(ks))
    rates: dict[tuple[str, object], float] = {}
    found: dict[tuple[int, int], list[list[float]]] = {}
    for row, (asked, head, category) in enumerate(zip(requests.asked, heads, study.categories, strict=True)):
        told = [[image for image in head[:k] if image in requests.known] for k in ks]
        for age, attribute in asked:
            holding = requests.holders[attribute]
            if (category, attribute) not in rates:
                candidates = requests.known.intersection(study.ranker.galleries[category].image_ids)
                rates[category, attribute] = len(holding & candidates) / max(1, len(candidates))
            rate = rates[category, attribute]
            unknown = rate if head else 0.0  # the same transactions count for every model
            precisions = [len(holding.intersection(some)) / len(some) if some else unknown for some in told]
            found.setdefault((age, row), []).append([rate, *precisions])
    values = {age: np.full((len(study), 1 + len(ks)), np.nan) for age, _ in found}
    for (age, row), of in found.items():
        values[age][row] = np.mean(of, axis=0)
    return values


def _measures(values: Floats, ks: Sequence[int]) -> dict[str, Floats]:
    rate, *precisions = values.T
    at = dict(zip(ks, precisions, strict=True))
    return {
        **{f"precision@{k}": precision for k, precision in at.items()},
        "base rate": rate,
        **{f"lift@{k}": precision - rate for k, precision in at.items()},
    }
