"""Images known to be the reference of some query, and what a system gains that never returns them.

Where targets are hardly ever references (Multi-turn FashionIQ ends its dialogues on leaves), whoever holds the test
queries can strike their references from the gallery: two thirds of it. A model is handed other histories only as the
rest of its batch, and `mtbench check-model` fails one that reads them; a file of rankings can have been made so. Two
numbers tell:

* the score of the system with the known queries struck: what the trick would bring, or what it has brought already;
* known queries among its first 5, 8 and 10, against their share of the gallery. The dialogue's own references and its
  target are left out of both: hiding the images already shown is a protocol choice, and no trick.

A system is called **suspicious** if, at one of these cuts, chance expects more than 20 known queries in all its
rankings and it returns at most half of that. Each cut counts by itself, because a system may put back further down what
it has struck where the score looks. There is no p value: models in earnest find somewhat fewer than chance, which
over thousands of rankings is significant and decides nothing. What stands for the images can be the cause: a third of
the known queries among the tops of Multi-turn FashionIQ have no attribute words, and BM25 finds 0.61 of what chance
expects there, 0.89 over all categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtbench.evaluation.measures import Floats
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import Study

CUTS = (5, 8, 10)
EXPECTED, SHARE = 20, 1 / 2
"""Where the detector looks, and when it speaks: see above."""

_DEPTH = 100
"""How much of each ranking is read: what the headline has listed anyway."""

LAST = 8
"""The largest cut-off of the headline, and the cut that rows show."""


class KnownQueries:
    """The known queries of a whole study's split, and how its rankings treat them.

    Attributes:
        hits: R@5, R@8 and mean of each transaction among the candidates that are no known query, (n,).
        first: of each transaction and each of `CUTS`, the known queries among its first images, how many images those
            are, and how many known queries chance expects there, (n, cuts, 3). The first image may be the 11th of the
            list: own ones do not count.
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
        first = [self._first(row) for row in range(len(study))]
        self.first = np.array(first, dtype=np.float64).reshape(-1, len(CUTS), 3)

    @property
    def pools(self) -> dict[str, Any]:
        """Over all categories, and by category: candidates, those without known queries, targets that are known."""
        targets: dict[str, set[str]] = {category: set() for category in self.galleries}
        for category, target in zip(self.study.categories, self.study.targets, strict=True):
            targets[category].add(target)
        found = {
            c: _pool(len(gallery), len(self.known[c]), len(self.known[c] & targets[c]))
            for c, gallery in sorted(self.galleries.items())
        }
        sums = [sum(pool[name] for pool in found.values()) for name in ("gallery", "known", "known_targets")]
        return {"overall": _pool(*sums), "by_category": found}

    def shares(self, rows: Indices) -> dict[str, Floats]:
        """Their share of the first images, and by chance, (r,); of a transaction without a ranking, as chance."""
        observed, places, expected = self.first[rows, CUTS.index(LAST)].T
        names = [self.study.categories[row] for row in rows.tolist()]
        usual = np.array([len(self.known[c]) / max(1, len(self.galleries[c])) for c in names])
        ranked = places > 0
        found = np.where(ranked, [observed, expected], usual) / np.where(ranked, places, 1)
        return {f"known@{LAST}": found[0], f"chance@{LAST}": found[1]}

    def verdict(self, rows: Indices) -> dict[str, Any]:
        """How many known queries are among the first images of some transactions, and what that means."""
        cuts = []
        for first, (observed, places, expected) in zip(CUTS, self.first[rows].sum(axis=0).tolist(), strict=True):
            few = expected > EXPECTED and observed <= SHARE * expected
            cuts.append(
                {"first": first, "found": int(observed), "expected": expected, "of": int(places), "suspicious": few}
            )
        return {"suspicious": any(cut["suspicious"] for cut in cuts), "cuts": cuts}

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
        return sum(image not in known for image in head) < LAST

    def _others(self, row: int) -> set[str]:
        """Known queries, but for the dialogue's own target."""
        return self.known[self.study.categories[row]] - {self.study.targets[row]}

    def _first(self, row: int) -> list[tuple[int, int, float]]:
        gallery, known = self.galleries[self.study.categories[row]], self.known[self.study.categories[row]]
        own = {*self.study.histories[row].references, self.study.targets[row]} & gallery
        listed = [image for image in self.heads[row] if image not in own]
        share = len(known - own) / max(1, len(gallery) - len(own))
        cuts = [listed[:first] for first in CUTS]
        return [(sum(image in known for image in some), len(some), len(some) * share) for some in cuts]


def _pool(gallery: int, known: int, targets: int) -> dict[str, Any]:
    left = gallery - known
    return {
        "gallery": gallery,
        "known": known,
        "known_targets": targets,
        "without_known": left,
        "pool_ratio": gallery / max(1, left),
    }
