"""Numbers and words as people read them."""

from __future__ import annotations

import re
import unicodedata

JOINERS = re.compile("([\u200c\u200d]|(?<=\U0001f3f4)[\U000e0020-\U000e007e]+\U000e007f)")
"""Signs that cannot be seen and belong to a text: they join or part letters, as in Persian, and signs to emoji, and say
which flag is meant, after a black one. Elsewhere, the latter could hide a text."""

HOLLOW = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters without a shape: fillers of Hangul, and the Braille sign without dots."""


def points(share: float | None, sign: str = "") -> str:
    """A share in per cent with one decimal; a dash where there is none.

    >>> points(0.1234), points(0.05, "+"), points(-0.0001), points(None)
    ('12.3', '+5.0', '0.0', '-')
    """
    return "-" if share is None else f"{round(100 * share, 1) + 0.0:{sign}.1f}"  # + 0.0: no minus before 0.0


def points_range(low: float | None, high: float | None) -> str:
    """From one share to another, in per cent; a dash where there is none."""
    return "-" if low is None or high is None else f"{points(low)} to {points(high)}"


def plain(text: str) -> str:
    """A text with a blank for each sign that moves a cursor or hides: a control sign, a mark of direction, no letter.

    >>> plain("a\\x1b[31m\\u202eb")
    'a [31m b'
    """
    if text.isprintable():
        return text
    parts = JOINERS.split(text)  # every other one is a joiner
    parts[::2] = ["".join(sign if sign.isprintable() else " " for sign in part) for part in parts[::2]]
    return "".join(parts)


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in a text.

    >>> is_blank(" \\u200d\\u3164"), is_blank("-")
    (True, False)
    """
    return all(sign in HOLLOW or unicodedata.category(sign) in ("Cf", "Mn", "Zs") for sign in text)
