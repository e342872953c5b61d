"""What a comparison allows to be said, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtbench.core.text import points, points_range
from mtbench.evaluation.comparison.systems import System, has_leak, stopped_early, unlearned

FEW_SEEDS = 5

NOTHING_LEARNED = "No epoch of a training did better on dev than its start, so nothing was learned in that phase"


def claim(pair: Mapping[str, Any], *, n: int, m: int, too_few: bool = False) -> str:
    """One sentence on one pair of `compare.compare`: what holds, or what a difference would have to be.

    Args:
        pair: with shares in 0..1, printed as points, and no ``claim`` yet.
        n: the number of transactions.
        m: the number of pairs that Holm's rule adjusted for.
        too_few: clusters are so few that no p could be a finding.
    """
    first, second = pair["first"], pair["second"]
    if pair["equal"]:
        return f"{first} and {second} have the same value for each of {n:,} transactions."
    difference, (low, high) = pair["difference"], pair["interval"]
    over = f" after Holm over {m} comparisons" if m > 1 else ""
    if pair["better"] is not None:
        if pair["better"] == second:
            first, second, difference, low, high = second, first, -difference, -high, -low
        by = f"{points(difference)} points ({points_range(low, high)})"
        return f"{first} is better than {second} by {by}, {p_text(pair['p_holm'])}{over}."
    detectable = pair["minimum_detectable_difference"]
    if too_few:
        would = "so few clusters that no difference could be a finding"
    elif detectable is None:
        would = "what would be found cannot be told, because a category has one cluster only"
    else:
        would = f"a difference of {points(detectable)} or more would be found in 80% of such tests"
    found = f"difference {points(difference)}, interval {points_range(low, high)}{_but(pair, over)}"
    return f"{first} and {second} cannot be told apart at n = {n:,}: {found} ({would})."


def notes_on(systems: Sequence[System]) -> list[str]:
    """What a reader of a comparison must know of the systems in it."""
    notes = []
    proxies = {system.name: system.record["proxy"] for system in systems if system.record["proxy"] != "none"}
    if len(set(proxies.values())) > 1:
        seen = ", ".join(f"{name}: {proxy}" for name, proxy in proxies.items())
        notes.append(
            "Different things stood for the images, so a difference is one between system and proxy together, not "
            f"between systems ({seen})."
        )
    if len({str(system.record["proxies"]) for system in systems if system.record["proxy"] != "none"}) > 1:
        notes.append("The captions, attributes or files that stand for the images are not the same for all results.")
    if leaking := [system.name for system in systems if has_leak(system.record)]:
        notes.append(
            f"Trained on what leaks into the test part (--allow-leak), so no fair score: {', '.join(leaking)}."
        )
    if early := [s.name for s in systems if any(stopped_early(result.record) for result in s.results)]:
        notes.append(f"A training stopped early, its own or one below it: {', '.join(early)}.")
    if idle := [s.name for s in systems if any(unlearned(result.record) for result in s.results)]:
        notes.append(f"{NOTHING_LEARNED}: {', '.join(idle)}.")
    single = [s for s in systems if len(s.results) == 1 and "seed" in s.record["options"]]
    for how, names in (
        ("evaluate with --seed 1, --seed 2 and so on", [s.name for s in single if not s.record.get("trained")]),
        ("train with --seed 1, --seed 2 and so on, evaluate", [s.name for s in single if s.record.get("trained")]),
    ):
        if names:
            notes.append(
                f"One seed only: {', '.join(names)}. How much its seed matters is unknown and in no interval; {how}, "
                "and compare again."
            )
    few = [s.name for s in systems if 1 < len(s.results) < FEW_SEEDS]
    if few:
        notes.append(f"With fewer than {FEW_SEEDS} seeds what they add to an interval is a guess: {', '.join(few)}.")
    code = sorted({f"{r.record['mtbench']} ({r.record['library_sha256'][:8]})" for s in systems for r in s.results})
    if len(code) > 1:
        notes.append(
            f"The results are of different versions of mtbench: {', '.join(code)}; evaluate again to be sure that "
            "only the systems differ."
        )
    return notes


def p_text(p: float) -> str:
    """``p = 0.0003``, ``p = 0.034``, ``p = 0.27``: two digits that mean something, four decimals at most.

    >>> p_text(0.00012), p_text(0.0342), p_text(0.271), p_text(0.00001)
    ('p = 0.0001', 'p = 0.034', 'p = 0.27', 'p < 0.0001')
    """
    if p < 0.0001:
        return "p < 0.0001"
    return f"p = {p:.{4 if p < 0.01 else 3 if p < 0.1 else 2}f}"


def _but(pair: Mapping[str, Any], over: str) -> str:
    """What to add where p and interval do not say the same."""
    low, high = pair["interval"]
    if low > 0 or high < 0:
        return f", but {p_text(pair['p_holm'])}{over}"
    if pair["p_holm"] >= 0.05:
        return ""
    if max(pair["seeds"]) > 1:
        return f", and {p_text(pair['p_holm'])}{over} holds for these seeds alone"
    return f", and {p_text(pair['p_holm'])}{over} is no finding without an interval that leaves out 0"
