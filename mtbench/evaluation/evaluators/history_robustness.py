"""How much do earlier turns help? The last k turns of every dialogue, with a model's memory and without one.

FashionNTM, table 4, for dialogues of any length. "Without memory" is unstated there; here it is two things that any
model can do: `mean`, the mean of its answers to each turn alone, and `roll-out`, one turn at a time, where what it
found takes the place of the next reference.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mtbench.core.types import History
from mtbench.evaluation.cells import AVERAGES, Labelled, cells, excerpt, hits
from mtbench.evaluation.evaluators.closed_loop import UNSEEN, unseen
from mtbench.evaluation.measures import HEADLINE, Floats
from mtbench.evaluation.ranker import Asked
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import Study

VARIANTS = ("model", "mean", "roll-out")
ONE = "only final turn"

NOTES = (
    "last: how many turns were shown, counted from the end. gain: `mean` of R@5 and R@8 minus that of the final turn "
    "alone, paired by transaction.",
    "model: the model on these turns. mean: the mean of its answers to each turn alone. roll-out: one turn at a time, "
    "what was found takes the place of the next reference.",
    UNSEEN,
    AVERAGES,
)
FEW = 200
"""Below this many transactions an interval of R@5 is some ten points wide."""
SMALL = "Cells of {} turns hold few transactions: read their intervals."
PUBLISHED = (
    "FashionNTM's table 4 has four turns alone: 165 transactions of Multi-turn FashionIQ, 131 of which end in a "
    "training pair."
)


class HistoryRobustness:
    """Recall with only the last k turns, with the model's memory and with none (FashionNTM, table 4)."""

    def run(self, study: Study) -> dict[str, Any]:
        """Rows by number of turns, k and variant; ``gain`` has the overall gain of all turns over the final one."""
        found = {variant: values[:, study.rows] for variant, values in study.once(_measure).items()}
        several = np.flatnonzero(study.turns >= 2)
        overall = cells(study, _labelled(found, several, study.turns[several], "all"), several)
        rows = list(overall)
        lengths = study.by_turns(least=2)
        few = ", ".join(str(n) for n, of in lengths if len(of) < FEW)
        for n, of in lengths:
            table: list[Labelled] = []
            for k in range(1, n + 1):
                table += _labelled(found, of, np.full(len(of), k), n, k)
            rows += cells(study, table, of, pooled=True)
        return {
            "n": len(several),
            "seed": study.seed,
            "gain": {row["variant"]: excerpt(row, "gain") for row in overall if "gain" in row},
            "rows": rows,
            "notes": [*NOTES, *([SMALL.format(few)] if few else []), *([PUBLISHED] if study.turns.max() == 4 else [])],
        }


def _labelled(
    found: dict[str, Floats], rows: Indices, last: Indices, turns: int | str, k: int | str = "all"
) -> list[Labelled]:
    """The rows of one k, or those of all turns, with the final turn alone before them.

    Args:
        found: R@5, R@8 and mean by variant, k - 1 and transaction, float64 (k, n, 3).
        rows: transactions, int64 (r,).
        last: how many turns of each are shown, int64 (r,).
        turns, k: labels.
    """
    alone = found["model"][0, rows]
    table: list[Labelled] = []
    if k in (1, "all"):
        table.append(({"turns": turns, "last": 1, "variant": ONE}, dict(zip(HEADLINE, alone.T, strict=True))))
    if k != 1:
        for variant in VARIANTS:
            values = found[variant][last - 1, rows]
            measures = {
                **dict(zip(HEADLINE, values.T, strict=True)),
                "gain": (values - alone)[:, HEADLINE.index("mean")],
            }
            table.append(({"turns": turns, "last": k, "variant": variant}, measures))
    return table


def _measure(study: Study) -> dict[str, Floats]:
    """R@5, R@8 and mean by variant, k - 1 and transaction, float64 (k, n, 3); NaN beyond the turns there are."""
    asked: dict[tuple[str, int, int], Asked] = {}
    for row, history in enumerate(study.histories):
        singles = tuple(history.first(turn + 1).last(1) for turn in range(len(history)))
        for k in range(1, len(history) + 1):
            asked["model", k, row] = history.last(k)
            asked["mean", k, row] = singles[-k:] if k > 1 else history.last(1)
    asked |= {("roll-out", k, row): last for (k, row), last in _roll_out(study).items()}
    positions = study.positions_of([*asked.values()], [study.targets[row] for _, _, row in asked])
    values = np.stack([*hits(positions).values()], axis=1)
    found = {variant: np.full((int(study.turns.max()), len(study), 3), np.nan) for variant in VARIANTS}
    for (variant, k, row), value in zip(asked, values, strict=True):
        found[variant][k - 1, row] = value
    return found


def _roll_out(study: Study) -> dict[tuple[int, int], History]:
    """By k and transaction, the last single turn of a dialogue of k turns whose references the model found itself.

    It starts from the true reference of turn N - k + 1. All dialogues take a step at a time, in one call.
    """
    now: dict[tuple[int, int], History] = {}
    shown: dict[tuple[int, int], list[str]] = {}
    for row, history in enumerate(study.histories):
        for k in range(1, len(history) + 1):
            now[k, row] = history.last(k).first(1)
            shown[k, row] = [*now[k, row].references]
    for step in range(1, int(study.turns.max())):
        going = [key for key in now if key[0] > step]
        heads = study.heads_of([now[key] for key in going], step + 1)
        for (k, row), head in zip(going, heads, strict=True):
            found, history = unseen(head, shown[k, row]), study.histories[row]
            shown[k, row].append(found)
            now[k, row] = History(history.category, (found,), (history.feedback[len(history) - k + step],))
    return now
