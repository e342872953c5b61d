"""The galleries of the dial: families of shoes, each the full factorial of a few discriminating attributes.

A family fixes a category and all other attributes, its base. Two families differ for certain in two attributes at
least, so that any image tells its family, and an attribute discriminates within a family exactly if some image of the
gallery differs from another in that attribute alone. Some families have their vectors two or three times: the same
shoe in another scene.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .attributes import founder
from .chance import shuffled
from .vocabulary import ATTRIBUTES, CATEGORIES, CHOICES, is_valid

NAMES = ("category", *ATTRIBUTES)
COPIES = (1, 2, 1, 3)
"""How often a family has each of its vectors, family by family."""

DESIGNS = ((4, 4), (3, 4), (3, 3))
"""Discriminating attributes and values of each: the first is used whose families are small enough for the size."""

SHARES = {"train": 0.375, "dev": 0.25, "eval": 0.375}
"""Of the images, by split."""

FEWEST_UNITS = sum(COPIES[:2])
"""A split has two families at least, one of them with copies."""

_TRIES = 2000
_SCENES = 1 << 16


@dataclass(frozen=True)
class Family:
    """All shoes of one base: ``free`` has the discriminating attributes with the values they take."""

    base: Mapping[str, str]
    free: Mapping[str, tuple[str, ...]]
    copies: int = 1

    def shoes(self) -> Iterator[dict[str, str]]:
        """The members, each once, in the order of the product of the free values."""
        for values in itertools.product(*self.free.values()):
            yield {**self.base, **dict(zip(self.free, values, strict=True))}

    @property
    def size(self) -> int:
        """Different members, copies not counted."""
        return math.prod(len(values) for values in self.free.values())

    def apart(self, other: Family) -> int:
        """In how many attributes any two members of these families differ for certain."""
        return sum(set(self._values(name)).isdisjoint(other._values(name)) for name in NAMES)

    def _values(self, name: str) -> tuple[str, ...]:
        return self.free.get(name) or (self.base[name],)


@dataclass(frozen=True)
class Shelf:
    """The images of one split.

    Attributes:
        families: what they belong to.
        shoes: attributes of each image.
        family: number of its family, int (n,).
        scenes: what each picture has behind the shoe, another one for each copy; int (n,).
    """

    families: Sequence[Family]
    shoes: Sequence[Mapping[str, str]]
    family: npt.NDArray[np.int64]
    scenes: npt.NDArray[np.int64]

    @cached_property
    def members(self) -> list[npt.NDArray[np.int64]]:
        """The images of each family, copies included."""
        return [np.flatnonzero(self.family == number) for number in range(len(self.families))]

    @cached_property
    def having(self) -> dict[tuple[str, str], npt.NDArray[np.int64]]:
        """The images that have a value, by (attribute, value)."""
        found: dict[tuple[str, str], list[int]] = {}
        for number, shoe in enumerate(self.shoes):
            for key in shoe.items():
                found.setdefault(key, []).append(number)
        return {key: np.array(numbers) for key, numbers in found.items()}

    @cached_property
    def looking(self) -> dict[tuple[str, ...], list[int]]:
        """The images with exactly these attributes, in the order of `NAMES`: a shoe and its copies."""
        found: dict[tuple[str, ...], list[int]] = {}
        for number, shoe in enumerate(self.shoes):
            found.setdefault(look(shoe), []).append(number)
        return found


def look(shoe: Mapping[str, str]) -> tuple[str, ...]:
    """The values of all attributes."""
    return tuple(shoe[name] for name in NAMES)


def design_for(images: int) -> tuple[int, int]:
    """Discriminating attributes and values of each, for so many images.

    Raises:
        ValueError: too few images for the smallest design.
    """
    for attributes, values in DESIGNS:
        if images * min(SHARES.values()) >= FEWEST_UNITS * values**attributes:
            return attributes, values
    attributes, values = DESIGNS[-1]
    fewest = math.ceil(FEWEST_UNITS * values**attributes / min(SHARES.values()))
    raise ValueError(f"a dial needs {fewest} images at least, not {images}.")


def shelves(images: int, seed: int) -> dict[str, Shelf]:
    """The galleries of all splits, in random order, of as many images as fit into ``images``."""
    attributes, values = design_for(images)
    rng = np.random.default_rng((seed, 8))
    order = shuffled(rng, CATEGORIES)  # the same in all splits
    made: list[Family] = []
    found: dict[str, Shelf] = {}
    for split, share in SHARES.items():
        left = int(images * share) // values**attributes
        families: list[Family] = []
        while left:
            copies = min(COPIES[len(families) % len(COPIES)], left)
            families.append(_family(rng, order[len(families) % len(order)], made, attributes, values, copies))
            made.append(families[-1])
            left -= copies
        found[split] = _shelf(families, rng)
    return found


def _shelf(families: Sequence[Family], rng: np.random.Generator) -> Shelf:
    """All images of the families, in random order."""
    rows = [
        (number, shoe, scene + copy)
        for number, family in enumerate(families)
        for shoe, scene in zip(family.shoes(), rng.integers(_SCENES, size=family.size).tolist(), strict=True)
        for copy in range(family.copies)
    ]
    numbers, shoes, scenes = zip(*shuffled(rng, rows), strict=True)
    return Shelf(families, shoes, np.array(numbers), np.array(scenes))


def _family(
    rng: np.random.Generator, category: str, others: Sequence[Family], attributes: int, values: int, copies: int
) -> Family:
    """A family that stays apart from all others."""
    for _ in range(_TRIES):
        base = founder(category, rng)
        choices = _choices(base)
        wide = [name for name, several in choices.items() if len(several) >= values]
        names = sorted(shuffled(rng, wide)[:attributes], key=ATTRIBUTES.index)
        free = {name: tuple(shuffled(rng, choices[name])[:values]) for name in names}
        base = {**base, **{name: several[0] for name, several in free.items()}}
        family = Family(base, free, copies)
        if all(family.apart(other) >= 2 for other in others) and all(is_valid(shoe) for shoe in family.shoes()):
            return family
    raise ValueError("no further family of shoes differs enough from the others; ask for fewer images.")


def _choices(base: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The values that an attribute may take while its family keeps its heel: a flat shoe stays flat."""
    found = {name: line[0] for name, line in CHOICES[base["category"]].items()}
    if base["heel height"] == "flat":
        del found["heel shape"]
        found["heel height"] = ("flat",)
    else:
        found["heel height"] = tuple(value for value in found["heel height"] if value != "flat")
    return found
