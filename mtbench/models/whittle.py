"""WhittleSearch (Kovashka, Parikh & Grauman 2012): relative attributes narrow a gallery down, turn by turn.

>>> constraints("more floral, not striped", Words({"floral", "striped"}))
[('floral', True), ('striped', False)]
>>> constraints("Something with long sleeves instead of a belt, and darker", Words({"long sleeve", "belt", "dark"}))
[('long sleeve', True), ('belt', False), ('dark', True)]
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtbench.core.types import History
from mtbench.models.protocol import Array, Catalogue


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TOKEN = re.compile(r"[\w-]+(?:'\w+)?|[.,;!?]")
_NOT = _set("no not without less never fewer nor isn't doesn't aren't don't cannot")
_PAIRS_NOT = frozenset({("instead", "of"), ("rather", "than")})
_YES = _set("and but with more is has have")
_IGNORED = _set(
    "a an the this that these those of in on at to for from by with without it its is are was be has have had i you me "
    "and or but not no more less some any one ones same like than as so very too just also only photo picture image "
    "pair women's womens mens men's"
)
_ENDINGS = ("s", "er", "e")


class Words:
    """The attribute words that a gallery knows, and how a text is matched with them: the longest phrase first."""

    def __init__(self, known: Collection[str]) -> None:
        self.phrases = {tuple(folded(word) for word in _words(phrase)): phrase for phrase in sorted(known)}
        self.longest = max(map(len, self.phrases), default=0)

    def at(self, tokens: Sequence[str], place: int) -> tuple[str, int]:
        """The phrase that starts at a place of a text, and of how many tokens it is; empty and 1 if none does."""
        for n in range(min(self.longest, len(tokens) - place), 0, -1):
            for key in (tokens[place : place + n], [folded(token) for token in tokens[place : place + n]]):
                if tuple(key) in self.phrases:
                    return self.phrases[tuple(key)], n
        return "", 1


class WhittleSearch:
    """Ranks by how many of the relative constraints of all turns an image satisfies.

    ``more X``, or X by itself, asks for images with more of X than the reference of that turn has; ``less``, ``no``,
    ``not``, ``without`` and ``instead of`` X for images with less. A negation ends at the next comma, stop, ``and``,
    ``but``, ``with`` or ``more``. How much of X an image has is in how many of its attributes the word occurs, where
    no model of the strength is at hand as in the paper; who has most of all in the gallery has more than any reference,
    and who has none has less, so that a constraint can always be met.

    What is read: the attribute words of the images, if the catalogue offers any (``--words``), else the words of their
    captions. The proxy of a result says which. The truth of a drawn benchmark is never read.

    Few constraints part a gallery into few groups, and there are many ties. They stay exact ties: the evaluation counts
    them in expectation over every order, which is what the random order of the paper is on average, without its
    noise. In a dialogue the first of the gallery is then shown of equals; ``ties=random`` shows one drawn by a hash of
    the history, the same for the same history.

    Args:
        ties: ``kept`` or ``random``.
        seed: of random ties.
    """

    def __init__(self, *, ties: Literal["kept", "random"] = "kept", seed: int = 0) -> None:
        self.ties, self.seed = ties, seed
        self._catalogue: Catalogue | None = None
        self._galleries: dict[tuple[str, ...], _Strengths] = {}

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """The number of constraints that each image satisfies, float32 (B, G)."""
        if self._catalogue is not catalogue:
            self._catalogue, self._galleries = catalogue, {}
        key = tuple(image_ids)
        if key not in self._galleries:
            self._galleries[key] = _Strengths(key, catalogue)
        strengths = self._galleries[key]
        scores = np.zeros((len(histories), len(key)), np.float32)
        for row, history in enumerate(histories):
            for reference, text in zip(history.references, history.feedback, strict=True):
                for phrase, wanted in constraints(text, strengths.words):
                    scores[row] += strengths.satisfied(phrase, wanted, reference)
            if self.ties == "random":
                scores[row] += self._draws(history, image_ids)
        return scores

    def _draws(self, history: History, image_ids: Sequence[str]) -> Array:
        """Less than 1 for each image, by a hash of the history; a draw belongs to an image, not to its place."""
        digest = hashlib.sha256(repr((self.seed, history)).encode()).digest()
        draws = np.random.default_rng(int.from_bytes(digest[:16], "big")).random(len(image_ids), np.float32)
        place = np.empty(len(image_ids), np.int64)
        place[np.argsort(list(image_ids))] = np.arange(len(image_ids))
        return np.asarray(0.9 * draws[place], np.float32)


class _Strengths:
    """How much of each attribute the images of a gallery have."""

    def __init__(self, image_ids: tuple[str, ...], catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._has_attributes = any(catalogue.attributes(image) for image in image_ids)
        self._rows = [self._counts(image) for image in image_ids]
        self.words = Words({phrase for row in self._rows for phrase in row})
        self._columns: dict[str, npt.NDArray[np.int64]] = {}

    def satisfied(self, phrase: str, wanted: bool, reference: str) -> npt.NDArray[np.bool_]:
        """Which images have more, or less, of it than the reference, (G,)."""
        if phrase not in self._columns:
            self._columns[phrase] = np.array([row[phrase] for row in self._rows], np.int64)
        column, own = self._columns[phrase], self._counts(reference)[phrase]
        return column > min(own, column.max() - 1) if wanted else column < max(own, 1)

    def _counts(self, image: str) -> Counter[str]:
        """In how many of its attributes each word or phrase occurs; of a caption how often its words do."""
        if not self._has_attributes:
            return Counter(folded(word) for word in _words(self._catalogue.text(image)) if word not in _IGNORED)
        counts: Counter[str] = Counter()
        for phrase in dict.fromkeys(self._catalogue.attributes(image)):
            words = [folded(word) for word in _words(phrase)]
            counts.update({" ".join(words), *(word for word in words if word not in _IGNORED)})
        return counts


def constraints(text: str, words: Words) -> list[tuple[str, bool]]:
    """What a text asks for, in its order: known words, each with whether it is wanted."""
    tokens = _TOKEN.findall(text.lower())
    found, wanted, place = [], True, 0
    while place < len(tokens):
        token = tokens[place]
        if token in _NOT or tuple(tokens[place : place + 2]) in _PAIRS_NOT:
            wanted = False
        elif not token[0].isalnum() or token in _YES:
            wanted = True
        phrase, n = words.at(tokens, place)
        if phrase and not (n == 1 and token in _IGNORED):
            found.append((phrase, wanted))
        place += n
    return list(dict.fromkeys(found))


@lru_cache(maxsize=1 << 16)
def folded(word: str) -> str:
    """A word without the endings that matter least: ``stripes`` and ``stripe`` are one, and so are darker and dark."""
    for ending in _ENDINGS:
        rest = word[: len(word) - len(ending)]
        if word.endswith(ending) and len(rest) >= 3 and not word.endswith("ss"):
            twice = ending == "er" and rest[-1] == rest[-2] and rest[-1] not in "ls"  # bigger, but taller
            return folded(rest[:-1] if twice else rest)
    return word


def _words(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(text.lower()) if token[0].isalnum()]
