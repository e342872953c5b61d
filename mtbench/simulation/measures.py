"""Measures over the turns of dialogues, all expected over ties.

=================  ===================================================================================================
percentile         1 - (rank - 1) / (candidates - 1) of the target after each turn (Guo et al., the reward, Figure 4)
R@K                share of dialogues whose target is within the first K after the turn
hits@K             share whose target was within the first K after this turn or any before (ChatIR)
turns to success   the first turn after which the target was within the first K; median over all dialogues, those
                   without success counted as longer than any
=================  ===================================================================================================
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mtbench.evaluation.measures import Floats, percentile, recall
from mtbench.evaluation.statistics import bootstrap
from mtbench.simulation.dialogue import Dialogues

CUTS = (1, 5, 8, 10)
SUCCESS = 10
"""The K of turns to success."""


def by_turn(dialogues: Dialogues) -> dict[str, Floats]:
    """Each measure of each dialogue after each turn, float64 (n, T)."""
    turns = range(1, dialogues.greater.shape[1] + 1)
    after = [dialogues.after(turn) for turn in turns]
    found = {"percentile": np.column_stack([percentile(positions) for positions in after])}
    for k in CUTS:
        now = np.column_stack([recall(positions, k) for positions in after])
        found[f"R@{k}"] = now
        found[f"hits@{k}"] = np.maximum.accumulate(now, axis=1)
    return found


def summary(dialogues: Dialogues, *, seed: int = 0) -> dict[str, Any]:
    """Rows by turn with 95% intervals over targets, and what holds of whole dialogues. Plain JSON."""
    values = by_turn(dialogues)
    n, turns = dialogues.greater.shape
    # Two dialogues with one target are no independent evidence of how hard it is to find.
    clusters = [f"{one.category}\t{one.target}" for one in dialogues.openings]
    names = [(name, turn) for name in values for turn in range(turns)]
    drawn = bootstrap(np.column_stack([values[name][:, turn] for name, turn in names]), clusters, seed=seed)
    rows: list[dict[str, Any]] = [{"turn": turn + 1, "n": n} for turn in range(turns)]
    for (name, turn), mean, low, high in zip(
        names, drawn.estimate.tolist(), drawn.low.tolist(), drawn.high.tolist(), strict=True
    ):
        rows[turn] |= {name: mean, f"{name} interval": [low, high]}
    first = _first_success(values[f"hits@{SUCCESS}"])
    middle = float(np.median(first))
    return {
        "n": n,
        "clusters": drawn.n_clusters,
        "rows": rows,
        "found": float(dialogues.found.mean()),
        "turns_to_success": {
            "within": SUCCESS,
            "median": middle if middle <= turns else None,
            "share": float((first <= turns).mean()),
        },
        "mean_length": float(dialogues.lengths.mean()),
    }


def _first_success(hits: Floats) -> Floats:
    """The first turn with a hit that is more likely than not; turns + 1 where there is none, (n,)."""
    sure = hits > 0.5
    first: Floats = np.where(sure.any(axis=1), sure.argmax(axis=1) + 1.0, hits.shape[1] + 1.0)
    return first
