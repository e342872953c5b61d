"""The earlier turns of a dialogue: where the hidden wishes are asked for, and which images are shown there.

These images tell nothing about the target beyond the wishes: each is drawn from the whole gallery, without the images
that no dialogue of the block shows, among those that lack what is asked for and have what was asked for just before. A
first image of a rollback is the exception: it looks like the target but for what is asked for, and may be the target of
another dialogue of its block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from . import phrases
from .chance import one, shuffled
from .families import Family, Shelf, look

Wishes = dict[str, str]

_ARRANGEMENTS = 200
_GUESSES = 30


@dataclass(frozen=True)
class Step:
    """One turn: the image shown (its number), what is said, and what that asks for."""

    reference: int
    text: str
    asks: Mapping[str, str]


@dataclass(frozen=True)
class Block:
    """What all dialogues of a block share.

    Attributes:
        number, kind, turns: of the block.
        end: the last turn, which asks for the visible wishes.
        family: of the last reference and of every target.
        shown: attributes of the last reference.
        hidden: the attributes that the last turn does not ask for, though the last reference has them wrong.
        targets: every image that the last turn allows.
        taken: images that no earlier turn shows: the last reference and the targets.
    """

    number: int
    kind: str
    turns: int
    end: Step
    family: Family
    shown: Mapping[str, str]
    hidden: Sequence[str]
    targets: Sequence[int]
    taken: frozenset[int] = field(repr=False)


def earlier(shelf: Shelf, block: Block, target: int, rng: np.random.Generator) -> list[Step]:
    """All turns but the last of the dialogue of ``block`` with this target.

    Raises:
        ValueError: no images of the gallery fit.
    """
    wanted = shelf.shoes[target]
    for _ in range(_ARRANGEMENTS):  # in small galleries some wishes leave no image to show between two turns
        hidden, first = list(block.hidden), None
        if block.kind == "rollback":
            hidden, first = _first(shelf, block, wanted, rng)
        asks, changed = _asks(block, wanted, hidden, rng)
        references = _references(shelf, block, asks, first, rng)
        if references is not None:
            texts = [
                phrases.wish(ask, rng, changed=turn == changed) if ask else phrases.filler(rng)
                for turn, ask in enumerate(asks)
            ]
            return [Step(*step) for step in zip(references, texts, asks, strict=True)]
    raise ValueError("no images fit the earlier turns of a dialogue; ask for more images.")


def _first(shelf: Shelf, block: Block, wanted: Mapping[str, str], rng: np.random.Generator) -> tuple[list[str], int]:
    """For a rollback, the hidden wishes that must be said, and an image to come back to that has the others right."""
    order = shuffled(rng, block.hidden)
    said = order[(len(order) + 1) // 2 :]
    shoe = dict(wanted)
    for name in (*said, *block.end.asks):
        shoe[name] = _other(block.family, name, {wanted[name]}, rng)
    return said, one(rng, shelf.looking[look(shoe)])


def _asks(
    block: Block, wanted: Mapping[str, str], hidden: Sequence[str], rng: np.random.Generator
) -> tuple[list[Wishes], int | None]:
    """What each earlier turn asks for, and the turn that takes a wish back.

    Hidden wishes fall on any turns. But where the next image is to fulfil them, and is not the last reference, one
    discriminating attribute must stay open, or only a target could be shown.
    """
    turns, most = block.turns - 1, len(block.family.free) - 1
    while True:
        asks: list[Wishes] = [{} for _ in range(turns)]
        changed = wrong = None
        if block.kind == "supersede":  # what is visible is replaced by the last turn, what is hidden by an earlier one
            names = [name for name in block.family.free if turns > 1 or name not in block.hidden]
            wrong = one(rng, names)
            end = turns
            if wrong in block.hidden:
                end = changed = int(rng.integers(1, turns))
                asks[end][wrong] = wanted[wrong]
            asks[int(rng.integers(end))][wrong] = _other(block.family, wrong, {wanted[wrong], block.shown[wrong]}, rng)
        for name in shuffled(rng, hidden):
            if name != wrong:
                asks[int(rng.integers(turns))][name] = wanted[name]
        if all(len(ask) <= most for ask in asks[:-1]):
            return asks, changed


def _other(family: Family, name: str, without: set[str], rng: np.random.Generator) -> str:
    """A value that the family has, but none of ``without``."""
    return one(rng, [value for value in family.free[name] if value not in without])


def _references(
    shelf: Shelf, block: Block, asks: Sequence[Wishes], first: int | None, rng: np.random.Generator
) -> list[int] | None:
    """An image for each turn, the first one given or not; None if at some turn there is none."""
    found: list[int] = [] if first is None else [first]
    for turn in range(len(found), len(asks)):
        image = _pick(shelf, asks[turn - 1] if turn else {}, asks[turn], block.taken.union(found), rng)
        if image is None:
            return None
        found.append(image)
    return found


def _pick(shelf: Shelf, has: Wishes, lacks: Wishes, without: frozenset[int], rng: np.random.Generator) -> int | None:
    """An image that has all of one and nothing of the other, any that fits as likely as any."""

    def fits(image: int) -> bool:
        shoe = shelf.shoes[image]
        return (
            image not in without
            and all(shoe[name] == value for name, value in has.items())
            and all(shoe[name] != value for name, value in lacks.items())
        )

    pools = [shelf.having[wish] for wish in has.items()] or [np.arange(len(shelf.shoes))]
    pool = min(pools, key=len)
    for place in rng.integers(len(pool), size=_GUESSES).tolist():
        if fits(int(pool[place])):
            return int(pool[place])
    fitting = [image for image in pool.tolist() if fits(image)]
    return one(rng, fitting) if fitting else None
