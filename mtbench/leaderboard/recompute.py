"""Scores from a run and the sealed answers: nothing that a submission says of itself is used.

Every value is per transaction first. Means are correctly rounded sums (`math.fsum`), and what is written has six
decimals, so that two machines write the same digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mtbench.evaluation.evaluators.known_queries import CUTS, EXPECTED, SHARE
from mtbench.evaluation.measures import Floats, Positions, per_transaction
from mtbench.evaluation.statistics import bootstrap
from mtbench.leaderboard.board import Board
from mtbench.leaderboard.run_file import Run

DIGITS = 6
HEADLINE = "mean"


@dataclass(frozen=True)
class Recomputed:
    """What a run scores on a board.

    Attributes:
        board: with the sealed answers.
        positions: of the targets. A target that is not listed is a miss. A tie group that the list cuts off counts as
            if every candidate that is not listed were in it: nobody gains by listing less.
        excluded: the same without the images already shown in the dialogue.
        known: of each transaction and each of `known_queries.CUTS`: known queries found, places, expected by chance;
            float64 (n, cuts, 3).
    """

    board: Board
    positions: Positions
    excluded: Positions
    known: Floats

    @cached_property
    def values(self) -> dict[str, Floats]:
        """Each measure of the board for each transaction, float64 (n,)."""
        return per_transaction(self.positions, self.board.measures)

    @cached_property
    def headline(self) -> dict[str, float]:
        """Each measure, macro over categories, as `scores` has it."""
        return {name: _round(_macro(column, self.board.sealed.categories)) for name, column in self.values.items()}

    @property
    def suspicious(self) -> list[str]:
        """Where known queries are avoided far below chance, in words; see `known_queries`."""
        found = []
        for first, (observed, _, expected) in zip(CUTS, self.known.sum(axis=0).tolist(), strict=True):
            if expected > EXPECTED and observed <= SHARE * expected:
                found.append(
                    f"{observed:,.0f} known queries among the first {first}, where chance gives {expected:,.0f}"
                )
        return found

    def scores(self) -> dict[str, Any]:
        """All aggregates, plain JSON with shares in 0..1."""
        return scores_of([self])[0]


def scores_of(found: Sequence[Recomputed]) -> list[dict[str, Any]]:
    """The aggregates of several runs on one board: `Recomputed.scores` of each.

    Almost all of the time goes into drawing the bootstrap's samples, which are the same for all of them.
    """
    sealed = found[0].board.sealed
    every = np.ones(len(sealed), bool)
    kinds = sorted(set(sealed.categories))
    lengths = sorted(set(sealed.turns.tolist()))
    tables = _parts(found, every)
    by_category = {kind: _parts(found, sealed.categories == kind) for kind in kinds}
    by_turns = {str(n): _parts(found, sealed.turns == n, pooled=True) for n in lengths}
    mixed = not sealed.clean.all() and bool(sealed.clean.any())
    leaks = {"clean": _parts(found, sealed.clean), "leaked": _parts(found, ~sealed.clean)} if mixed else {}
    for i, (one, table) in enumerate(zip(found, tables, strict=True)):
        excluded = per_transaction(one.excluded, one.board.measures)
        observed, places, expected = one.known[:, 1].sum(axis=0).tolist()
        table |= {
            "by_category": {kind: parts[i] for kind, parts in by_category.items()},
            "by_turns": {n: parts[i] for n, parts in by_turns.items()},
            **{part: parts[i] for part, parts in leaks.items()},
            "own_references_excluded": {
                name: _round(_macro(values, sealed.categories)) for name, values in excluded.items()
            },
            "known_queries": {
                **{"first": CUTS[1], "found": int(observed), "of": int(places), "expected": _round(expected)},
                "suspicious": bool(one.suspicious),
            },
            # An unlisted target is at no position, which is -1: JSON has no infinity.
            "above": np.where(one.positions.equal > 0, one.positions.greater, -1).tolist(),
            "tied": one.positions.equal.tolist(),
        }
    return tables


def _parts(found: Sequence[Recomputed], rows: npt.NDArray[np.bool_], *, pooled: bool = False) -> list[dict[str, Any]]:
    """Of each run n, and each measure with its interval, over some transactions."""
    board = found[0].board
    sealed, names = board.sealed, board.measures
    values = np.column_stack([one.values[name][rows] for one in found for name in names])
    groups = None if pooled else sealed.categories[rows].astype(str)
    drawn = bootstrap(values, sealed.clusters[rows], groups=groups)
    parts = []
    for i in range(len(found)):
        own = slice(i * len(names), (i + 1) * len(names))
        columns = values.T[own]
        means = [_mean(c) if pooled else _macro(c, sealed.categories[rows]) for c in columns]
        spans = zip(drawn.low[own].tolist(), drawn.high[own].tolist(), strict=True)
        parts.append(
            {
                "n": int(rows.sum()),
                "clusters": drawn.n_clusters,
                "measures": {name: _round(mean) for name, mean in zip(names, means, strict=True)},
                "intervals": {
                    name: [_round(low), _round(high)] for name, (low, high) in zip(names, spans, strict=True)
                },
            }
        )
    return parts


def recompute(run: Run, board: Board) -> Recomputed:
    """Find the targets of a run by their seals, and count."""
    sealed = board.sealed
    n = len(sealed)
    counts = np.zeros((3, n), np.int64)  # greater, equal, candidates
    own = np.zeros((3, n), np.int64)
    known = np.zeros((n, len(CUTS), 3))
    query = _Known(board)
    for row, (start, end) in enumerate(zip(run.starts.tolist(), run.ends.tolist(), strict=True)):
        images, steps = run.images[start:end].tolist(), run.steps[start:end]
        size, references = board.size(sealed.categories[row]), set(sealed.references[row])
        seal = board.sealer.of("turn", sealed.ids[row])
        seals = [seal(image) for image in images]
        shown = np.array([one in references for one in seals], bool)
        target = seals.index(sealed.targets[row]) if sealed.targets[row] in seals else None
        shown_others = shown.copy()
        counts[:, row] = size, 0, size
        own[2, row] = len(references - {sealed.targets[row]})
        if target is not None:
            shown_others[target] = False
            above, tied = steps > steps[target], steps == steps[target]
            unlisted = size - len(images) if tied[-1] and tied.sum() > 1 else 0
            counts[:2, row] = above.sum(), tied.sum() + unlisted
            own[:2, row] = (above & shown_others).sum(), (tied & shown_others).sum()
        known[row] = query.first(row, images, shown, target)
    positions = Positions(counts[0], counts[1], counts[2])
    miss = counts[1] == 0
    excluded = Positions(np.where(miss, counts[2] - own[2], counts[0] - own[0]), counts[1] - own[1], counts[2] - own[2])
    return Recomputed(board, positions, excluded, known)


class _Known:
    """Counts known queries among the first images, as `known_queries.KnownQueries` does: own ones aside."""

    def __init__(self, board: Board) -> None:
        self.sealed = board.sealed
        self._seals = {category: board.sealer.of("gallery", category) for category in self.sealed.galleries}
        self._found: dict[tuple[str, str], bool] = {}
        self._counts = {category: (len(g), sum(g.values())) for category, g in self.sealed.galleries.items()}

    def first(
        self, row: int, images: Sequence[str], shown: npt.NDArray[np.bool_], target: int | None
    ) -> list[tuple[int, int, float]]:
        category = self.sealed.categories[row]
        gallery, known = self._counts[category]
        other = [image for at, image in enumerate(images) if not shown[at] and at != target][: CUTS[-1]]
        flags = [self._is_known(category, image) for image in other]
        # The dialogue's own references are known queries; whether its target is one cannot be told here, and is left
        # out of the share: one image of thousands.
        mine = len(self.sealed.references[row])
        share = (known - mine) / max(1, gallery - mine)
        return [(sum(flags[:cut]), len(flags[:cut]), len(flags[:cut]) * share) for cut in CUTS]

    def _is_known(self, category: str, image: str) -> bool:
        key = (category, image)
        if key not in self._found:
            self._found[key] = self.sealed.galleries[category].get(self._seals[category](image), False)
        return self._found[key]


def differences(stated: Mapping[str, Any], found: Mapping[str, Any], where: str = "") -> list[str]:
    """Every place where what is stated is not what was found, as ``place: stated, but the run gives found``."""
    wrong = []
    for name in sorted({*stated, *found}):
        shown = ascii(name)[1:-1][:60]
        place = f"{where}.{shown}" if where else shown
        one, two = stated.get(name, _NOTHING), found.get(name, _NOTHING)
        if isinstance(one, dict) and isinstance(two, dict):
            wrong += differences(one, two, place)
        elif not _same(one, two):
            wrong.append(f"{place} is {_short(one)}, but the run gives {_short(two)}")
    return wrong


_NOTHING = object()


def _same(one: Any, two: Any) -> bool:
    """Equal and of one type, in lists too: 1, 1.0 and true are three things in JSON."""
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_same, one, two))
    return type(one) is type(two) and bool(one == two)


def _short(value: Any) -> str:
    return "nothing" if value is _NOTHING else ascii(value)[:60]


def _mean(values: Floats) -> float:
    return math.fsum(values.tolist()) / len(values)


def _macro(values: Floats, categories: npt.NDArray[np.object_]) -> float:
    names = sorted(set(categories))
    return math.fsum(_mean(values[categories == name]) for name in names) / len(names)


def _round(value: float) -> float:
    return round(value, DIGITS) + 0.0
