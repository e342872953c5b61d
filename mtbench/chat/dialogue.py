"""The state of a dialogue: turns, the image on the table, the image wanted. It is never changed, only followed.

>>> d = Dialogue("shoes", now="a").say("a", "is red").say("b", "has laces")
>>> d.move(2, -1).history.feedback
('has laces', 'is red')
>>> d.drop(1).history.references
('b',)
>>> d.back(2).now, d.back(2).draft
('b', 'has laces')
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mtbench.core.errors import MtbenchError
from mtbench.core.text import is_blank, plain
from mtbench.core.types import History

LONGEST = 500
"""Letters of one feedback."""

MOST_TURNS = 20


class Said(NamedTuple):
    """One turn: the image on the table, and what was said of it."""

    image: str
    text: str


@dataclass(frozen=True)
class Dialogue:
    """A dialogue at one moment.

    Attributes:
        category: whose gallery is searched.
        now: the image on the table; None for the best that is found.
        turns: what was said so far, oldest first.
        target: the image that is wanted, once the person said which.
        draft: text to begin the next turn with.
        saved: the name under which just this dialogue was saved.
        edited: whether turns were dropped or moved: no system ever answered them in this order.
        problem: why the last step could not be done.
        at: the part of the page that the last step was about; empty for the words that come next.
        id: the same from the first moment on, whatever was said, taken back or said instead.
    """

    category: str
    now: str | None = None
    turns: tuple[Said, ...] = ()
    target: str | None = None
    draft: str = ""
    saved: str = ""
    edited: bool = False
    problem: str = ""
    at: str = field(default="", compare=False)
    id: str = field(default_factory=lambda: secrets.token_hex(6), compare=False)

    @property
    def history(self) -> History:
        """What a model sees: never the target."""
        return History(self.category, tuple(t.image for t in self.turns), tuple(t.text for t in self.turns))

    @property
    def found(self) -> int | None:
        """After how many turns the wanted image lay on the table and was spoken of; None if it never did."""
        return next((n for n, turn in enumerate(self.turns) if turn.image == self.target), None)

    def say(self, image: str, text: str) -> Dialogue:
        """One more turn. Then the best image that is found lies on the table.

        Raises:
            MtbenchError: nothing was said, too much of it, or there are too many turns.
        """
        said = tidy(text)
        if not said:
            raise MtbenchError("Say in a few words what should be different.")
        if len(said) > LONGEST:
            raise MtbenchError(
                f"That is {len(said):,} letters; up to {LONGEST} are heard. Say the most important part."
            )
        if len(self.turns) >= MOST_TURNS:
            raise MtbenchError(f"A dialogue has {MOST_TURNS} turns at most. Drop one, or begin a new dialogue.")
        return self._next(now=None, turns=(*self.turns, Said(image, said)))

    def choose(self, image: str) -> Dialogue:
        """Another image lies on the table: the next turn is about it."""
        return self._next(now=image, draft=self.draft)

    def drop(self, turn: int) -> Dialogue:
        """Forget one turn; turns count from 1."""
        at = self._at(turn)
        left = self.turns[:at] + self.turns[at + 1 :]
        return self._next(turns=left, now=None if left else self.turns[at].image, edited=bool(left))

    def move(self, turn: int, by: int) -> Dialogue:
        """Say a turn earlier (-1) or later (1)."""
        at, to = self._at(turn), self._at(turn + by)
        turns = [*self.turns[:at], *self.turns[at + 1 :]]
        turns.insert(to, self.turns[at])
        return self._next(turns=tuple(turns), now=None, edited=True)

    def back(self, turn: int) -> Dialogue:
        """The moment before a turn was said: its image on the table, its words in the box."""
        at = self._at(turn)
        left, now = self.turns[:at], self.turns[at]
        return self._next(turns=left, now=now.image, draft=now.text, edited=self.edited and bool(left))

    def aim(self, target: str | None) -> Dialogue:
        """This is the image that is wanted; None for no longer."""
        return self._next(target=target, draft=self.draft)

    def _next(self, **changes: object) -> Dialogue:
        return replace(self, **{"draft": "", "saved": "", "problem": "", **changes})  # type: ignore[arg-type]

    def _at(self, turn: int) -> int:
        if not 1 <= turn <= len(self.turns):
            raise MtbenchError(f"There is no turn {turn} here; this dialogue has {len(self.turns)}.")
        return turn - 1


def tidy(text: str) -> str:
    """One line of plain text, as `mtbench build dialogues` takes it; empty where there is nothing to see."""
    kept = " ".join(plain(text.replace("\u00ad", "")).split())  # a soft hyphen is inside a word
    return "" if is_blank(kept) else kept
