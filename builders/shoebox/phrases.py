"""What is said in a dialogue of the dial: every wish names its attribute, and a text has one meaning.

>>> text = wish({"toe": "pointed", "accent": "gold"}, np.random.default_rng(0))
>>> text
'Make sure it has a pointed toe and gold trim.'
>>> meaning(text)
Said(wishes={'toe': 'pointed', 'accent': 'gold'}, back=False)
>>> meaning("Back to the first one, with all I asked for. Keep the round toe.")
Said(wishes={}, back=True)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .chance import one
from .vocabulary import ATTRIBUTES, VALUES
from .words import NOUNS, an, join

_SPECIAL = {
    ("heel height", "mid"): "a mid-height heel",
    ("closure", "laces"): "a lace-up closure",
    ("strap", "t-strap"): "a T-strap",
    ("strap", "crossed"): "crossed straps",
    ("ornament", "studs"): "a stud ornament",
    ("pattern", "plain"): "no pattern",
    ("pattern", "stripes"): "a striped pattern",
    ("pattern", "dots"): "a dotted pattern",
    ("pattern", "checks"): "a checked pattern",
    ("material", "patent"): "a patent leather finish",
}
_NOUN = {
    "colour": "upper",
    "accent": "trim",
    "material": "finish",
    "heel height": "heel",
    "heel shape": "heel",
    "toe": "toe",
    "closure": "closure",
    "strap": "strap",
    "sole": "sole",
    "ornament": "ornament",
    "pattern": "pattern",
    "shaft": "shaft",
}


def _phrase(name: str, value: str) -> str:
    if (name, value) in _SPECIAL:
        return _SPECIAL[name, value]
    if value == "none":
        return f"no {_NOUN[name]}"
    if name == "accent":
        return f"{value} trim"
    high = "-high" if name == "shaft" and value != "low" else ""
    return an(f"{value}{high} {_NOUN[name]}")


PHRASES = {(name, value): _phrase(name, value) for name in ATTRIBUTES for value in VALUES[name]}
del PHRASES["heel shape", "none"]  # a flat heel has no other shape
"""Words for each value of each attribute, by (attribute, value); no two are the same."""

_MEANT = {phrase: key for key, phrase in PHRASES.items()}

FILLERS = (
    "Show me something else.",
    "What else do you have?",
    "Another one, please.",
    "Hmm, not yet.",
    "Let me see more.",
    "Next, please.",
    "Go on.",
    "I am still looking.",
)
WISHES = ("I want {}.", "It must have {}.", "Make sure it has {}.", "I would like {}.")
CHANGES = ("On second thought, I want {}.", "I changed my mind: rather {}.", "No, I would rather have {}.")
LAST = ("Something like this, but with {}.", "Like this one, but with {}.", "This is close, but I want {}.")
KEEP = ("This is close. Keep {}.", "I like {} of this one.", "Nearly there. Leave {} as it is.")
BACK = ("Back to the first one, but with {}, and all else I asked for.",)
BACK_KEEP = ("Back to the first one, with all I asked for. Keep {}.",)


@dataclass(frozen=True)
class Said:
    """The meaning of a text: the values it asks for, and whether it goes back to the first image."""

    wishes: Mapping[str, str]
    back: bool = False


def filler(rng: np.random.Generator) -> str:
    """A remark that asks for nothing."""
    return one(rng, FILLERS)


def wish(values: Mapping[str, str], rng: np.random.Generator, *, changed: bool = False) -> str:
    """A wish of an earlier turn; ``changed`` where it takes back an earlier one."""
    return one(rng, CHANGES if changed else WISHES).format(_listed(values))


def last(values: Mapping[str, str], right: Mapping[str, str], rng: np.random.Generator, *, back: bool = False) -> str:
    """What is said at the last turn: the wishes that are left, or a remark on one of the values that are ``right``."""
    if values:
        return one(rng, BACK if back else LAST).format(_listed(values))
    known = [PHRASES[key] for key in right.items() if key in PHRASES]
    shown = [phrase for phrase in known if not phrase.startswith("no ")]
    return one(rng, BACK_KEEP if back else KEEP).format("the " + re.sub("^an? ", "", one(rng, shown)))


def caption(shoe: Mapping[str, str]) -> str:
    """One sentence that names every attribute, in the words of the wishes."""
    return f"{an(NOUNS[shoe['category']])} with {_listed({name: shoe[name] for name in ATTRIBUTES})}"


@lru_cache(maxsize=1 << 16)
def meaning(text: str) -> Said:
    """What a text of these dialogues asks for.

    Raises:
        ValueError: it is none of theirs.
    """
    if text in FILLERS or _inside(text, KEEP) is not None:
        return Said({})
    if _inside(text, BACK_KEEP) is not None:
        return Said({}, back=True)
    for frames, back in ((BACK, True), (LAST + CHANGES + WISHES, False)):
        inside = _inside(text, frames)
        phrases = re.split(", | and ", inside) if inside else []
        if phrases and all(phrase in _MEANT for phrase in phrases):
            return Said(dict(_MEANT[phrase] for phrase in phrases), back=back)
    raise ValueError(f"no text of the shoebox dial: {text!r}")


def _listed(values: Mapping[str, str]) -> str:
    return join([PHRASES[key] for key in values.items() if key in PHRASES])


def _inside(text: str, frames: tuple[str, ...]) -> str | None:
    """What stands in the gap of the frame that fits; of several the longest frame, that is the shortest inside."""
    gaps = []
    for frame in frames:
        before, after = frame.split("{}")
        if text.startswith(before) and text.endswith(after) and len(text) > len(before) + len(after):
            gaps.append(text[len(before) : len(text) - len(after)])
    return min(gaps, key=len, default=None)
