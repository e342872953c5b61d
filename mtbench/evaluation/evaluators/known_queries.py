"""Images known to be the reference of some query, and what a system gains that never returns them.

Where targets are hardly ever references (Multi-turn FashionIQ ends its dialogues on leaves), whoever holds the test
queries can strike their references from the gallery: two thirds of it. No model sees the other queries, so none does
this by itself; a file of rankings can have been made so. Two numbers tell:

* the score of the system with the known queries struck: what the trick would bring, or what it has brought already;
* known queries among its first 10, against their share of the gallery. The dialogue's own references and its target are
  left out of both: hiding the images already shown is a protocol choice, and no trick.

A system is called **suspicious** if chance expects more than 20 known queries in the first 10 of all its rankings, and
it returns at most a twentieth of what chance expects. The probability beside it is that of so few by chance, binomial,
which bounds that of unequal shares from above (Hoeffding 1956). It takes rankings for independent, which those of
dialogues with one target are not; the rule leaves room for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import binom

from mtbench.evaluation.measures import Floats
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import Study

FIRST = 10
EXPECTED, SHARE = 20, 1 / 20
"""When the detector speaks: see above."""

_DEPTH = 100
"""How much of each ranking is read: what the headline has listed anyway."""

_LAST = 8
"""The largest cut-off of the headline."""

EVERY = "all"
"""The name of all categories together."""


class KnownQueries:
    """The known queries of a whole study's split, and how its rankings treat them.

    Attributes:
        hits: R@5, R@8 and mean of each transaction among the candidates that are no known query, (n,).
        first: of each transaction, the known queries among its first 10, how many those are, and how many known
            queries chance expects there, (n, 3). The first image may be the 11th of the list: own ones do not count.
        notes: what a reader must know of this run.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.notes: list[str] = []
        self.galleries = {c: frozenset(g.image_ids) for c, g in study.ranker.galleries.items()}
        shown: dict[str, set[str]] = {category: set() for category in self.galleries}
        for t in study.benchmark.transactions(study.split):
            if t.category in shown:
                shown[t.category].update(turn.reference for turn in t.turns)
        self.known = {category: shown[category] & gallery for category, gallery in self.galleries.items()}
        self.heads = study.heads_of(study.histories, _DEPTH)
        self.hits = self._hits()
        self.first = np.array([self._first(row) for row in range(len(study))], dtype=np.float64).reshape(-1, 3)

    @property
    def pools(self) -> list[dict[str, Any]]:
        """By category, and summed over them: candidates, those without known queries, targets that are known."""
        targets: dict[str, set[str]] = {category: set() for category in self.galleries}
        for category, target in zip(self.study.categories, self.study.targets, strict=True):
            targets[category].add(target)
        found = [
            _pool(c, len(gallery), len(self.known[c]), len(self.known[c] & targets[c]))
            for c, gallery in sorted(self.galleries.items())
        ]
        sums = [sum(row[name] for row in found) for name in ("gallery", "known", "known_targets")]
        return [_pool(EVERY, *sums), *found]

    def shares(self, rows: Indices) -> dict[str, Floats]:
        """Known queries among the first images, and by chance, (r,); of a transaction without a ranking, as chance."""
        observed, places, expected = self.first[rows].T
        names = [self.study.categories[row] for row in rows.tolist()]
        usual = np.array([len(self.known[c]) / max(1, len(self.galleries[c])) for c in names])
        ranked = places > 0
        found = np.where(ranked, [observed, expected], usual) / np.where(ranked, places, 1)
        return {f"known@{FIRST}": found[0], f"chance@{FIRST}": found[1]}

    def verdict(self, rows: Indices) -> dict[str, Any]:
        """How many known queries are among the first images of some transactions, and what that means."""
        observed, places, expected = (float(column.sum()) for column in self.first[rows].T)
        return {
            "found": int(observed),
            "expected": expected,
            "of": int(places),
            "probability": float(binom.cdf(observed, places, expected / places)) if places else 1.0,
            "suspicious": expected > EXPECTED and observed <= SHARE * expected,
        }

    def _hits(self) -> dict[str, Floats]:
        """The target has g candidates above it and e with its score, which are the places g to g + e of its list.

        So the list tells how many of either are known queries. Beyond its end, which matters only for a score that
        many candidates share, known queries count by their share of what is not listed.
        """
        study, at_5, at_8 = self.study, np.zeros(len(self.study)), np.zeros(len(self.study))
        heads = dict(enumerate(self.heads))
        short = [row for row, head in heads.items() if len(head) == _DEPTH and self._cannot_tell(row, head)]
        deepest = max(map(len, self.galleries.values()))
        deep = study.heads_of([study.histories[row] for row in short], deepest)
        heads |= dict(zip(short, deep, strict=True))
        unsure = sum(self._cannot_tell(row, head) for row, head in heads.items())
        for row, head in heads.items():
            greater, equal = int(study.positions.greater[row]), int(study.positions.equal[row])
            if not equal or greater > len(head):
                continue
            known = self._others(row)
            listed, tied = head[:greater], head[greater : greater + equal]
            above, beside = sum(i in known for i in listed), float(sum(i in known for i in tied))
            if equal > len(tied):
                outside = len(self.galleries[study.categories[row]]) - len(head)
                beside += (equal - len(tied)) * (len(known) - sum(i in known for i in head)) / outside
            at_5[row], at_8[row] = (np.clip((k - greater + above) / (equal - beside), 0, 1) for k in (5, 8))
        if unsure:
            self.notes.append(
                f"{unsure:,} rankings list too few images to tell how many known queries stand above the target: "
                "counted as misses with known queries removed."
            )
        return {"R@5": at_5, "R@8": at_8, "mean": (at_5 + at_8) / 2}

    def _cannot_tell(self, row: int, head: Sequence[str]) -> bool:
        """Whether the target stands below the list, and the list has too few other images to rule it out."""
        if not self.study.positions.equal[row] or self.study.positions.greater[row] <= len(head):
            return False
        known = self._others(row)
        return sum(image not in known for image in head) < _LAST

    def _others(self, row: int) -> set[str]:
        """Known queries, but for the dialogue's own target."""
        return self.known[self.study.categories[row]] - {self.study.targets[row]}

    def _first(self, row: int) -> tuple[int, int, float]:
        gallery, known = self.galleries[self.study.categories[row]], self.known[self.study.categories[row]]
        own = {*self.study.histories[row].references, self.study.targets[row]} & gallery
        first = [image for image in self.heads[row] if image not in own][:FIRST]
        share = len(known - own) / max(1, len(gallery) - len(own))
        return sum(image in known for image in first), len(first), len(first) * share


def _pool(category: str, gallery: int, known: int, targets: int) -> dict[str, Any]:
    left = gallery - known
    return {
        "category": category,
        "gallery": gallery,
        "known": known,
        "known_targets": targets,
        "without_known": left,
        "pool_ratio": gallery / max(1, left),
    }
