"""How far raters agree, beyond what chance would bring.

>>> round(fleiss([[2, 0], [0, 2], [1, 1]]), 4)
0.3333
>>> round(krippendorff([["a", "a"], ["b", "b"], ["a", "b"]]), 4)
0.4444
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import combinations

import numpy as np

from mtbench.core.errors import MtbenchError

Units = Sequence[Sequence[Hashable]]


def percent(units: Units) -> float | None:
    """The mean over units of the share of pairs of raters that say the same; None where no unit has two.

    Args:
        units: what was said of each unit, by as many raters as there are.
    """
    shares = [
        float(np.mean([float(one == two) for one, two in combinations(unit, 2)])) for unit in units if len(unit) > 1
    ]
    return float(np.mean(shares)) if shares else None


def fleiss(table: Sequence[Sequence[int]]) -> float | None:
    """Fleiss' kappa (Psychological Bulletin, 1971), the same number of raters for each unit.

    Args:
        table: how many raters put each unit (row) into each category (column).

    Returns:
        (P - Pe) / (1 - Pe); None where there are fewer than two raters, or all is of one category, so that no
        disagreement was to be expected.

    Raises:
        MtbenchError: units with different numbers of raters; `krippendorff` takes those.
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or not len(counts):
        return None
    raters = counts.sum(axis=1)
    if (raters != raters[0]).any():
        raise MtbenchError("Fleiss' kappa needs as many raters for each unit")
    if raters[0] < 2:
        return None
    n = raters[0]
    observed = ((np.square(counts).sum(axis=1) - n) / (n * (n - 1))).mean()
    expected = np.square(counts.sum(axis=0) / counts.sum()).sum()
    return None if expected == 1 else float((observed - expected) / (1 - expected))


def krippendorff(units: Units) -> float | None:
    """Krippendorff's alpha for nominal data (Content Analysis, 2004, section 11.3); raters may lack.

    1 - Do / De over the coincidences: within a unit of m raters each ordered pair counts 1 / (m - 1).

    Args:
        units: what was said of each unit, by as many raters as there are; those of one rater play no part.

    Returns:
        alpha; None where no unit has two raters, or all said the same.
    """
    paired = [Counter(unit) for unit in units if len(unit) > 1]
    total: Counter[Hashable] = Counter()
    for counts in paired:
        total.update(counts)
    n = sum(total.values())
    expected = n * n - sum(count * count for count in total.values())
    if not expected:
        return None
    disagreed = 0.0
    for counts in paired:
        m = sum(counts.values())
        disagreed += (m * m - sum(count * count for count in counts.values())) / (m - 1)
    return 1 - (n - 1) * disagreed / expected
