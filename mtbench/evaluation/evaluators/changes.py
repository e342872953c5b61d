"""Changed histories: a turn dropped, shuffled, swapped or blanked; the earlier turns swapped or dropped.

A turn from another dialogue comes from the same category and from a dialogue with another final target. It neither
shows the target nor leads to it, because that would give the answer away, and it is no turn of the dialogue itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

import numpy as np

from mtbench.core.types import History, Transaction, Turn
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import Study
from mtbench.models.protocol import BLANK

Changed: TypeAlias = tuple[str, int | None]
"""What was done, and the age of the turn that it was done to."""

CHANGES = ("drop", "shuffle", "swap", "blank text", "blank image")
SWAP_EARLIER: Changed = ("swap earlier", None)
DROP_EARLIER: Changed = ("drop earlier", None)

_TRIES = 50

T = TypeVar("T")


def changed(study: Study, *, per_age: int | None = None) -> dict[Changed, dict[str, History]]:
    """By change and age: the changed histories by transaction id, in the order of the study; none is empty.

    Not every transaction has every change: the only turn is not dropped, a text of one word is not shuffled, and
    there may be no other dialogue to take a turn from. Everything is drawn from the seed of the study.

    Args:
        study: a whole one.
        per_age: how many transactions are changed at each age, drawn where there are more; None for all.
    """
    rng = np.random.default_rng(study.seed)
    donors = _Donors(study, rng)
    joiner = study.protocol.joiner
    made: dict[Changed, dict[str, History]] = {}
    for age in range(int(study.turns.max(initial=0))):
        for row in _some(np.flatnonzero(study.turns > age), per_age, rng):
            t, history = study.transactions[row], study.histories[row]
            at = len(history) - 1 - age
            reference, text = history.references[at], history.feedback[at]
            other, turn = shuffled(text, rng), donors.turn(t, age)
            found = {
                "drop": without(history, at) if len(history) > 1 else None,
                "shuffle": _with(history, at, reference, other) if other is not None else None,
                "swap": _with(history, at, turn.reference, joiner.join(turn.feedback)) if turn else None,
                "blank text": _with(history, at, reference, ""),
                "blank image": _with(history, at, BLANK, text),
            }
            for change, one in found.items():
                if one is not None:
                    made.setdefault((change, age), {})[t.transaction_id] = one
    made = {key: made[key] for key in sorted(made, key=lambda key: CHANGES.index(key[0]))}
    for t, history in zip(study.transactions, study.histories, strict=True):
        if len(history) == 1:
            continue
        if (turns := donors.earlier(t)) is not None:
            made.setdefault(SWAP_EARLIER, {})[t.transaction_id] = History(
                history.category,
                (*(turn.reference for turn in turns), history.references[-1]),
                (*(joiner.join(turn.feedback) for turn in turns), history.feedback[-1]),
            )
        made.setdefault(DROP_EARLIER, {})[t.transaction_id] = history.last(1)
    return made


def _some(rows: Indices, at_most: int | None, rng: np.random.Generator) -> list[int]:
    """So many of the rows, drawn; in their order."""
    if at_most is not None and len(rows) > at_most:
        rows = np.sort(rng.choice(rows, at_most, replace=False))
    found: list[int] = rows.tolist()
    return found


def without(history: History, at: int) -> History:
    """The history without one turn."""
    references, feedback = history.references, history.feedback
    return History(history.category, references[:at] + references[at + 1 :], feedback[:at] + feedback[at + 1 :])


def shuffled(text: str, rng: np.random.Generator) -> str | None:
    """The words in another order than they are in; None where there is no other."""
    words = text.split()
    if len(set(words)) < 2:
        return None
    other = words
    while other == words:
        other = [words[i] for i in rng.permutation(len(words))]
    return " ".join(other)


def _with(history: History, at: int, reference: str, text: str) -> History:
    references, feedback = list(history.references), list(history.feedback)
    references[at], feedback[at] = reference, text
    return History(history.category, tuple(references), tuple(feedback))


class _Donors:
    """Turns of other dialogues."""

    def __init__(self, study: Study, rng: np.random.Generator) -> None:
        self._rng = rng
        self._by_age: dict[tuple[str, int], list[tuple[Transaction, Turn]]] = {}
        self._any: dict[str, list[tuple[Transaction, Turn]]] = {}
        self._as_long: dict[tuple[str, int], list[Transaction]] = {}
        for t in study.transactions:
            for age, turn in enumerate(reversed(t.turns)):
                self._by_age.setdefault((t.category, age), []).append((t, turn))
                self._any.setdefault(t.category, []).append((t, turn))
                self._as_long.setdefault((t.category, age + 1), []).append(t)

    def turn(self, t: Transaction, age: int) -> Turn | None:
        """A turn of another dialogue: of the same age where one fits, of any where none does."""

        def fits(drawn: tuple[Transaction, Turn]) -> bool:
            return drawn[0].target != t.target and _is_foreign(drawn[1], t)

        pools = (self._by_age[t.category, age], self._any[t.category])
        drawn = next((found for pool in pools if (found := self._draw(pool, fits)) is not None), None)
        return drawn[1] if drawn else None

    def earlier(self, t: Transaction) -> Sequence[Turn] | None:
        """The turns before the last of another dialogue, as many as this one has."""
        n = len(t.turns)

        def fits(other: Transaction) -> bool:
            return other.target != t.target and all(_is_foreign(turn, t) for turn in other.turns[-n:-1])

        drawn = self._draw(self._as_long[t.category, n], fits)
        return drawn.turns[-n:-1] if drawn else None

    def _draw(self, pool: Sequence[T], fits: Callable[[T], bool]) -> T | None:
        for _ in range(_TRIES):
            if fits(drawn := pool[int(self._rng.integers(len(pool)))]):
                return drawn
        start = int(self._rng.integers(len(pool)))  # few fit, if any
        return next((drawn for drawn in (*pool[start:], *pool[:start]) if fits(drawn)), None)


def _is_foreign(turn: Turn, t: Transaction) -> bool:
    """Whether a turn says nothing of this dialogue."""
    if t.target in (turn.reference, turn.target):
        return False
    return all((turn.reference, turn.feedback) != (own.reference, own.feedback) for own in t.turns)
