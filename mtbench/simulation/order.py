"""Do simulated users agree which model is better? Kendall's tau of the order of models, by pairs of users."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from mtbench.core.errors import MtbenchError, Problems

Record = Mapping[str, Any]

SAME = ("benchmark", "revision", "split", "dialogues", "turns", "patience", "change_of_mind", "seed")
"""What must be equal for two records to be about the same dialogues."""

USUAL = 3
"""Simulators for which an agreement says something: two may share what they do wrong."""

FEW = 5
"""Models below which tau can take a handful of values only."""


def order(records: Sequence[Record]) -> dict[str, Any]:
    """Tau-b for each pair of simulators, of the mean percentile over turns of each model. Plain JSON.

    Args:
        records: of `mtbench.simulation.simulate.simulate`: every model with every simulator.

    Raises:
        MtbenchError: fewer than two models or simulators, a model that lacks a simulator, or records of different
            dialogues.
    """
    users = _names([record["simulator"] for record in records], "name")
    models = _names([{"name": r["model"], "options": r["options"], "trained": r["trained"]} for r in records], "name")
    _check_same(records)
    found: dict[str, dict[str, float]] = {user: {} for user in dict.fromkeys(users)}
    for record, user, model in zip(records, users, models, strict=True):
        found[user][model] = sum(row["percentile"] for row in record["rows"]) / len(record["rows"])
    every = list(dict.fromkeys(models))
    if len(every) < 2 or len(found) < 2:
        raise MtbenchError(
            f"an order of models is compared between users: give two models and two simulators at least, not "
            f"{len(every)} and {len(found)}"
        )
    problems = Problems("the simulations", hint="Simulate every model with every simulator.")
    for user, scores in found.items():
        for model in every:
            if model not in scores:
                problems.add(model, f"has not talked with {user}")
    problems.raise_if_any()
    pairs = [
        {"simulators": [one, other], "tau": _tau([found[one][m] for m in every], [found[other][m] for m in every])}
        for one, other in combinations(found, 2)
    ]
    known = [pair["tau"] for pair in pairs if pair["tau"] is not None]
    return {
        "measure": "percentile, mean over turns",
        "models": every,
        "simulators": list(found),
        "percentile": found,
        "pairs": pairs,
        "lowest": min(known, default=None),
        "note": _note(len(every), len(found)),
    }


def _tau(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Tau-b; None where all models of one user tie."""
    from scipy.stats import kendalltau

    value = float(kendalltau(first, second, variant="b").statistic)
    return value if value == value else None


def _note(models: int, users: int) -> str:
    pairs = models * (models - 1) // 2
    note = f"tau-b of {models} models, that is of {pairs} pair{'s' * (pairs > 1)} of models, without an interval"
    if models < FEW:
        note += ": few models, so that one pair in another order changes much"
    if users < USUAL:
        note += f"; {users} simulators, where {USUAL} are the least to call an order robust"
    return note + "."


def _names(things: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """A name for each thing: its own, with its options where the same name stands for several things."""
    short = [str(thing[name]).rpartition(":")[2] for thing in things]
    keys = [json.dumps(thing, sort_keys=True, default=str) for thing in things]
    kinds: dict[str, dict[str, int]] = {}
    for own, key in zip(short, keys, strict=True):
        kinds.setdefault(own, {}).setdefault(key, len(kinds[own]))
    found = []
    for thing, own, key in zip(things, short, keys, strict=True):
        several = len(kinds[own]) > 1
        options = ", ".join(f"{k}={v}" for k, v in sorted(thing["options"].items()))
        number = f" #{kinds[own][key] + 1}"
        found.append(own + (f" ({options or 'no options'}){number}" if several else ""))
    return found


def _check_same(records: Sequence[Record]) -> None:
    for name in SAME:
        values = list(dict.fromkeys(str(record[name]) for record in records))
        if len(values) > 1:
            raise MtbenchError(f"these simulations differ in {name.replace('_', ' ')}: {', '.join(values)}")
