"""The way to the target: where it stands after each turn, and how soon it is at the top.

Two targets, in rows of their own: the final one, which is the same all along, and the one of each turn, which is a
stepping stone. Whether a rank falls from turn to turn is a question about the first alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mtbench.evaluation.cells import AVERAGES, Labelled, cells, excerpt, hits
from mtbench.evaluation.measures import Floats, Positions, percentile, rank
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import Study

CUTS = (5, 8)
FINAL, OWN = "final", "own turn's"

NOTES = (
    "after turn: the model has seen the turns up to it. Hits@K: the final target was among the first K after this turn "
    "or an earlier one (ChatIR); of expected hits, where scores tie, the highest.",
    "target: the final one, the same all along, or the one of the turn, a stepping stone: do not compare one's rows "
    "with the other's.",
    "BRI (PlugIR): mean height of the curve of ln(best rank so far), 0 where the target is first from turn 1 on: lower "
    "is better. area: the same of the rank percentile at each turn: higher is better.",
    "not worse: share of steps from turn to turn in which the rank did not get worse. turns to top K: median over the "
    "dialogues that get there; never top K: share of the others.",
    AVERAGES,
)


@dataclass(frozen=True)
class _Found:
    """Of all transactions.

    Attributes:
        turns: by target and measure, the value after each turn, float64 (T, n); NaN beyond a dialogue's end.
        way: measures of whole dialogues, float64 (n,).
        soonest: by K, the first turn after which the expected rank is within K; infinity where there is none.
    """

    turns: dict[str, dict[str, Floats]]
    way: dict[str, Floats]
    soonest: dict[int, Floats]


class Trajectory:
    """The rank of the target after each turn: cumulative Hits@K, BRI, turns to the top, monotonicity, area."""

    def run(self, study: Study) -> dict[str, Any]:
        """Rows by target, number of turns and turn, then of whole dialogues; ``dialogue`` has those over all."""
        found, at = study.once(_measure), study.rows
        every = np.arange(len(study))
        ends: list[Labelled] = [
            ({"target": FINAL, "turns": "all", "after turn": name}, _at(found, FINAL, at, turn))
            for name, turn in (("first", np.zeros_like(every)), ("last", study.turns - 1))
        ]
        *final, overall = cells(study, [*ends, _way(found, at, "all")], every)
        own: list[dict[str, Any]] = []
        ways = [overall | _soonest(found, at)]
        for n, rows in study.by_turns():
            table: list[Labelled] = [
                ({"target": target, "turns": n, "after turn": turn + 1}, _at(found, target, at[rows], turn))
                for target in (FINAL, OWN)
                for turn in range(n)
            ]
            *steps, way = cells(study, [*table, _way(found, at[rows], n)], rows, pooled=True)
            final += steps[:n]
            own += steps[n:]
            ways.append(way | _soonest(found, at[rows]))
        return {
            "n": len(study),
            "seed": study.seed,
            "dialogue": excerpt(overall, *found.way),
            "rows": [*final, *own, *ways],
            "plain": ["BRI"],  # no share: not to be shown in per cent
            "notes": [*NOTES],
        }


def _at(found: _Found, target: str, at: Indices, turn: int | Indices) -> dict[str, Floats]:
    """The measures after one turn, or after a turn of each transaction's own."""
    return {name: values[turn, at] for name, values in found.turns[target].items()}


def _way(found: _Found, at: Indices, turns: int | str) -> Labelled:
    return {"target": FINAL, "turns": turns, "after turn": "whole way"}, {n: v[at] for n, v in found.way.items()}


def _soonest(found: _Found, at: Indices) -> dict[str, float | None]:
    """The median turn at which a target gets to the top, of those that do."""
    there = {k: turns[at][np.isfinite(turns[at])] for k, turns in found.soonest.items()}
    return {f"turns to top {k}": float(np.median(turns)) if len(turns) else None for k, turns in there.items()}


def _measure(study: Study) -> _Found:
    """Every prefix of every history, ranked in one call for both of its targets."""
    where = [(turn, row) for row, n in enumerate(study.turns.tolist()) for turn in range(n)]
    asked = [study.histories[row].first(turn + 1) for turn, row in where]
    final = [study.targets[row] for _, row in where]
    own = [study.transactions[row].turns[turn].target for turn, row in where]
    positions = study.positions_of(asked * 2, final + own)
    shape, place = (int(study.turns.max()), len(study)), tuple(np.array(where, dtype=np.int64).T)

    def spread(values: Floats) -> Floats:
        table = np.full(shape, np.nan)
        table[place] = values
        return table

    def of(some: Positions) -> dict[str, Floats]:
        found = hits(some)
        return {name: spread(v) for name, v in (("percentile", percentile(some)), *found.items()) if name != "mean"}

    finals = positions.take(np.arange(len(where)))
    turns = {FINAL: of(finals), OWN: of(positions.take(np.arange(len(where), 2 * len(where))))}
    for k in CUTS:
        turns[FINAL][f"Hits@{k}"] = np.maximum.accumulate(turns[FINAL][f"R@{k}"])
    ranks = rank(finals)
    # A target that is not in the gallery stands below every candidate.
    ranks = spread(np.where(np.isfinite(ranks), ranks, finals.candidates + 1.0))
    best = np.minimum.accumulate(ranks)
    soonest = {k: np.where((ranks <= k).any(axis=0), 1.0 + np.argmax(ranks <= k, axis=0), np.inf) for k in CUTS}
    way = {
        # PlugIR, definition 2, with expected ranks. Its points are T + 1: the first caption and T answers to questions;
        # ours are N, the first turn and what follows it, so the integral is over N - 1 steps. Its released eval.py
        # integrates the best ranks themselves, without the logarithm.
        "BRI": _height(np.log(best), study.turns),
        "area": _height(turns[FINAL]["percentile"], study.turns),
        "not worse": _not_worse(ranks, study.turns),
        **{f"never top {k}": np.isinf(turn).astype(np.float64) for k, turn in soonest.items()},
    }
    return _Found(turns, way, soonest)


def _height(curve: Floats, turns: Indices) -> Floats:
    """Mean height of each column's curve through its first points: (1/(N-1)) sum_t (v_t + v_{t+1}) / 2; v_1 if N = 1.

    Args:
        curve: float64 (T, n), NaN beyond the end.
        turns: the number of points N of each column, int64 (n,).
    """
    steps = np.nansum((curve[:-1] + curve[1:]) / 2, axis=0)
    height: Floats = np.where(turns > 1, steps / np.maximum(turns - 1, 1), curve[0])
    return height


def _not_worse(ranks: Floats, turns: Indices) -> Floats:
    """Share of the steps of each column in which the rank does not get worse; 1 where there is no step."""
    kept = np.count_nonzero(ranks[1:] <= ranks[:-1], axis=0)  # NaN beyond the end is no step
    share: Floats = np.where(turns > 1, kept / np.maximum(turns - 1, 1), 1.0)
    return share
