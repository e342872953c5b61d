"""A user who compares: relative feedback from what differs, in several turns of phrase.

>>> sentence([Wish("heel height", "high", "flat"), Wish("bow", None, "")], np.random.default_rng(2))
'Something like this, but with a high heel instead of a flat one and no bow.'
>>> words = [Wish("floral", "", None), Wish("striped", None, ""), Wish("pockets", "", None)]
>>> sentence(words, np.random.default_rng(1))
'Show me one that is more floral and not striped and has pockets.'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtbench.users.english import an, is_adjective, is_cloth, is_garment, is_part, is_plural, listed, more
from mtbench.users.protocol import Situation, World
from mtbench.users.wishes import Wish, wishes

NOTHING = "Just like this one."
"""What is said of an image that differs in nothing that is known."""

CONTRAST = 0.5
"""How often what is shown is named beside what is wanted."""

BUT = ("Something like this, but {}.", "The same, but {}.", "Like this one, but {}.")
IS = ("{}", "I want one that {}.", "Show me one that {}.", "I am looking for something that {}.")
BE = ("It should {}.", "I would like it to {}.")

_KINDS = ("category", "kind", "type")
"""Traits whose value is the thing itself: boots instead of pumps."""
_STUFF = ("colour", "color", "material", "fabric")
"""Traits that a thing is in: in red."""
_MEASURES = ("height", "shape", "length", "style", "size", "type", "kind", "width")
"""A trait that ends so is named by what comes before: a high heel."""


@dataclass(kw_only=True)
class Template:
    """Says in whole sentences how the target differs: of one to n attributes, drawn at each turn.

    Args:
        n: the most differences that one sentence names.
    """

    n: int = 2

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n must be 1 or more, not {self.n}")

    def say(self, situations: Sequence[Situation], world: World) -> list[str]:
        """Feedback such as ``Something like this, but with a high heel instead of a flat one.``

        Raises:
            MtbenchError: no image has attributes.
        """
        world.check_traits()
        return [self._say(one, world) for one in situations]

    def _say(self, one: Situation, world: World) -> str:
        every = wishes(world.traits(one.target), world.traits(one.shown))
        rng = one.generator()
        most = int(rng.integers(self.n)) + 1
        chosen: list[Wish] = []
        for k in rng.permutation(len(every)).tolist():
            # "more sleeve" and "no long sleeve" in one sentence would say the same twice, or take it back
            if len(chosen) < most and not any(_alike(every[k], wish) for wish in chosen):
                chosen.append(every[k])
        return sentence(chosen, rng) if chosen else NOTHING


def sentence(told: Sequence[Wish], rng: np.random.Generator) -> str:
    """One sentence that tells some wishes: first what the image should be, then what it should have."""
    things, ways, parts = [], [], []
    for wish in told:
        if wish.name.lower() in _KINDS:
            things.append(_compared(wish, rng, lambda _, value: value))
        elif wish.name.lower() in _STUFF and wish.wanted:
            ways.append("in " + _compared(wish, rng, lambda _, value: value))
        elif not (wish.wanted or wish.shown) and (way := _way(wish, rng)):
            ways.append(way)
        else:
            parts.append(_part(wish, rng))
    for some in (ways, parts):
        some.sort(key=lambda said: said.startswith(("no ", "not ", "less ")))
    if things:
        return _one(BUT, rng).format(", ".join([*things, *ways, *(["with " + listed(parts)] if parts else [])]))
    frames = (BUT, IS, BE)[int(rng.integers(3))]
    before = {BUT: ("", "with"), IS: ("is", "has"), BE: ("be", "have")}[frames]
    said = [f"{verb} {listed(some)}".strip() for verb, some in zip(before, (ways, parts), strict=True) if some]
    return _one(frames, rng).format(" and ".join(said))


def _way(wish: Wish, rng: np.random.Generator) -> str:
    """How it should be, of a word alone: ``more floral``, ``not in lace``, ``more like a blouse``; else empty."""
    wanted = wish.wanted is not None
    if is_cloth(wish.name):
        return f"{'' if wanted else 'not '}in {wish.name}"
    if is_garment(wish.name):
        return f"{'more' if wanted else 'less'} like {wish.name if is_plural(wish.name) else an(wish.name)}"
    if not is_adjective(wish.name):
        return ""
    raised = more(wish.name)
    if wanted:
        return raised
    return f"{_one(('less', 'not'), rng) if raised != wish.name else 'not'} {wish.name}"


def _part(wish: Wish, rng: np.random.Generator) -> str:
    """What it should have, or should not: ``a high heel instead of a flat one``, ``no bow``, ``a beach look``."""
    if wish.wanted or wish.shown:
        return _compared(wish, rng, _noun)
    if is_part(wish.name) or is_plural(wish.name):
        return f"no {wish.name}" if wish.wanted is None else wish.name if is_plural(wish.name) else an(wish.name)
    if wish.wanted is None:
        return f"less of {an(wish.name)} look"
    return f"{wish.name} details" if rng.random() < 0.5 else f"{an(wish.name)} look"


def _compared(wish: Wish, rng: np.random.Generator, noun: Callable[[str, str], str]) -> str:
    """What is wanted, and now and then what it is to replace."""
    contrast = rng.random() < CONTRAST
    name, wanted, shown = _plain(wish.name), _plain(wish.wanted or ""), _plain(wish.shown or "")
    if not wanted:
        return "no " + re.sub("^an? ", "", noun(name, shown))
    phrase = noun(name, wanted)
    if not (contrast and shown):
        return phrase
    old = noun(name, shown)
    if noun is _noun and is_adjective(shown) and phrase.rpartition(" ")[2] == old.rpartition(" ")[2]:
        old = f"{an(shown)} one"
    return f"{phrase} instead of {old}"


def _noun(name: str, value: str) -> str:
    """A value of a trait as a thing: ``a high heel``, ``an ankle strap``, ``a t-strap``, ``stripes``."""
    words = name.split()
    head = " ".join(words[:-1]) if len(words) > 1 and words[-1].lower() in _MEASURES else name
    if is_plural(value):
        return value
    return an(value if value.endswith(head) else f"{value} {head}")


def _alike(one: Wish, other: Wish) -> bool:
    """Whether two wishes of bare words share one: ``v-neck`` and ``deep v neck``."""
    if one.wanted or one.shown or other.wanted or other.shown:
        return False
    first, second = ({word.rstrip("s") for word in re.findall(r"\w+", wish.name.lower())} for wish in (one, other))
    return bool(first & second)


def _plain(words: str) -> str:
    return words.replace("_", " ").strip()


def _one(of: Sequence[str], rng: np.random.Generator) -> str:
    return of[int(rng.integers(len(of)))]
