"""What may be said of a study, and what may not, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtbench.core.text import points, points_range

LEVEL = 0.05
FEW = 6
"""Fewer transactions than this that decide for a model can give no p below 0.05, whichever way they go."""

Row = Mapping[str, Any]


def claims(found: Row) -> list[str]:
    """Sentences on the numbers of `mtbench.study.report.summary`."""
    if not found["answers"]:
        return ["There are no answers yet, so nothing may be claimed."]
    lines = [_pair(row) for row in found["pairs"]]
    people = found["answered"]
    if people == 1:
        lines.append("One participant answered: it is this person's preference, and says nothing of other people's.")
    else:
        lines.append(
            f"It is the preference of these {people:,} participants, on transactions of {found['benchmark']} where the "
            "models' first images differ; where they are the same there is nothing to prefer."
        )
    if found["finished"] < people:
        lines.append(f"{people - found['finished']:,} of {people:,} have not answered every question.")
    places = found["places"]
    if places["p"] < LEVEL:
        lines.append(
            f"The place mattered: the image on the left was taken in {points(places['left'])}% of {places['n']:,} "
            f"decided answers, against {points(places['expected'])}% expected (p = {p_value(places['p'])}). Places are "
            "balanced, so no model gains by it, but differences look smaller than they are."
        )
    return lines


def _pair(row: Row) -> str:
    one, two, n = row["first"], row["second"], row["answers_first"] + row["answers_second"]
    decided = row["transactions_first"] + row["transactions_second"]
    if not n:
        return f"Nobody has decided between {one} and {two} yet."
    ahead, behind, share = one, two, row["share_first"]
    interval = row["interval"]
    if row["transactions_second"] > row["transactions_first"]:
        ahead, behind, share = two, one, 1 - share
        interval = interval and [1 - interval[1], 1 - interval[0]]
    within = f", 95% interval {points_range(*interval)}" if interval else ""
    numbers = (
        f"{points(share)}% of {n:,} decided answers for {ahead}{within}; more people on "
        f"{max(row['transactions_first'], row['transactions_second']):,} of {decided:,} transactions; sign test "
        f"p = {p_value(row['p_holm'])}"
    )
    if row["p_holm"] < LEVEL:
        return f"People prefer {ahead} to {behind} ({numbers})."
    few = f" With {decided:,} transactions that decide, no difference could be found." if decided < FEW else ""
    return f"No preference between {one} and {two} may be claimed ({numbers}).{few}"


def p_value(p: float) -> str:
    """As people write it."""
    return "below 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.2f}"
