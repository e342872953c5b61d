"""Is what was asked for still fulfilled at the end? Precision of the first images by the age of the request.

A request is one attribute asked for at turn j of N; its age is N - j, the number of turns after it (specs, sections 7
and 8). Its precision at K is the share of the first K images, after the last turn, that have the attribute. Beside it
stands the base rate, the attribute's share of the gallery: what a random ranking gets.

Naming trap: FashionNTM's Fig. 5 ("memory retention") shows examples, not a measure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from mtbench.evaluation.cells import cell
from mtbench.evaluation.evaluators.beside import ForWhole, cutoffs, rows_of_whole
from mtbench.evaluation.evaluators.requests import Requests, requests_of
from mtbench.evaluation.study import NotAvailableError, Study

CUTOFFS = (5, 10)


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
        self._values = ForWhole(_values)

    def run(self, study: Study) -> dict[str, Any]:
        """Rows by age. A transaction counts once at each age: the mean of its requests of that age.

        Raises:
            NotAvailableError: neither true attributes nor attribute words; or no request among all transactions.
        """
        requests, ks, notes, whole = self._values(study)
        place = {row: n for n, row in enumerate(rows_of_whole(study).tolist())}
        values = {
            age: some for age, of in whole.items() if (some := {place[row]: v for row, v in of.items() if row in place})
        }
        rows = [_row(study, of, ks, age=age, requests=requests.source) for age, of in sorted(values.items())]
        for n in sorted(set(study.turns.tolist())) if self.by_turns else ():
            for age, of in sorted(values.items()):
                some = {row: v for row, v in of.items() if study.turns[row] == n}
                if some:
                    rows.append(_row(study, some, ks, pooled=True, age=age, requests=requests.source, turns=n))
        return {
            "n": len({row for of in values.values() for row in of}),
            "seed": study.seed,
            "requests": requests.source,
            "rows": rows,
            "notes": [*_NOTES, *requests.notes, *notes],
        }


_NOTES = [
    "precision@K: share of the first K images that have an attribute that was asked for, by how many turns ago it was "
    "(age). base rate: its share of the gallery. lift@K: precision - base rate, paired.",
    "n: transactions with a request of that age. Older requests come from longer dialogues only.",
]


Values: TypeAlias = dict[int, dict[int, list[float]]]
"""By age and transaction: the base rate, then precision at each K; means over its requests of that age."""


def _values(study: Study) -> tuple[Requests, list[int], list[str], Values]:
    """The requests of a whole study, the cut-offs that can be told, why others cannot, and the values."""
    requests = requests_of(study)
    if not any(requests.asked):
        raise NotAvailableError(f"finds no request for an attribute in the {study.split} part")
    ks, notes = cutoffs(study, CUTOFFS)
    if not ks:
        raise NotAvailableError(f"needs {CUTOFFS[0]} images for each transaction; the rankings are shorter")
    return requests, ks, notes, _precisions(study, requests, ks)


def _precisions(study: Study, requests: Requests, ks: Sequence[int]) -> Values:
    heads = study.heads_of(study.histories, max(ks))
    rates: dict[tuple[str, object], float] = {}
    found: dict[int, dict[int, list[list[float]]]] = {}
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
            found.setdefault(age, {}).setdefault(row, []).append([rate, *precisions])
    return {age: {row: np.mean(v, axis=0).tolist() for row, v in of.items()} for age, of in found.items()}


def _row(
    study: Study, of: Mapping[int, Sequence[float]], ks: Sequence[int], *, pooled: bool = False, **labels: Any
) -> dict[str, Any]:
    table = np.array(list(of.values()))
    values = {f"precision@{k}": table[:, 1 + i] for i, k in enumerate(ks)}
    values |= {"base rate": table[:, 0], **{f"lift@{k}": table[:, 1 + i] - table[:, 0] for i, k in enumerate(ks)}}
    return cell(study, values, np.array(list(of), dtype=np.int64), pooled=pooled, **labels)
