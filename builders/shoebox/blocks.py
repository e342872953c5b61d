"""Balanced blocks: dialogues with one last reference and feedback between them, and all targets that these allow.

A target differs from the last reference in every discriminating attribute of its family. The last feedback asks for the
visible ones; the hidden ones were asked for before. So (last reference, last feedback) leaves (values - 1)^hidden x
copies images, and a block has as many dialogues, one for each: whatever reads the last turn alone, even the answers
learned by heart, finds on average min(1, K / that number) of the targets within K. A block has one kind and one number
of turns, so this holds for each kind and each number of turns too.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import phrases
from .chance import one, shuffled
from .families import Shelf, look
from .turns import Block, Step, earlier

KINDS = ("plain", "supersede", "rollback", "reordered")
"""What a dialogue may be:

plain       every hidden wish is asked for once, at any earlier turn
supersede   one wish is first asked for with another value; a later turn, maybe the last, replaces it
rollback    the last turn goes back to the first image, which has half of the hidden wishes right (rounded up): nobody
            says these; first and last reference are of one family, so that the last turn allows no more than else
reordered   a copy of a plain dialogue of the same block with its earlier turns in another order, so that an image no
            longer has what was asked for just before
"""


@dataclass(frozen=True)
class Draft:
    """One dialogue, its images still numbers.

    Attributes:
        kind: one of `KINDS`.
        block, member: of two dialogues that share both, one is a reordered copy.
        steps: the turns.
        target: what to find.
        last_turn: how many images are consistent with the last turn alone.
    """

    kind: str
    block: int
    member: int
    steps: tuple[Step, ...]
    target: int
    last_turn: int


def cells(kinds: Sequence[str], lengths: Sequence[int], hidden: int, attributes: int) -> list[tuple[str, int]]:
    """The kinds and numbers of turns that dialogues with so many hidden wishes can have.

    Where nothing is hidden, no wish stands in the history, not even a wrong one. A hidden wish that replaces another
    needs two earlier turns; so does another order of them.
    """
    fewest = {
        "plain": 2,
        "supersede": (2 if hidden < attributes else 3) if hidden else math.inf,
        "rollback": 2 if hidden else math.inf,
        "reordered": 3,
    }
    return [(kind, turns) for turns in lengths for kind in kinds if turns >= fewest[kind]]


def hidden_of(block: int, share: float, attributes: int) -> int:
    """Hidden wishes of a block: the floor or the ceiling of share x attributes, which is their mean over the blocks."""
    exact = round(share * attributes, 9)
    return math.floor((block + 1) * exact + 1e-6) - math.floor(block * exact + 1e-6)


def dialogues(
    shelf: Shelf, *, share: float, kinds: Sequence[str], lengths: Sequence[int], wanted: int, seed: Sequence[int]
) -> list[Draft]:
    """Whole blocks until there are ``wanted`` dialogues, spread over kinds and numbers of turns; in random order."""
    attributes = len(shelf.families[0].free)
    counts: Counter[str | int | tuple[str, int]] = Counter()
    made: list[Draft] = []
    for number in itertools.count():
        if len(made) >= wanted:
            break
        rng = np.random.default_rng((*seed, number))
        hidden = hidden_of(number, share, attributes)
        # What is rarest so far, as a kind, as a number of turns, and as both together.
        kind, turns = min(
            cells(kinds, lengths, hidden, attributes),
            key=lambda cell: (counts[cell[0]] + counts[cell[1]], counts[cell]),
        )
        found = list(_drafts(shelf, _block(shelf, number, kind, turns, hidden, rng), rng))
        for draft in found:
            counts.update([draft.kind, turns, (draft.kind, turns)])
        made += found
    return shuffled(np.random.default_rng(tuple(seed)), made)


def _block(shelf: Shelf, number: int, kind: str, turns: int, hidden: int, rng: np.random.Generator) -> Block:
    place = int(rng.integers(len(shelf.families)))
    family = shelf.families[place]
    reference = int(shelf.members[place][int(rng.integers(family.size * family.copies))])
    shown = shelf.shoes[reference]
    order = shuffled(rng, list(family.free))
    other = {name: [value for value in values if value != shown[name]] for name, values in family.free.items()}
    visible = {name: one(rng, other[name]) for name in order[hidden:]}
    right = {name: value for name, value in family.base.items() if name not in family.free}
    text = phrases.last(visible, right, rng, back=kind == "rollback")
    looks = itertools.product(*([visible[name]] if name in visible else other[name] for name in family.free))
    targets = [
        image
        for values in looks
        for image in shelf.looking[look({**shown, **dict(zip(family.free, values, strict=True))})]
    ]
    end = Step(reference, text, visible)
    return Block(number, kind, turns, end, family, shown, order[:hidden], targets, frozenset([reference, *targets]))


def _drafts(shelf: Shelf, block: Block, rng: np.random.Generator) -> Iterator[Draft]:
    for member, target in enumerate(block.targets):
        steps = earlier(shelf, block, target, rng)
        orders = {"plain" if block.kind == "reordered" else block.kind: np.arange(len(steps))}
        if block.kind == "reordered":
            orders["reordered"] = _another_order(len(steps), rng)
        for kind, order in orders.items():
            turns = (*(steps[int(i)] for i in order), block.end)
            yield Draft(kind, block.number, member, turns, target, len(block.targets))


def _another_order(n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """A permutation that moves something."""
    order = rng.permutation(n)
    while (order == np.arange(n)).all():
        order = rng.permutation(n)
    return order
