"""What the page of a moment shows, worked out before the template: one answer of each system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtbench.chat.answers import Answer, Answerer, Place
from mtbench.chat.dialogue import Dialogue
from mtbench.web.pictures import Card, Pictures


@dataclass(frozen=True)
class TurnView:
    """One turn: its number from 1, image and words, and where the wanted image then stood for each system."""

    n: int
    card: Card
    text: str
    places: tuple[tuple[str, Place], ...]


@dataclass(frozen=True)
class AnswerView:
    """The answer of a system, with its images as cards."""

    answer: Answer
    cards: Sequence[Card]


@dataclass(frozen=True)
class View:
    """All of a page.

    Attributes:
        turns: what was said.
        answers: one for each system; none before the first turn.
        now: the image on the table.
        chosen: whether the person put it there.
        target: the wanted image.
        candidates: images of the gallery.
    """

    turns: Sequence[TurnView]
    answers: Sequence[AnswerView]
    now: Card
    chosen: bool
    target: Card | None
    candidates: int


def view(dialogue: Dialogue, answerers: Sequence[Answerer], pictures: Pictures, candidates: int) -> View:
    """Ask the systems, and lay out what they say."""
    answers = [one.answer(dialogue.history, dialogue.target) for one in answerers] if dialogue.turns else []
    best = next((answer.images[0] for answer in answers if answer.images), None)
    now = dialogue.now or best or dialogue.turns[-1].image  # with no answer at all the last image stays on the table
    turns = [
        TurnView(
            n + 1,
            pictures.card(turn.image),
            turn.text,
            tuple((answer.name, answer.places[n]) for answer in answers if answer.places),
        )
        for n, turn in enumerate(dialogue.turns)
    ]
    return View(
        turns,
        [AnswerView(answer, pictures.cards(answer.images)) for answer in answers],
        pictures.card(now),
        dialogue.now is not None,
        pictures.card(dialogue.target) if dialogue.target is not None else None,
        candidates,
    )
