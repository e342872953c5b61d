"""The questions of a study, and who sees what where: it follows from the seed, a secret of the file of answers, and a
participant's number.

A question is a transaction and the images that some models put first. The place of each model turns with the question
and the participant by a Latin square, so that each model stands in each place equally often: over the questions of
one participant, and over the participants of one question. That is so where everybody answers everything; a new
participant gets a number that evens out what those who left have not answered, and `mtbench.study.report` counts what
came of it.

>>> [arrangement(turn, participant, 2) for participant in (0, 1) for turn in (0, 1)]
[(0, 1), (1, 0), (1, 0), (0, 1)]
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import count
from typing import Any

from mtbench.core.files import json_sha256
from mtbench.evaluation.comparison.comparable import printable

PAIRWISE, THREE_WAY = "pairwise", "three-way"
WAYS = (PAIRWISE, THREE_WAY)

SQUARES = {
    2: ((0, 1), (1, 0)),
    3: ((0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), (1, 0, 2), (0, 2, 1)),
}
"""Rows by number of candidates. Of three, each half is a Latin square, and both together are every order there is."""

LEFT_OUT = ("same image first", "look the same", "cannot be shown", "not ranked", "only shown images")
"""Why a transaction may not be asked about, in the order in which it is told."""


@dataclass(frozen=True)
class Question:
    """What is asked of one transaction.

    Attributes:
        transaction_id: the dialogue.
        cluster: what the transaction is one piece of evidence with (`mtbench.evaluation.study`).
        models: which ones are asked about, by their place in `Design.names`.
        images: what each of them put first, by id.
    """

    transaction_id: str
    cluster: str
    models: tuple[int, ...]
    images: tuple[str, ...]


@dataclass(frozen=True)
class Design:
    """All that a study is made of, apart from answers.

    Attributes:
        names, keys: of the models and their results.
        way: one of `WAYS`.
        seed: of the draw and the orders.
        asked: how many questions were wished for.
        questions: those that there are.
        about: benchmark, revision, split.
        transactions: how many there are to draw from.
        counts: transactions whose first images are ``different``, and those left out by reason, summed over the pairs.
        tied: by name, on how many questions a second candidate had the same score as the first.
        secret: what orders are drawn with besides the seed, made with the file of answers: who knows seed and number
            must not know which image is whose.
    """

    names: tuple[str, ...]
    keys: tuple[str, ...]
    way: str
    seed: int
    asked: int
    questions: tuple[Question, ...]
    about: Mapping[str, Any]
    transactions: int
    counts: Mapping[str, int]
    tied: Mapping[str, int]
    secret: str = ""

    @property
    def candidates(self) -> int:
        """How many images stand side by side."""
        return len(self.questions[0].models)

    @property
    def parts(self) -> dict[str, str]:
        """What makes a study this one and no other, in parts that an error can name."""
        return {
            "results": json_sha256(list(self.keys)),
            "benchmark": f"{self.about['revision']} {self.about['split']}",
            "kind of choice": self.way,
            "seed": str(self.seed),
            "number of questions": str(self.asked),
            "questions drawn (were image files added or removed?)": json_sha256([asdict(q) for q in self.questions]),
        }

    @property
    def identity(self) -> str:
        """Hash of `parts`."""
        return json_sha256(self.parts)

    def order(self, participant: int) -> list[int]:
        """The questions in a participant's own order."""
        return sorted(range(len(self.questions)), key=lambda question: self._drawn(participant, question))

    def shown(self, question: int, participant: int) -> tuple[int, ...]:
        """The models of a question from left to right, as places in its ``models``."""
        return arrangement(self._turns[question], participant, self.candidates)

    @cached_property
    def _turns(self) -> dict[int, int]:
        """The number of each question among those of the same models, in an order that is drawn."""
        turns: dict[int, int] = {}
        so_far: Counter[tuple[int, ...]] = Counter()
        for question in sorted(range(len(self.questions)), key=lambda question: self._drawn("turn", question)):
            models = self.questions[question].models
            turns[question] = so_far[models]
            so_far[models] += 1
        return turns

    def _drawn(self, *of: object) -> bytes:
        return hashlib.sha256("\t".join(map(str, (self.seed, self.secret, *of))).encode()).digest()

    def next_number(self, given: Mapping[int, int]) -> int:
        """The number of the next participant: the lowest free one whose order of places has the fewest answers.

        Args:
            given: by the number of each participant so far, how many answers there are, or will be from those who are
                still at it.
        """
        turns = len(SQUARES[self.candidates])
        had = [0] * turns
        for number, answers in given.items():
            had[number % turns] += answers
        return next(number for number in count(had.index(min(had)), turns) if number not in given)

    def to_json(self) -> dict[str, Any]:
        """For the file of answers."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Design:
        """What `to_json` made."""
        questions = tuple(
            Question(q["transaction_id"], q["cluster"], tuple(q["models"]), tuple(q["images"]))
            for q in found["questions"]
        )
        return cls(
            **{
                **found,
                "questions": questions,
                "names": tuple(printable(str(name)) for name in found["names"]),
                "about": {key: printable(str(value)) for key, value in found["about"].items()},
                "keys": tuple(found["keys"]),
            }
        )


def drawn(design: Design) -> list[str]:
    """Where the questions come from, in sentences."""
    n, counts = design.transactions, design.counts
    asked, pairs = len(design.questions), len({question.models for question in design.questions})
    of = f"{n:,} transactions" if pairs == 1 else f"{pairs} pairs of models on {n:,} transactions"
    kind = "three" if design.way == THREE_WAY else "two"
    lines = [
        f"{asked:,} question{'s' * (asked != 1)} of {kind} images each, drawn with seed {design.seed} among "
        f"{counts.get('different', 0):,} with different first images, of {of}."
        + f" {design.asked:,} were asked for; there are no more."
        * (asked < design.asked)
    ]
    if left := [f"{counts[why]:,} {why}" for why in LEFT_OUT if counts.get(why)]:
        lines.append(f"Left out: {', '.join(left)}.")
    lines.append("First images are the best that the dialogue has not shown: shown images were left out.")
    lines += [
        f"{name}: on {count:,} of its questions the first image has the same score as the second, so chance chose it."
        for name, count in design.tied.items()
        if count
    ]
    return lines


def arrangement(turn: int, participant: int, candidates: int) -> tuple[int, ...]:
    """Which candidate stands in which place, for the ``turn``-th question of its kind."""
    rows = SQUARES[candidates]
    row = (turn + participant) % candidates
    half = (turn // candidates + participant // candidates) % (len(rows) // candidates)
    return rows[row + candidates * half]
