"""Measures over the turns of dialogues. Percentile and R@K are expected over ties.

=================  ===================================================================================================
percentile         1 - (rank - 1) / (candidates - 1) of the target after each turn (Guo et al., the reward, Figure 4)
R@K                share of dialogues whose target is within the first K after the turn
hits@K             share whose target was within the first K after this turn or any before (ChatIR): the running
                   maximum of the expected R@K, not the expectation of a maximum over ties
turns to success   the first turn whose hits@K, of the last wish, is above a half; over all dialogues the turn by
                   which more than half have had success: the higher of two middle values, for a mean of the two
                   would be a turn that no dialogue had. None where that is not within the turns
talking            dialogues in which the user spoke at this turn
=================  ===================================================================================================

hits@K and turns to success are about the present wish: they begin anew where a user changes their mind. Whoever left
stays where they were, in the rows of later turns too; whose target was shown has it first from then on. The image that
is shown next is no expectation: among equal scores it is the first in the gallery.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

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
        found[f"hits@{k}"] = _kept(now, dialogues.targets)
    return found


def _kept(now: Floats, targets: npt.NDArray[np.object_]) -> Floats:
    """The highest value so far of those about the present target, (n, T)."""
    found = now.copy()
    for turn in range(1, now.shape[1]):
        same = targets[:, turn] == targets[:, turn - 1]
        found[:, turn] = np.where(same, np.maximum(found[:, turn - 1], now[:, turn]), now[:, turn])
    return found


def summary(dialogues: Dialogues, *, seed: int = 0) -> dict[str, Any]:
    """Rows by turn with 95% intervals over targets, and what holds of whole dialogues. Plain JSON.

    Targets are those of the first wish. Where all dialogues have one, there are no intervals: None for both ends.
    """
    values = by_turn(dialogues)
    n, turns = dialogues.greater.shape
    # Two dialogues with one target are no independent evidence of how hard it is to find.
    clusters = [f"{one.category}\t{one.target}" for one in dialogues.openings]
    names = [(name, turn) for name in values for turn in range(turns)]
    columns = [values[name][:, turn] for name, turn in names]
    drawn = bootstrap(np.column_stack([*columns, dialogues.found]), clusters, seed=seed)
    rows: list[dict[str, Any]] = [
        {"turn": turn + 1, "n": n, "talking": int((dialogues.lengths > turn).sum())} for turn in range(turns)
    ]
    intervals: list[list[float | None]] = np.column_stack([drawn.low, drawn.high]).tolist()
    if drawn.n_clusters < 2:  # one target, however often it was looked for, says nothing of others
        intervals = [[None, None]] * len(intervals)
    *means, found = drawn.estimate.tolist()
    for (name, turn), mean, interval in zip(names, means, intervals, strict=False):
        rows[turn] |= {name: mean, f"{name} interval": interval}
    first = _first_success(values[f"hits@{SUCCESS}"], dialogues.targets)
    middle = float(np.quantile(first, 0.5, method="higher"))
    return {
        "n": n,
        "clusters": drawn.n_clusters,
        "rows": rows,
        "found": found,
        "found interval": intervals[-1],
        "turns_to_success": {
            "within": SUCCESS,
            "median": middle if middle <= turns else None,
            "share": float((first <= turns).mean()),
        },
        "mean_length": float(dialogues.lengths.mean()),
    }


def _first_success(hits: Floats, targets: npt.NDArray[np.object_]) -> Floats:
    """The first turn with a hit that is more likely than not, of the last wish; turns + 1 where there is none, (n,)."""
    changed = targets[:, 1:] != targets[:, :-1]
    abandoned = np.logical_or.accumulate(changed[:, ::-1], axis=1)[:, ::-1]  # turns before another change
    sure = (hits > 0.5) & ~np.pad(abandoned, ((0, 0), (0, 1)))
    first: Floats = np.where(sure.any(axis=1), sure.argmax(axis=1) + 1.0, hits.shape[1] + 1.0)
    return first
