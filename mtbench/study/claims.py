"""What may be said of a study, and what may not, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtbench.core.text import points, points_range
from mtbench.study.places import SLACK, names

LEVEL = 0.05
FEW = 6
"""Fewer final targets than this that decide for a model can give no p below 0.05, whichever way they go."""

Row = Mapping[str, Any]


def claims(found: Row) -> list[str]:
    """Sentences on the numbers of `mtbench.study.report.summary`."""
    if not found["answers"]:
        return ["There are no answers yet, so nothing may be claimed."]
    lines = [_pair(row, balanced=found["stood"]["balanced"]) for row in found["pairs"]]
    people = found["answered"]
    if people == 1:
        lines.append("One participant answered: it is this person's preference, and says nothing of other people's.")
    else:
        lines.append(f"It is the preference of these {people:,} participants, and not of people at large.")
    lines.append(only_different(found))
    if found["finished"] < people:
        lines.append(f"{people - found['finished']:,} of {people:,} have not answered every question.")
    return lines + _places(found)


def only_different(found: Row) -> str:
    """What no share of a study says anything of."""
    return (
        f"Only transactions of {found['benchmark']} with different first images were asked about: where they are the "
        "same there is nothing to prefer, and no number here says how often that is."
    )


def even(found: Row) -> str:
    """Whether each model stood in each place equally often, by the rule it is judged by."""
    rule = f"the same number of answers in each place, give or take {SLACK}"
    return f"Balanced: {rule}." if found["stood"]["balanced"] else f"Not balanced, which would be {rule}."


def _places(found: Row) -> list[str]:
    places, balanced = found["places"], found["stood"]["balanced"]
    lines = []
    if places["p"] is None and places["n"]:
        lines.append("Nobody saw the same models in two orders, so it cannot be told whether people go by the place.")
    elif places["n"] and places["p"] < LEVEL:
        shares = ", ".join(
            f"{points(count / places['n'])}% {name} ({points(expected / places['n'])}% expected)"
            for name, count, expected in zip(
                names(len(places["counts"])), places["counts"], places["expected"], strict=True
            )
        )
        lines.append(
            f"The place mattered: of {places['n']:,} decided answers {shares}, p = {p_value(places['p'])}."
            + " Places are balanced, so no model gains by it, but differences look smaller than they are." * balanced
        )
    if not balanced:
        lines.append(
            "The models did not stand in each place equally often, so rates may owe something to the place; a "
            "preference is claimed only where it is found with places allowed for."
        )
    return lines


def _pair(row: Row, *, balanced: bool) -> str:
    one, two = row["first"], row["second"]
    wins, losses = row["targets_first"], row["targets_second"]
    if not row["answers_first"] + row["answers_second"]:
        return f"Nobody has decided between {one} and {two} yet."
    decided = wins + losses
    if not decided:
        return f"No preference between {one} and {two} may be claimed: as many people took the one on every target."
    ahead, behind, share, interval = one, two, row["share_first"], row["interval"]
    answers, others = row["answers_first"], row["answers_second"]
    if losses > wins:
        ahead, behind, share, interval = two, one, 1 - share, [1 - interval[1], 1 - interval[0]]
        wins, answers, others = losses, others, answers
    better = row["better_place_first"], row["better_place_second"]
    balanced = balanced and abs(better[0] - better[1]) <= SLACK  # over answers, and where they are counted
    numbers = (
        f"more people took {ahead} on {wins:,} of the {decided:,} final targets that decide, {points(share)}%, 95% "
        f"interval {points_range(*interval)}; sign test p (Holm) = {p_value(row['p_holm'])}"
    )
    if not balanced:
        numbers += f", with places allowed for p (Holm) = {p_value(row['p_places_holm'])}"
    more = ""
    if answers < others and wins > decided - wins:
        more = f" Of the answers more are for {behind} ({others:,} : {answers:,}), on fewer targets."
    if row["p_holm"] >= LEVEL:
        few = f" With {decided:,} final targets that decide, no difference could be found." if decided < FEW else ""
        return f"No preference between {one} and {two} may be claimed ({numbers}).{more}{few}"
    if balanced or row["p_places_holm"] < LEVEL:
        return f"People prefer {ahead} to {behind} ({numbers}).{more}"
    return (
        f"No preference between {one} and {two} may be claimed ({numbers}).{more} It may be the place: {one} stood in "
        f"the place that was taken more often on {better[0]:,} of these targets, {two} on {better[1]:,}."
    )


def p_value(p: float) -> str:
    """As people write it."""
    return "below 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.2f}"
