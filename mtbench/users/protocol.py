"""What a simulated user is: it sees an image, knows the one it wants, and says something.

>>> class Blunt:
...     '''Says what the target is called.'''
...     def say(self, situations, world):
...         return [f"I want {one.target}" for one in situations]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.core.source import blame
from mtbench.core.text import is_blank, plain
from mtbench.core.types import Image, Turn
from mtbench.data.truth import Truth
from mtbench.models.protocol import Catalogue

HAS = ""
"""The value of a trait that is a word alone: an image has it, or says nothing of it."""

LONGEST_TEXT = 2_000
"""Signs of what is said once; `mtbench build dialogues` takes no more."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a user knows at one turn.

    Attributes:
        category: whose gallery is searched.
        target: the image that the user wants, now.
        shown: the image that the model shows.
        earlier: the images shown before, oldest first.
        said: what the user said of them.
        seed: of whatever is drawn at this turn: another for each dialogue and turn, the same for every model.
    """

    category: str
    target: str
    shown: str
    earlier: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    seed: int = 0

    def generator(self) -> np.random.Generator:
        """A generator of this turn's own, from its start: take it once."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True)
class World:
    """What a simulator may know: how images look, and what annotators said of pairs of the training part.

    Attributes:
        images: every image by id.
        catalogue: words and vectors of images.
        turns: the turns of the training part with their categories.
        dev_turns: those of dev, to choose on.
        truth: what is known for certain, as of images that were drawn.
        joiner: between two captions of one turn.
        galleries: the candidates by category.
    """

    images: Mapping[str, Image]
    catalogue: Catalogue
    turns: Sequence[tuple[str, Turn]] = ()
    dev_turns: Sequence[tuple[str, Turn]] = ()
    truth: Callable[[], Truth | None] = lambda: None
    joiner: str = " and "
    galleries: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def traits(self, image: str) -> Mapping[str, str]:
        """What an image is like: values by name where that is known, else its attribute words, each with `HAS`.

        A value ``none`` is no trait: a shoe without a strap has less strap than one with.
        """
        known = self._known
        if known is not None:
            return {name: value for name, value in known.attributes[image].items() if value != "none"}
        return dict.fromkeys(self.images[image].attributes, HAS)

    def check_traits(self) -> None:
        """For users who speak of attributes.

        Raises:
            MtbenchError: no image has any.
        """
        if not self.has_traits:
            raise MtbenchError(
                "this user speaks of attributes, and no image of the benchmark has any; --simulator nearest-pair and "
                "captioner learn from annotators instead"
            )

    @cached_property
    def has_traits(self) -> bool:
        """Whether images have any."""
        return self._known is not None or any(image.attributes for image in self.images.values())

    @cached_property
    def _known(self) -> Truth | None:
        return self.truth()


class Simulator(Protocol):
    """A user. It may also be a `Learner` and a `Keeper`."""

    def say(self, situations: Sequence[Situation], world: World) -> Sequence[str]:
        """What the user says in each situation. It depends on the situation alone, not on the others beside it."""
        ...


@runtime_checkable
class Learner(Simulator, Protocol):
    """A user that learns from the training part how people speak, before it is asked to say anything.

    With an attribute ``judged`` that is true, what it says of the pairs of dev is measured (see
    `mtbench.simulation.spoken`).
    """

    def learn(self, world: World) -> Mapping[str, Any]:
        """Learn; returns what was learned, for the record. Plain JSON."""
        ...


@runtime_checkable
class Keeper(Protocol):
    """A user with files of its own: what it learned, or answers that cost money.

    Attributes:
        keeps: a folder that is given before all else, the same for every run on a benchmark; None to keep nothing.
    """

    keeps: Path | None


def heard(simulator: Simulator, situations: Sequence[Situation], world: World) -> list[str]:
    """What a user says, checked, for it may be anybody's class.

    A text that `mtbench build dialogues` would refuse is refused here, before anything is saved.

    Raises:
        MtbenchError: it is no list with one text for each situation, or a text is blank, too long or not plain.
    """
    with blame(type(simulator)):
        said = simulator.say(situations, world)
    must = f"{type(simulator).__name__}.say must return one text for each of {len(situations)} situations"
    if not isinstance(said, Sequence) or isinstance(said, (str, bytes, bytearray)):
        raise MtbenchError(f"{must} in a list, not {'None' if said is None else type(said).__name__}")
    if len(said) != len(situations):
        raise MtbenchError(f"{must}, not {len(said)}")
    for text in said:
        if wrong := _wrong(text):
            raise MtbenchError(f"{must}, and one of them {wrong}")
    return list(said)


def _wrong(text: object) -> str:
    """What is wrong with a text; empty for plain words. Tabs and new lines are plain too."""
    if not isinstance(text, str):
        return f"is no text but {'None' if text is None else type(text).__name__}"
    if len(text) > LONGEST_TEXT:
        return f"has {len(text):,} signs; {LONGEST_TEXT:,} are the most"
    line = text.replace("\n", " ").replace("\t", " ")
    if is_blank(line):
        return "is blank"
    hidden = next((sign for sign, shown in zip(line, plain(line), strict=True) if sign != shown), "")
    return f"holds U+{ord(hidden):04X}, which cannot be seen" if hidden else ""
