"""How a shoe's attributes are chosen.

Shoes come in families.  The first member of a family is drawn from its category's value table; every later
member copies an earlier one and changes a few attributes.  Relatives therefore differ in a handful of ways,
which is what a person giving relative feedback needs, and no search over all images is ever necessary.
A family depends only on (seed, family number), so shoe n depends only on (seed, n).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .chance import one, shuffled
from .vocabulary import (
    ATTRIBUTES,
    CATEGORIES,
    CHOICES,
    HEEL_HEIGHTS,
    SHAFTS,
    SOLES,
    VALUES,
    is_valid,
)

__all__ = [
    "ATTRIBUTES",
    "CATEGORIES",
    "CHOICES",
    "FAMILY_SIZE",
    "HEEL_HEIGHTS",
    "SHAFTS",
    "SOLES",
    "VALUES",
    "family_of",
    "founder",
    "is_valid",
    "sample_attributes",
    "sample_family",
]

FAMILY_SIZE = 10


def _pick(line: tuple[tuple[str, ...], tuple[float, ...]], rng: np.random.Generator, avoid: str = "") -> str:
    names, weights = line
    mass = [0.0 if name == avoid else weight for name, weight in zip(names, weights, strict=True)]
    point = rng.random() * sum(mass)
    for name, weight in zip(names, mass, strict=True):
        point -= weight
        if point < 0:
            return name
    return names[-1]


def _settle(shoe: dict[str, str], rng: np.random.Generator) -> dict[str, str]:
    """Resolve the few attributes that depend on each other."""
    rows = CHOICES[shoe["category"]]
    if shoe["heel height"] == "flat":
        shoe["heel shape"] = "none"
    elif shoe["heel shape"] == "none":
        shoe["heel shape"] = _pick(rows["heel shape"], rng)
    if shoe["accent"] == shoe["colour"]:
        shoe["accent"] = _pick(rows["accent"], rng, avoid=shoe["colour"])
    if shoe["strap"] == "slingback" and shoe["closure"] == "zip":
        shoe["closure"] = "slip-on"
    return shoe


def founder(category: str, rng: np.random.Generator) -> dict[str, str]:
    """The first member of a family, drawn from the value table of its category."""
    shoe = {"category": category}
    for name, line in CHOICES[category].items():
        shoe[name] = _pick(line, rng)
    return _settle(shoe, rng)


def _relative(parent: Mapping[str, str], rng: np.random.Generator) -> dict[str, str]:
    rows = CHOICES[parent["category"]]
    free = [name for name in ATTRIBUTES if len(rows[name][0]) > 1]
    count = 1 + int(rng.choice(3, p=(0.35, 0.4, 0.25)))
    shoe = dict(parent)
    for name in shuffled(rng, free)[:count]:
        if name != "heel shape" or shoe["heel height"] != "flat":
            shoe[name] = _pick(rows[name], rng, avoid=shoe[name])
    return _settle(shoe, rng)


def family_of(n: int) -> int:
    """The family that shoe n belongs to."""
    return n // FAMILY_SIZE


def sample_family(family: int, seed: int) -> list[dict[str, str]]:
    """All members of a family; ten families in a row cover the ten categories in some order."""
    era, place = divmod(family, len(CATEGORIES))
    order = shuffled(np.random.default_rng((seed, 0, era)), CATEGORIES)
    rng = np.random.default_rng((seed, 1, family))
    members = [founder(order[place], rng)]
    while len(members) < FAMILY_SIZE:
        child = _relative(one(rng, members), rng)
        if child not in members:
            members.append(child)
    return members


def sample_attributes(n: int, seed: int) -> list[dict[str, str]]:
    """The true attributes of the first n shoes (a longer list starts with the shorter one)."""
    shoes: list[dict[str, str]] = []
    for family in range(-(-n // FAMILY_SIZE)):
        shoes.extend(sample_family(family, seed))
    return shoes[:n]
