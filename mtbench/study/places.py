"""Where models stood, whether people go by the place, and what is left of a preference if they do.

Places turn with question and participant, but people leave, and then a model has stood on the left more often than
another. So it is counted, and where it did not come out even there is a test that allows for the places.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, hypergeom, random_table

from mtbench.study.design import Design
from mtbench.study.store import Answer

PLACES = ("left", "right"), ("left", "middle", "right")
SLACK = 1
"""Answers (or final targets) more in one place than in another that still count as balanced: odd numbers of questions
and participants cannot come out even."""

DRAWS = 10_000


def names(candidates: int) -> tuple[str, ...]:
    """Of the places, from left to right."""
    return PLACES[candidates - 2]


def stood(design: Design, answers: Sequence[Answer]) -> dict[str, Any]:
    """How often each model stood in each place, over the answers given, neither included.

    Returns:
        ``counts``, a row of places per model, and whether they are ``balanced``: in no row two places that differ by
        more than `SLACK`.
    """
    counts = [[0] * design.candidates for _ in design.names]
    for answer in answers:
        models = design.questions[answer.question].models
        for place, candidate in enumerate(answer.shown):
            counts[models[candidate]][place] += 1
    return {"counts": counts, "balanced": all(max(row) - min(row) <= SLACK for row in counts)}


def place_effect(design: Design, answers: Sequence[Answer]) -> dict[str, Any]:
    """Whether people go by the place: the chosen places against those where the chosen models happened to stand.

    A model that is liked and always stood on the left is no sign of it. So the orders that people saw are dealt out
    anew over the decided answers of the same models, `DRAWS` times, and p is how often the chosen places come out as
    far (chi-square over all places) from what is expected of such a deal. It takes answers as independent.

    Returns:
        ``counts`` and ``expected`` by place, ``n`` decided answers, and ``p``; None where nobody saw two orders of the
        same models, so that place and model cannot be told apart.
    """
    candidates = design.candidates
    groups: defaultdict[tuple[int, ...], list[tuple[int, tuple[int, ...]]]] = defaultdict(list)
    for answer in answers:
        if answer.choice is not None:
            groups[design.questions[answer.question].models].append((answer.choice, answer.shown))
    counts, expected = np.zeros(candidates), np.zeros(candidates)
    drawn = np.zeros((DRAWS, candidates))
    can_tell = False
    rng = np.random.default_rng(0)
    for given in groups.values():
        orders = sorted({shown for _, shown in given})
        table = np.zeros((candidates, len(orders)), dtype=np.int64)
        for choice, shown in given:
            table[choice, orders.index(shown)] += 1
        taken, seen = table.sum(axis=1), table.sum(axis=0)
        can_tell |= len(orders) > 1
        tables = random_table.rvs(taken, seen, size=DRAWS, random_state=rng) if len(orders) > 1 else table[None]
        counts += _by_place(table[None], orders)[0]
        expected += _by_place((np.outer(taken, seen) / len(given))[None], orders)[0]
        drawn += _by_place(tables, orders)
    return {
        "counts": [int(count) for count in counts],
        "n": int(counts.sum()),
        "expected": [float(share) for share in expected],
        "p": float((1 + (_far(drawn, expected) >= _far(counts, expected) - 1e-9).sum()) / (1 + DRAWS))
        if can_tell
        else None,
    }


def _by_place(tables: npt.NDArray[Any], orders: Sequence[Sequence[int]]) -> npt.NDArray[np.float64]:
    """Choices by place, (n, places), of tables of choices by model and order, (n, models, orders)."""
    found = np.zeros((len(tables), tables.shape[1]))
    for at, shown in enumerate(orders):
        for place, candidate in enumerate(shown):
            found[:, place] += tables[:, candidate, at]
    return found


def _far(counts: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Chi-square over the last axis; a place where nothing is expected has nothing."""
    share = np.where(expected > 0, expected, 1.0)
    return np.asarray((np.square(counts - expected) / share).sum(axis=-1))


def allowed_for(decides: Sequence[tuple[bool, int]]) -> float:
    """The sign test with places allowed for, exact: two-sided, twice the smaller tail.

    Gart's test (Biometrika 56, 1969): were the models alike, a target goes to the one in the better place with some
    unknown chance, whichever model that is. Given how often the better place won, the targets on which it was the
    first model's are hypergeometric. Targets on which neither stood better are tossed coins, as in a sign test; where
    all are such it is the sign test.

    Args:
        decides: of each target, whether the first model won, and the sign of how much more often it had the better
            place.
    """
    first = sum(better > 0 for _, better in decides)
    second = sum(better < 0 for _, better in decides)
    even = len(decides) - first - second
    held = sum(won == (better > 0) for won, better in decides if better)
    wins = sum(won for won, _ in decides)
    in_first = np.arange(first + 1)
    # Wins of the first model: in its better places, in its worse ones (those that the better place lost), and on a par
    of_places, of_coins = 2 * in_first + second - held, np.arange(even + 1)
    dealt = hypergeom.pmf(in_first, first + second, held, first) if first + second else np.ones(1)
    chance = np.outer(dealt, binom.pmf(of_coins, even, 0.5))
    total = of_places[:, None] + of_coins[None, :]
    return float(min(1.0, 2 * min(chance[total <= wins].sum(), chance[total >= wins].sum())))
