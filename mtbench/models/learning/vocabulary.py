"""Words as numbers, for models that learn their own text encoder; and the words of an image in groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mtbench.models.learning.examples import Indices
from mtbench.models.protocol import Catalogue

PADDING, NOTHING, UNKNOWN, FIRST = range(4)
"""Tokens: what is not there, the one token of a text without words, any word not learned, and the first word."""

SMALL = 1000
"""Below this many texts a word counts even if it is seen once only."""

_WORD = re.compile(r"\w+")


class Vocabulary:
    """The words that have a token of their own.

    >>> Vocabulary(["blue", "is"]).tokens(["Is blue!", "is a zebra", ""]).tolist()
    [[4, 3, 0], [4, 2, 2], [1, 0, 0]]
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._tokens = {word: token for token, word in enumerate(words, FIRST)}

    def __len__(self) -> int:
        """How many tokens there are, those that are no words among them."""
        return FIRST + len(self.words)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Vocabulary:
        """The words of two of the texts or more, sorted: so the token of unknown words is learned too."""
        seen = Counter(word for text in texts for word in set(words_of(text)))
        least = 2 if len(texts) >= SMALL else 1
        return cls(sorted(word for word, count in seen.items() if count >= least))

    def tokens(self, texts: Sequence[str]) -> Indices:
        """Tokens of texts (n, L), `PADDING` on the right; `NOTHING` for a text without a word."""
        rows = [[self._tokens.get(word, UNKNOWN) for word in words_of(text)] or [NOTHING] for text in texts]
        return _table(rows, PADDING)


def words_of(text: str) -> list[str]:
    """Letters, digits and underscores that stand together, in lower case."""
    return _WORD.findall(text.lower())


def groups_of(image_id: str, catalogue: Catalogue, most: int) -> tuple[str, ...]:
    """The attribute words of an image as up to ``most`` texts: in their order, in parts of about equal size.

    An image without attributes has one group: the words that stand for it, empty where it has none.

    >>> from mtbench.core.types import Image
    >>> images = {"a": Image("a", "dress", "a dress", tuple("abcde")), "b": Image("b", "dress", "a dress")}
    >>> [groups_of(i, Catalogue(images, words="caption+attributes"), 3) for i in ("a", "b", "")]
    [('a b', 'c d', 'e'), ('a dress',), ('',)]
    """
    attributes = catalogue.attributes(image_id)
    if not attributes:
        return (catalogue.text(image_id),)
    n = min(most, len(attributes))
    size, longer = divmod(len(attributes), n)  # the first ones hold one word more
    stops = [size * part + min(part, longer) for part in range(n + 1)]
    return tuple(" ".join(attributes[start:stop]) for start, stop in pairwise(stops))


@dataclass(frozen=True)
class Grouped:
    """Images and their groups of words.

    Attributes:
        tokens: of every different group, (U, L).
        rows: the groups of each image, (I, A); -1 where it has fewer.
    """

    tokens: Indices
    rows: Indices

    @classmethod
    def of(cls, groups: Iterable[Sequence[str]], vocabulary: Vocabulary) -> Grouped:
        """Of the groups of each image, one at least."""
        different: dict[str, int] = {}
        rows = [[different.setdefault(group, len(different)) for group in some] for some in groups]
        return cls(vocabulary.tokens(list(different)), _table(rows, -1))

    def some(self, images: Indices) -> tuple[Indices, Indices, Indices]:
        """Of some images: the tokens of their different groups, the group of each member, where each image starts."""
        rows = self.rows[images]
        different, members = np.unique(rows[rows >= 0], return_inverse=True)
        counts = (rows >= 0).sum(axis=1)
        return trimmed(self.tokens[different]), members, np.cumsum(counts) - counts


def trimmed(tokens: Indices) -> Indices:
    """Without the columns that are padding throughout."""
    return tokens[:, : max(1, int((tokens != PADDING).sum(axis=1).max(initial=0)))]


def _table(rows: Sequence[Sequence[int]], empty: int) -> Indices:
    """Lists of numbers side by side, filled up on the right."""
    found = np.full((len(rows), max(map(len, rows), default=1)), empty, dtype=np.int64)
    for line, row in zip(found, rows, strict=True):
        line[: len(row)] = row
    return found
