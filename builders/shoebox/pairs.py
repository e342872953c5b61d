"""Which shoes are paired as reference and target.

Pairs are drawn family by family, so time grows linearly with the number of images.  Three members in ten
serve only as references; the others are targets, most of them once, and some targets are the reference of a
next pair.  That gives chains of several steps with some branching, as people's sessions do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from .attributes import ATTRIBUTES, FAMILY_SIZE, family_of
from .chance import one, shuffled

Pair = tuple[int, int]
_FAR = 0.04
_SOURCE_PULL = 4.5
_TRIES = 60


def is_eval(n: int, eval_share: float) -> bool:
    """Whether shoe n is in the evaluation split; a family is never divided."""
    family = family_of(n)
    return math.floor((family + 1) * eval_share + 1e-9) > math.floor(family * eval_share + 1e-9)


def _closeness(codes: Sequence[tuple[str, ...]], a: int, b: int) -> float:
    gap = sum(x != y for x, y in zip(codes[a], codes[b], strict=True))
    return math.exp(-0.55 * gap) if 1 <= gap <= 5 else (0.004 if gap else 0.0)


def _choose(rng: np.random.Generator, weights: Sequence[float]) -> int | None:
    point = rng.random() * sum(weights)
    for i, weight in enumerate(weights):
        point -= weight
        if point < 0:
            return i
    return None


def _family_pairs(
    members: Sequence[int],
    quota: int,
    others: Sequence[int],
    codes: Sequence[tuple[str, ...]],
    taken: set[Pair],
    rng: np.random.Generator,
) -> list[Pair]:
    order = shuffled(rng, members)
    targets = order[: max(1, math.ceil(0.7 * len(order)))]
    sources = set(order[len(targets) :])
    pairs: list[Pair] = []
    for step in range(_TRIES * max(quota, 1)):
        if len(pairs) == quota:
            break
        target = targets[step] if step < len(targets) else one(rng, targets)
        reference: int | None = None
        if rng.random() >= _FAR and len(members) > 1:
            weights = [
                0.0
                if (m, target) in taken or (target, m) in taken or m == target
                else _closeness(codes, m, target) * (_SOURCE_PULL if m in sources else 1.0)
                for m in members
            ]
            index = _choose(rng, weights)
            reference = None if index is None else members[index]
        if reference is None:
            reference = one(rng, others)
        blocked = (reference, target) in taken or (target, reference) in taken
        if reference != target and not blocked and codes[reference] != codes[target]:
            taken.add((reference, target))
            pairs.append((reference, target))
    return pairs


def sample_pairs(
    shoes: Sequence[Mapping[str, str]], seed: int, pairs_per_image: float, eval_share: float
) -> list[Pair]:
    """(reference, target) numbers, in random order; both of a pair are in the same split."""
    codes = [tuple(shoe[name] for name in ("category", *ATTRIBUTES)) for shoe in shoes]
    pairs: list[Pair] = []
    for split in (False, True):
        rng = np.random.default_rng((seed, 3, int(split)))
        inside = [n for n in range(len(shoes)) if is_eval(n, eval_share) == split]
        taken: set[Pair] = set()
        begun = 0
        while begun < len(inside):
            family = family_of(inside[begun])
            members = [n for n in inside[begun : begun + FAMILY_SIZE] if family_of(n) == family]
            quota = round(pairs_per_image * (begun + len(members))) - len(taken)
            pairs += _family_pairs(members, quota, inside, codes, taken, rng)
            begun += len(members)
    return shuffled(np.random.default_rng((seed, 4)), pairs)
