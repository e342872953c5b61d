"""What a person would say to get from one shoe to another.

Every statement is put together from the two shoes' true attributes, so it cannot be wrong: comparisons follow
the order of the values, and "the same" is said only when nothing else differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .attributes import ATTRIBUTES
from .chance import one, shuffled
from .words import Wording, join, wordings

CATEGORY = "category"
_ARTICLES = ("a ", "an ")


def differences(reference: Mapping[str, str], target: Mapping[str, str]) -> list[str]:
    """The attributes, category included, in which two shoes differ."""
    return [name for name in (CATEGORY, *ATTRIBUTES) if reference[name] != target[name]]


def _bare(text: str) -> str:
    for article in _ARTICLES:
        if text.startswith(article):
            return text[len(article) :]
    return text


def _clauses(rng: np.random.Generator, chosen: Sequence[Wording], be: str, have: str) -> str:
    """`is red and has a bow`: what the shoe is first, then what it has."""
    states: list[str] = []
    things: list[str] = []
    for wording in chosen:
        state = one(rng, wording.states) if wording.states and (rng.random() < 0.6 or not wording.things) else ""
        noun = state.startswith(_ARTICLES) or any(s.startswith(_ARTICLES) for s in states)
        if state and len(states) < 2 and (not noun or not states or not wording.things):
            states.append(state)
        else:
            things.append(one(rng, wording.things or wording.states))
    states.sort(key=lambda text: " " in text)
    if not things:
        return f"{be} {join(states)}"
    if not states:
        return f"{have} {join(things)}"
    glue = ", and " if len(states) > 1 else " and "
    return f"{be} {join(states)}{glue}{have} {join(things)}"


def _phrases(rng: np.random.Generator, chosen: Sequence[Wording]) -> str:
    """`in suede and with a bow and no laces`: all that is worn behind a single `with`."""
    inside = [one(rng, w.phrases) for w in chosen if w.phrases]
    worn = [one(rng, w.things) for w in chosen if not w.phrases]
    return " and ".join([*inside, *(["with " + join(worn)] if worn else [])])


def _sentence(rng: np.random.Generator, chosen: Sequence[Wording], all_said: bool) -> str:
    roll = rng.random()
    if roll < 0.52:
        return _clauses(rng, chosen, "is", "has")
    if roll < 0.66:
        start = one(rng, ("I want one that", "show me one that", "I am looking for a shoe that", "find one that"))
        return f"{start} {_clauses(rng, chosen, 'is', 'has')}"
    if roll < 0.73:
        start = one(rng, ("it should", "this one should", "the shoe should"))
        return f"{start} {_clauses(rng, chosen, 'be', 'have')}"
    if roll < 0.87 and all(w.things or w.phrases for w in chosen):
        start = one(
            rng,
            ("the same but", "the same shoe but", "same style but")
            if all_said
            else ("similar but", "a similar shoe but"),
        )
        return f"{start} {_phrases(rng, chosen)}"
    return ", ".join(_bare(one(rng, w.bare or w.things or w.states)) for w in chosen)


def feedback(
    reference_attrs: Mapping[str, str], target_attrs: Mapping[str, str], rng: np.random.Generator
) -> tuple[str, dict[str, str]]:
    """One piece of feedback, and the target's values it mentions.

    Raises ValueError for two shoes without a difference a person could name.
    """
    different = differences(reference_attrs, target_attrs)
    known = {name: wordings(name, reference_attrs, target_attrs) for name in different}
    said = [name for name in different if known[name] is not None]
    if not said:
        raise ValueError("The two shoes do not differ, so there is nothing to say about the target.")
    count = min(len(said), 1 + int(rng.choice(3, p=(0.4, 0.4, 0.2))))
    if CATEGORY in said and rng.random() < 0.7:
        others = [name for name in said if name != CATEGORY]
        count = min(count, 2)
        picked = [CATEGORY, *shuffled(rng, others)[: count - 1]]
    else:
        picked = shuffled(rng, said)[:count]
    chosen = [w for name in picked if (w := known[name]) is not None]
    if CATEGORY in picked and len(chosen) > 1:
        chosen = [w if n == CATEGORY else Wording(things=w.things) for n, w in zip(picked, chosen, strict=True)]
    heights = {"heel height", "heel shape"}
    rest = set(different) - set(picked)
    all_said = not (rest - heights if heights & set(picked) and target_attrs["heel shape"] == "none" else rest)
    return _sentence(rng, chosen, all_said), {name: target_attrs[name] for name in picked}
