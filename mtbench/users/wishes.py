"""What a user could ask for: the traits in which a target differs from what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
    """One difference.

    Attributes:
        name: of the trait, or the word itself.
        wanted: its value in the target; None where the target does not have it.
        shown: its value in the image that is shown; None where that does not have it.
    """

    name: str
    wanted: str | None
    shown: str | None

    @property
    def phrase(self) -> str:
        """What is wanted, or what is not: ``red upper``, ``floral``."""
        value = self.wanted if self.wanted is not None else self.shown
        return f"{value} {self.name}" if value else self.name


def wishes(target: Mapping[str, str], shown: Mapping[str, str]) -> list[Wish]:
    """Every difference, by name; what is equal is skipped (Guo et al., section 5).

    >>> [wish.phrase for wish in wishes({"upper": "red", "heel": "flat"}, {"upper": "blue", "heel": "flat"})]
    ['red upper']
    >>> wishes({"floral": HAS}, {"striped": HAS})[1]
    Wish(name='striped', wanted=None, shown='')
    """
    return [
        Wish(name, target.get(name), shown.get(name))
        for name in sorted({*target, *shown})
        if target.get(name) != shown.get(name)
    ]
