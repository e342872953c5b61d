"""Does the feedback of a dialogue contradict itself? By what is known for certain, or else by a rule over words.

>>> contradict("is longer and blue", "is much shorter")
True
>>> contradict("has no sleeves", "is red")
False
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

from mtbench.data.truth import Truth

RULE = (
    "two turns contradict each other if one asks for a word that the other asks for less or none of ('no', 'not', "
    "'without', 'less'), if they ask for opposites ('longer' and 'shorter'), or if both name colours and none in common"
)

_FORMS = re.compile(r"[a-z]+|[.,;:!?]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEGATORS = _words("no not without less never fewer isn doesn non")
_ENDS = _words("and but with in . , ; : ! ?")
"""End what a negator reaches: "no sleeves and red" asks for red."""
_EMPTY = _words(
    "a an the is are it its has have been be does do t s as so too very much more any of on at to or that this than "
    "color colored colors colour coloured shirt dress top one different similar same style look looks like"
)
"""Say nothing to contradict: two turns may both be about the shirt."""
_COLOURS = _words(
    "black white red blue green yellow orange purple pink brown grey beige navy teal gold silver cream tan"
)
_OPPOSITES = [
    (_words("long longer"), _words("short shorter")),
    (_words("light lighter bright brighter pale paler"), _words("dark darker")),
    (_words("loose looser flowy flowing baggy"), _words("tight tighter fitted fitting")),
    (_words("big bigger large larger"), _words("small smaller")),
    (_words("high higher"), _words("low lower")),
    (_words("thick thicker wide wider"), _words("thin thinner narrow narrower")),
    (
        _words("plain plainer solid simple simpler"),
        _words("pattern patterns patterned print prints printed striped stripes floral"),
    ),
    (_words("sleeveless strapless"), _words("sleeve sleeves sleeved straps")),
    (_words("casual"), _words("formal dressy dressier")),
]


def contradicting(names: Sequence[str], feedback: Sequence[Sequence[str]], truth: Truth | None) -> list[bool]:
    """Whether each dialogue contradicts itself.

    Args:
        names: transaction ids of n dialogues.
        feedback: of each dialogue, the text of each turn.
        truth: where it is known, a dialogue contradicts itself if two turns ask for different values of one
            attribute, or if it goes back to an earlier image (a rollback); without it, `contradict` decides.
    """
    if truth is None:
        return [any(contradict(a, b) for a, b in combinations(texts, 2)) for texts in feedback]
    known = [truth.dialogues[name] for name in names]
    return [dialogue.contradicts_itself or dialogue.kind == "rollback" for dialogue in known]


def contradict(one: str, other: str) -> bool:
    """Whether the feedback of two turns cannot both hold in the end, as `RULE` has it.

    It reads words, not sentences: "longer" and "short sleeves" contradict each other here. What it leaves out is more
    than it should be; what it keeps holds in any order, as far as words tell.
    """
    asked, unwanted = _wishes(one)
    asked_too, unwanted_too = _wishes(other)
    if asked & unwanted_too or asked_too & unwanted:
        return True
    if any((asked & a and asked_too & b) or (asked & b and asked_too & a) for a, b in _OPPOSITES):
        return True
    colours, colours_too = asked & _COLOURS, asked_too & _COLOURS
    return bool(colours and colours_too) and not colours & colours_too


def _wishes(text: str) -> tuple[set[str], set[str]]:
    """The words that a feedback asks for, and those that it asks for less or none of."""
    asked: set[str] = set()
    unwanted: set[str] = set()
    negated = False
    for word in _FORMS.findall(text.lower().replace("gray", "grey")):
        if word in _NEGATORS:
            negated = True
        elif word in _ENDS:
            negated = False
        elif word not in _EMPTY:
            (unwanted if negated else asked).add(word)
    return asked, unwanted
