"""What the history is worth: hits with a turn dropped, shuffled, swapped or blanked, against hits as they were.

The age of a turn is the number of turns after it: the last turn has age 0.

=============  ====================================================================================================
drop           the history without the turn
shuffle        the words of its feedback in another order
swap           its reference and feedback from a turn of another dialogue, of the same age where there is one
blank text     nothing was said
blank image    nothing was shown (`mtbench.models.protocol.BLANK`)
swap earlier   all turns but the last from another dialogue that is as long or longer
drop earlier   the last turn alone
=============  ====================================================================================================

The **History Use Index** (specs, section 7) is what the hits lose by ``swap earlier``: above zero where the *content*
of the history helps. A model that merely averages over turns may lose by ``drop earlier`` without having a use for it,
and a model that reads the last turn alone has exactly 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.evaluation.cells import cell, cells, hits
from mtbench.evaluation.evaluators.changes import SWAP_EARLIER, Changed, changed
from mtbench.evaluation.measures import HEADLINE, Floats
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import NotAvailableError, Study

NOTES = (
    "Changes of the score (changed - as it was, paired): below zero where the turn helped. age: turns after it; 0 is "
    "the last turn.",
    f"HUI, the History Use Index: what `{SWAP_EARLIER[0]}` takes away, of the mean of R@5 and R@8. Above zero where "
    "the content of the earlier turns helps; a model that reads the last turn alone has 0.",
)


class Counterfactual:
    """History counterfactuals: what hits lose when a turn is dropped, shuffled, swapped or blanked.

    Args:
        per_age: how many dialogues are changed at each age, drawn where there are more; None for all. All are always
            asked without their earlier turns, and with those of another dialogue.
        by_turns: rows for each number of turns too, pooled over categories.
    """

    def __init__(self, *, per_age: int | None = 500, by_turns: bool = False) -> None:
        self.per_age = per_age
        self.by_turns = by_turns

    def run(self, study: Study) -> dict[str, Any]:
        """Rows: the paired change of R@5, R@8 and their mean by change and age, and the History Use Index.

        Raises:
            NotAvailableError: a file of final rankings.
        """
        whole, notes = study.once(self._measure)
        changes = {key: values[study.rows] for key, values in whole.items()}
        every = np.arange(len(study))
        rows = _rows(study, changes, every)
        for n, of in study.by_turns() if self.by_turns else ():
            rows += _rows(study, changes, of, pooled=True, turns=n)
        found: dict[str, Any] = {"n": len(study), "seed": study.seed, "rows": rows, "notes": [*NOTES, *notes]}
        if SWAP_EARLIER in changes and len(at := _changed_among(every, changes[SWAP_EARLIER])):
            lost = -changes[SWAP_EARLIER][at]
            found["history_use_index"] = cell(study, dict(zip(HEADLINE, lost.T, strict=True)), at)
        return found

    def _measure(self, study: Study) -> tuple[dict[Changed, Floats], list[str]]:
        """What each change does to R@5, R@8 and mean, float64 (n, 3), NaN where a transaction does not have it.

        What the model cannot do is left out, and said.
        """
        row_of = {t.transaction_id: row for row, t in enumerate(study.transactions)}
        made = changed(study, per_age=self.per_age)
        before = np.stack([*hits(study.positions).values()], axis=1)

        def ask(keys: Sequence[Changed]) -> dict[Changed, Floats]:
            where = [(key, row_of[name]) for key in keys for name in made[key]]
            asked = [history for key in keys for history in made[key].values()]
            positions = study.positions_of(asked, [study.targets[row] for _, row in where])
            found = {key: np.full_like(before, np.nan) for key in keys}
            for (key, row), after in zip(where, np.stack([*hits(positions).values()], axis=1), strict=True):
                found[key][row] = after - before[row]
            return found

        drawn = self.per_age is not None and len(study) > self.per_age
        notes = [f"At each age {self.per_age:,} dialogues at most, drawn."] if drawn else []
        try:
            return ask(list(made)), notes
        except NotAvailableError:
            raise
        except MtbenchError as error:
            first = error
        changes: dict[Changed, Floats] = {}
        for change in dict.fromkeys(change for change, _ in made):  # such as features that know no other texts
            try:
                changes |= ask([key for key in made if key[0] == change])
            except MtbenchError as error:
                notes.append(f"Left out: {change}. {str(error).splitlines()[0]}")
        if not changes:
            raise first
        return changes, notes


def _rows(
    study: Study, changes: Mapping[Changed, Floats], rows: Indices, *, pooled: bool = False, **labels: Any
) -> list[dict[str, Any]]:
    """Rows in the order of the changes; those about the same transactions share a bootstrap."""
    same: dict[tuple[int, ...], list[Changed]] = {}
    for key, values in changes.items():
        same.setdefault(tuple(_changed_among(rows, values).tolist()), []).append(key)
    found: dict[Changed, dict[str, Any]] = {}
    for some, keys in same.items():
        at = np.array(some, dtype=np.int64)
        table = [({"change": key[0], "age": key[1], **labels}, _measures(key, changes[key][at])) for key in keys]
        found |= dict(zip(keys, cells(study, table, at, pooled=pooled), strict=bool(some)))
    return [found[key] for key in changes if key in found]


def _measures(change: Changed, values: Floats) -> dict[str, Floats]:
    found: dict[str, Floats] = dict(zip(HEADLINE, values.T, strict=True))
    return {**found, "HUI": -found["mean"]} if change == SWAP_EARLIER else found


def _changed_among(rows: Indices, values: Floats) -> Indices:
    """Those of the rows that have a change."""
    found: Indices = rows[~np.isnan(values[rows, 0])]
    return found
