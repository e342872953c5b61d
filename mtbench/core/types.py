"""The words of the project as value objects: pair, turn, transaction, history, image, gallery."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

MIN_TURNS, MAX_TURNS = 2, 4
"""A transaction has 2 to 4 turns (FashionNTM, section 4.1)."""

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Pair:
    """One single-turn annotation.

    Attributes:
        pair_id: stable name, from its place in the published file.
        category: the retrieval domain, which has a gallery of its own.
        split: the published split.
    """

    pair_id: str
    reference: str
    feedback: tuple[str, ...]
    target: str
    category: str
    split: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of a dialogue: the image shown, what the user said of it, and the image this led to.

    ``feedback`` holds one string per caption; a protocol's joiner makes one text of them.
    """

    reference: str
    feedback: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class History:
    """What a model may see: the turns so far, oldest first, and never a target.

    ``references[n]`` is the image shown at turn n and ``feedback[n]`` what the user said of it.
    """

    category: str
    references: tuple[str, ...]
    feedback: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.references)

    def first(self, turns: int) -> History:
        """The same history with only its first ``turns`` turns."""
        return History(self.category, self.references[:turns], self.feedback[:turns])

    def last(self, turns: int) -> History:
        """The same history with only its last ``turns`` turns."""
        return History(self.category, self.references[-turns:], self.feedback[-turns:])


@dataclass(frozen=True, slots=True)
class Transaction:
    """A chain of pairs seen as one dialogue. The target of each turn is the reference of the next."""

    transaction_id: str
    category: str
    turns: tuple[Turn, ...]
    source_pairs: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """The image to find at the end."""
        return self.turns[-1].target

    @property
    def images(self) -> tuple[str, ...]:
        """Every image in order: the references, then the final target."""
        return (*(turn.reference for turn in self.turns), self.target)

    def history(self, *, joiner: str) -> History:
        """The turns without their targets; the captions of one turn become one text."""
        return History(
            self.category,
            tuple(turn.reference for turn in self.turns),
            tuple(joiner.join(turn.feedback) for turn in self.turns),
        )


@dataclass(frozen=True, slots=True)
class Image:
    """One image and what may stand for it: a file, a machine caption, attribute words."""

    image_id: str
    category: str
    caption: str | None = None
    attributes: tuple[str, ...] = ()
    path: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Gallery:
    """The declared set of candidates of one split and category, sorted by id."""

    split: str
    category: str
    rule: str
    image_ids: tuple[str, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def sha256(self) -> str:
        """Hash of the candidates, newline-joined: two scores are comparable only if theirs agree."""
        return hashlib.sha256("\n".join(self.image_ids).encode()).hexdigest()


@dataclass(frozen=True)
class Protocol:
    """The choices that published work leaves undeclared, and that change scores (specs, section 1)."""

    gallery: str = "split-list"
    own_references: str = "kept"
    joiner: str = " and "
    turn_targets: str = "stepping-stone"
    averaging: str = "macro"
    ties: str = "expected"

    def __post_init__(self) -> None:
        # What is written is what is done: a protocol that the evaluation does not follow is no protocol.
        done = {"own_references": "kept", "turn_targets": "stepping-stone", "averaging": "macro", "ties": "expected"}
        for name, value in done.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name} must be {value!r}, not {getattr(self, name)!r}")
