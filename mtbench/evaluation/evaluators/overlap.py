"""Rank-biased overlap: how much two rankings agree, the top most.

>>> rbo(["a", "b", "c"], ["a", "b", "c"])
1.0
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from mtbench.core.errors import MtbenchError


def rbo(one: Sequence[Hashable], other: Sequence[Hashable], *, p: float = 0.9) -> float:
    """RBO_ext = (X_k / k) p^k + ((1 - p) / p) sum_{d=1..k} (X_d / d) p^d (Webber, Moffat & Zobel 2010).

    Extrapolated, for two lists of one length k: what lies deeper is taken to agree as much as the lists do at k. X_d is
    the number of items that the first d places of both have in common. With p = 0.9 the first ten places have 86% of
    the weight.
    Naming trap: RBO without the first term is a lower bound, and gives equal lists 1 - p^k, not 1.

    Args:
        one, other: items of k places, best first, none twice.
        p: how likely a reader is to go on to the next place, between 0 and 1.

    Returns:
        1 for equal lists, 0 for lists without a common item.

    Raises:
        MtbenchError: empty lists or two lengths, an item twice, p outside 0..1.
    """
    k = len(one)
    if not 0 < p < 1:
        raise MtbenchError(f"p {p} must lie between 0 and 1")
    if not k or len(other) != k:
        raise MtbenchError(f"lists of {k} and {len(other)} places: RBO needs two of one length, at least 1")
    place = {item: d for d, item in enumerate(one)}
    if len(place) != k or len(set(other)) != k:
        raise MtbenchError("RBO needs lists that name no item twice")
    common = [max(d, place[item]) for d, item in enumerate(other) if item in place]
    depth = np.arange(1, k + 1)
    agreement = np.cumsum(np.bincount(common, minlength=k)) / depth if common else np.zeros(k)
    weights = np.power(p, depth)
    return float(min(1.0, agreement[-1] * weights[-1] + (1 - p) / p * (agreement @ weights)))
