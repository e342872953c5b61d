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
and a model that reads the last turn alone has exactly 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.evaluation.cells import cell, hits
from mtbench.evaluation.evaluators.beside import ForWhole, rows_beside, rows_of_whole
from mtbench.evaluation.evaluators.changes import SWAP_EARLIER, Changed, changed
from mtbench.evaluation.measures import Floats
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import NotAvailableError, Study


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
        self._changes = ForWhole(self._asked)

    def run(self, study: Study) -> dict[str, Any]:
        """Rows: the paired change of R@5, R@8 and their mean by change and age, and the History Use Index.

        Raises:
            NotAvailableError: a file of final rankings.
        """
        whole, notes = self._changes(study)
        own = rows_of_whole(study)
        changes = {key: of for key, change in whole.items() if len((of := change.among(own)).rows)}
        rows = _rows(study, changes)
        for n in sorted(set(study.turns.tolist())) if self.by_turns else ():
            long = np.flatnonzero(study.turns == n)
            some = {key: of for key, change in changes.items() if len((of := change.only(long)).rows)}
            rows += _rows(study, some, pooled=True, turns=n)
        found: dict[str, Any] = {"n": len(study), "seed": study.seed, "rows": rows, "notes": [*_NOTES, *notes]}
        if SWAP_EARLIER in changes:
            lost = {name: -column for name, column in changes[SWAP_EARLIER].values.items()}
            found["history_use_index"] = cell(study, lost, changes[SWAP_EARLIER].rows)
        return found

    def _asked(self, study: Study) -> tuple[dict[Changed, _Change], list[str]]:
        """The change in hits by change and age; what the model cannot do is left out, and said."""
        row_of = {t.transaction_id: row for row, t in enumerate(study.transactions)}
        made = changed(study, per_age=self.per_age)

        def ask(keys: Sequence[Changed]) -> dict[Changed, _Change]:
            rows = {key: np.array([row_of[name] for name in made[key]], dtype=np.int64) for key in keys}
            asked = [history for key in keys for history in made[key].values()]
            positions = study.positions_of(asked, [study.targets[row] for key in keys for row in rows[key]])
            parts = np.split(np.arange(len(asked)), np.cumsum([len(made[key]) for key in keys])[:-1])
            found = {}
            for key, part in zip(keys, parts, strict=True):
                before, after = hits(study.positions.take(rows[key])), hits(positions.take(part))
                found[key] = _Change(rows[key], {name: after[name] - before[name] for name in after})
            return found

        drawn = self.per_age is not None and len(study) > self.per_age
        notes = [f"At each age {self.per_age:,} dialogues at most, drawn."] if drawn else []
        try:
            return ask(list(made)), notes
        except NotAvailableError:
            raise
        except MtbenchError as error:
            first = error
        changes: dict[Changed, _Change] = {}
        for change in dict.fromkeys(change for change, _ in made):  # such as features that know no other texts
            try:
                changes |= ask([key for key in made if key[0] == change])
            except MtbenchError as error:
                notes.append(f"Left out: {change}. {str(error).splitlines()[0]}")
        if not changes:
            raise first
        return changes, notes


@dataclass(frozen=True)
class _Change:
    """Some transactions, (r,), and the change in each of their measures, (r,) each."""

    rows: Indices
    values: Mapping[str, Floats]

    def only(self, rows: Indices) -> _Change:
        """For those of ``rows`` alone."""
        keep = np.isin(self.rows, rows)
        return _Change(self.rows[keep], {name: column[keep] for name, column in self.values.items()})

    def among(self, rows: Indices) -> _Change:
        """For those of ``rows`` alone, which are then counted by their place in it."""
        some = self.only(rows)
        place = np.zeros(int(rows.max(initial=-1)) + 1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        return _Change(place[some.rows], some.values)


_NOTES = [
    "Changes of the score (changed - as it was, paired): below zero where the turn helped. age: turns after it; 0 is "
    "the last turn.",
    f"HUI, the History Use Index: what `{SWAP_EARLIER[0]}` takes away, of the mean of R@5 and R@8. Above zero where "
    "the content of the earlier turns helps; a model that reads the last turn alone has 0.",
]


def _rows(study: Study, changes: Mapping[Changed, _Change], **options: Any) -> list[dict[str, Any]]:
    """Rows in the order of the changes; those about the same transactions share a bootstrap."""
    same: dict[bytes, list[Changed]] = {}
    for key, change in changes.items():
        same.setdefault(change.rows.tobytes(), []).append(key)
    rows: dict[Changed, dict[str, Any]] = {}
    for keys in same.values():
        values = {str(key): dict(changes[key].values) for key in keys}
        if SWAP_EARLIER in keys:
            values[str(SWAP_EARLIER)]["HUI"] = -changes[SWAP_EARLIER].values["mean"]
        found = rows_beside(study, values, "change", changes[keys[0]].rows, **options)
        rows |= {key: {**row, "change": key[0]} for key, row in zip(keys, found, strict=True)}
    return [{"change": key[0], "age": key[1], **rows[key]} for key in changes]
