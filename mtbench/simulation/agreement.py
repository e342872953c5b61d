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

LEAST = 3
"""Models below which there is one pair at most, which agrees or does not."""

SHORT = 8
"""Signs of the value of an option that is told of the only user or model of a name; a path is longer."""

FEW = 5
"""Models below which tau can take a handful of values only."""


def named(records: Sequence[Record]) -> list[Record]:
    """The records with their users under the names that people see: in tables, in pictures, beside tau."""
    names = _names([record["simulator"] for record in records])
    return [
        {**record, "simulator": {**record["simulator"], "name": name}}
        for record, name in zip(records, names, strict=True)
    ]


def order(records: Sequence[Record]) -> dict[str, Any]:
    """Tau-b for each pair of simulators, of the mean percentile over turns of each model. Plain JSON.

    Args:
        records: of `mtbench.simulation.simulate.simulate`: every model with every simulator.

    Raises:
        MtbenchError: fewer than two models or simulators, a model that lacks a simulator, or records of different
            dialogues.
    """
    users = _names([record["simulator"] for record in records])
    models = _names([{"name": r["model"], "options": r["options"], "trained": r["trained"]} for r in records])
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
    compared, left_out = _compared({model: [found[user][model] for user in found] for model in every})
    pairs = [
        {
            "simulators": [one, other],
            "tau": _tau(*([found[user][model] for model in compared] for user in (one, other))),
        }
        for one, other in combinations(found, 2)
    ]
    known = [pair["tau"] for pair in pairs if pair["tau"] is not None]
    return {
        "measure": "percentile, mean over turns",
        "models": compared,
        "left_out": left_out,
        "simulators": list(found),
        "percentile": found,
        "pairs": pairs,
        "lowest": min(known, default=None),
        "note": _note(len(compared), len(found), left_out),
    }


def _compared(scores: Mapping[str, Sequence[float]]) -> tuple[list[str], dict[str, str]]:
    """The models whose order says something of users, and why others are left out.

    One that scores the same with every user does not listen, and one that scores what another does is that one again:
    pairs with them agree, or tie, whatever the users say.

    Args:
        scores: of each model, by user.
    """
    first: dict[tuple[float, ...], str] = {}
    left_out: dict[str, str] = {}
    for model, values in scores.items():
        if len(set(values)) == 1:
            left_out[model] = "the same with every user"
        elif tuple(values) in first:
            left_out[model] = f"the same as {first[tuple(values)]}"
        else:
            first[tuple(values)] = model
    return list(first.values()), left_out


def _tau(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Tau-b; None for fewer than `LEAST` models, and where all of one user tie."""
    from scipy.stats import kendalltau

    if len(first) < LEAST:
        return None
    value = float(kendalltau(first, second, variant="b").statistic)
    return value if value == value else None


def _note(models: int, users: int, left_out: Mapping[str, str]) -> str:
    pairs = models * (models - 1) // 2
    note = f"Tau-b of {models} models, that is of {pairs} pair{'s' * (pairs != 1)} of models, without an interval"
    if models < LEAST:
        note += f": {LEAST} are the least that tell an order from chance"
    elif models < FEW:
        note += ": few models, so that one pair in another order changes much"
    if users < USUAL:
        note += f"; {users} simulators, where {USUAL} are the least to call an order robust"
    if left_out:
        note += f". Left out: {', '.join(f'{model} ({why})' for model, why in left_out.items())}"
    return note + "."


def _names(things: Sequence[Mapping[str, Any]]) -> list[str]:
    """A name for each thing: ``Curt`` of ``curt.py:Curt``, and the options that tell several of that name apart.

    >>> _names([{"name": "attributes", "options": {"n": n}} for n in "13"])
    ['attributes n=1', 'attributes n=3']
    """
    keys = [json.dumps(thing, sort_keys=True, default=str) for thing in things]
    alike: dict[str, dict[str, Mapping[str, Any]]] = {}
    for thing, key in zip(things, keys, strict=True):
        alike.setdefault(str(thing["name"]).rpartition(":")[2], {})[key] = thing["options"]
    found: dict[str, str] = {}
    for short, options in alike.items():
        told = [f"{short}{_told(own, list(options.values()))}" for own in options.values()]
        for number, (key, name) in enumerate(zip(options, told, strict=True), 1):
            found[key] = f"{name} #{number}" if told.count(name) > 1 else name
    return [found[key] for key in keys]


def _told(own: Mapping[str, Any], among: Sequence[Mapping[str, Any]]) -> str:
    """The options that tell a thing from others of its name; of the only one, all that are short. Without a colon, for
    what stands before one is a path."""
    apart = {name for name, value in own.items() if any(other.get(name) != value for other in among)}
    told = apart or {name for name, value in own.items() if len(str(value)) <= SHORT and len(among) == 1}
    return "".join(f" {name}={own[name]}" for name in sorted(told)).replace(":", "-")


def _check_same(records: Sequence[Record]) -> None:
    for name in SAME:
        values = list(dict.fromkeys(str(record[name]) for record in records))
        if len(values) > 1:
            raise MtbenchError(f"these simulations differ in {name.replace('_', ' ')}: {', '.join(values)}")
