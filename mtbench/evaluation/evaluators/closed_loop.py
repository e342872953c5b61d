"""What if the model had to live with its own answers? Its best image as the next reference, against the true one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtbench.core.types import History
from mtbench.evaluation.cells import AVERAGES, Labelled, cells, excerpt, hits
from mtbench.evaluation.measures import HEADLINE, Floats
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import Study

UNSEEN = (
    "The model's own choice is its best image that the dialogue has not shown yet; of equal scores the first in the "
    "gallery."
)
NOTES = (
    "true: the references of the dialogue (teacher forced). own: the first reference is the true one, each later one "
    "the model's own choice. difference: `mean` of R@5 and R@8, own minus true, paired by transaction.",
    UNSEEN,
    "right: share of own references that are the true ones. on the way: share of dialogues in which the final target "
    "was itself such a reference; they go on all the same.",
    "The feedback was written about the true references: after a wrong one it speaks of an image that was not shown. "
    "The difference holds the model's errors and words that no longer fit; a user would have said something else.",
    AVERAGES,
)


@dataclass(frozen=True)
class _Found:
    """Of all transactions: hits float64 (n, 3) with true and with own references, and facts of the way there (n,)."""

    true: Floats
    own: Floats
    right: Floats
    on_the_way: Floats


class ClosedLoop:
    """Recall with the model's own top-1 as the next reference, against the true one (teacher forced)."""

    def run(self, study: Study) -> dict[str, Any]:
        """Rows by number of turns; ``difference`` has the overall one. Dialogues of one turn have nothing to close."""
        found, at = study.once(_measure), study.rows
        several = np.flatnonzero(study.turns >= 2)
        overall = cells(study, _labelled(found, at[several], "all"), several)
        rows = list(overall)
        for n, of in study.by_turns(least=2):
            rows += cells(study, _labelled(found, at[of], n), of, pooled=True)
        return {
            "n": len(several),
            "seed": study.seed,
            "difference": excerpt(overall[1], "difference", "right", "on the way") if overall else None,
            "rows": rows,
            "notes": [*NOTES],
        }


def unseen(head: Iterable[str], shown: Collection[str]) -> str:
    """The best image that was not shown yet; the best of all where a small gallery has no other."""
    images = list(head)
    return next((image for image in images if image not in shown), images[0])


def _labelled(found: _Found, at: Indices, turns: int | str) -> list[Labelled]:
    true, own = found.true[at], found.own[at]
    mean = HEADLINE.index("mean")
    return [
        ({"turns": turns, "references": "true"}, dict(zip(HEADLINE, true.T, strict=True))),
        (
            {"turns": turns, "references": "own"},
            {
                **dict(zip(HEADLINE, own.T, strict=True)),
                "difference": own[:, mean] - true[:, mean],
                "right": found.right[at],
                "on the way": found.on_the_way[at],
            },
        ),
    ]


def _measure(study: Study) -> _Found:
    """All dialogues take a turn at a time, in one call."""
    now = [history.first(1) for history in study.histories]
    for turn in range(1, int(study.turns.max())):
        going = np.flatnonzero(study.turns > turn).tolist()
        heads = study.heads_of([now[row] for row in going], turn + 1)
        for row, head in zip(going, heads, strict=True):
            before = now[row]
            references = (*before.references, unseen(head, before.references))
            now[row] = History(before.category, references, study.histories[row].feedback[: turn + 1])
    pairs = list(zip(now, study.histories, strict=True))
    right = [_share([a == b for a, b in zip(own.references, true.references, strict=True)][1:]) for own, true in pairs]
    way = [float(target in own.references[1:]) for own, target in zip(now, study.targets, strict=True)]
    return _Found(
        true=_hits(study, study.histories),
        own=_hits(study, now),
        right=np.array(right, dtype=np.float64),
        on_the_way=np.array(way, dtype=np.float64),
    )


def _hits(study: Study, histories: list[History]) -> Floats:
    return np.stack([*hits(study.positions_of(histories, study.targets)).values()], axis=1)


def _share(values: list[bool]) -> float:
    return sum(values) / len(values) if values else 0.0
