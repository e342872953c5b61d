"""What can be scored without reading the query, and whether a system exploits which images are known queries.

Query-free rankings, one order of the gallery for all dialogues:

=============  ====================================================================================================
chance         no order at all
has caption,   images that have a caption (attribute words) before those that have none
has attributes
train targets  by how often an image is the target of a turn in train; in disjoint galleries that is chance
blank query    the model's own order for a history of as many turns that shows and says nothing
=============  ====================================================================================================

The known-query detector is `mtbench.evaluation.evaluators.known_queries`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.core.types import History
from mtbench.evaluation.cells import cell, cells, hits
from mtbench.evaluation.evaluators.known_queries import CUTS, EXPECTED, LAST, KnownQueries
from mtbench.evaluation.measures import Positions
from mtbench.evaluation.study import Study
from mtbench.models.protocol import BLANK

_REMOVED = "model, known queries removed"

NOTES = (
    "chance to blank query: one ranking for all dialogues, made without reading them. What they score above chance, "
    "the choice of images gives away.",
    "Known queries: references of any dialogue of the split. Removed, but for a dialogue's own target, they leave the "
    "gallery smaller by the pool ratio; a model in earnest cannot do that.",
    f"known@{LAST}: their share of the first {LAST} (own references and target aside); chance@{LAST}: of the gallery. "
    f"suspicious: among the first {', '.join(map(str, CUTS[:-1]))} or {CUTS[-1]} of all rankings chance expects more "
    f"than {EXPECTED}, and at most half of that is there.",
)


class GalleryPrior:
    """Scores without reading the query, and a detector of systems that hardly ever return a known query."""

    def run(self, study: Study) -> dict[str, Any]:
        """Rows: the query-free rankings, the model, and the model with known queries removed, with its pools.

        ``detector`` and ``pools`` are of all categories (``overall``) and ``by_category``, in a mapping of its own, so
        that no category can take the place of all.
        """
        (orders, notes), known, own = study.once(_orders), study.once(KnownQueries), study.rows
        scores = {name: hits(positions.take(own)) for name, positions in orders.items()}
        scores["model"] = hits(study.positions)
        scores[_REMOVED] = {**{name: column[own] for name, column in known.hits.items()}, **known.shares(own)}
        rows = cells(study, [({"ranking": name}, values) for name, values in scores.items()])
        names = np.asarray(study.categories, dtype=object)
        overall, pools = known.verdict(own), known.pools
        by_category: dict[str, Any] = {}
        _judge(rows[-1], overall, pools["overall"])
        if study is study.whole and len(known.galleries) > 1:
            for category in sorted(known.galleries):
                some = np.flatnonzero(names == category)
                by_category[category] = known.verdict(own[some])
                values = {name: column[some] for name, column in scores[_REMOVED].items()}
                rows.append(cell(study, values, some, pooled=True, ranking=f"the same, {category}"))
                _judge(rows[-1], by_category[category], pools["by_category"][category])
        return {
            "n": len(study),
            "seed": study.seed,
            "suspicious": any(verdict["suspicious"] for verdict in (overall, *by_category.values())),
            "detector": {"overall": overall, "by_category": by_category},
            "pools": pools,
            "rows": rows,
            "notes": [*NOTES, *notes, *known.notes],
        }


def _judge(row: dict[str, Any], verdict: Mapping[str, Any], pool: Mapping[str, Any]) -> None:
    """Add to a row what is no mean over transactions."""
    row["gallery"], row["pool ratio"] = pool["gallery"], pool["pool_ratio"]
    row["suspicious"] = "yes" if verdict["suspicious"] else "no"


def _orders(study: Study) -> tuple[dict[str, Positions], list[str]]:
    """Where the targets of a whole study stand in each query-free ranking; and why there is no blank query."""
    orders = {"chance": _ordered(study, {})}
    images = study.benchmark.images
    for kind in ("caption", "attributes"):
        described = {name: 1 for name, image in images.items() if getattr(image, kind)}
        if described and len(described) < len(images):
            orders[f"has {kind}"] = _ordered(study, dict.fromkeys(study.ranker.galleries, described))
    orders["train targets"] = _ordered(study, _train_targets(study))
    try:
        blank = [History(t.category, (BLANK,) * len(t.turns), ("",) * len(t.turns)) for t in study.transactions]
        orders["blank query"] = study.positions_of(blank, study.targets)
    except MtbenchError as error:
        return orders, [f"No blank query: {str(error).splitlines()[0]}."]
    return orders, []


def _train_targets(study: Study) -> dict[str, Mapping[str, float]]:
    """By category, how many turns in train lead to an image."""
    found: dict[str, Counter[str]] = {category: Counter() for category in study.ranker.galleries}
    for t in study.benchmark.transactions("train"):
        if t.category in found:
            found[t.category].update(turn.target for turn in t.turns)
    return dict(found)


def _ordered(study: Study, scores: Mapping[str, Mapping[str, float]]) -> Positions:
    """Where the targets stand if images are ordered by a score, by category, that all dialogues share; 0 by default."""
    greater, equal, candidates = (np.zeros(len(study), dtype=np.int64) for _ in range(3))
    names = np.asarray(study.categories, dtype=object)
    for category, gallery in study.ranker.galleries.items():
        rows = np.flatnonzero(names == category)
        of = {image: float(scores.get(category, {}).get(image, 0)) for image in gallery.image_ids}
        among = np.sort(list(of.values()))
        own = np.array([of.get(study.targets[row], np.nan) for row in rows])
        found = ~np.isnan(own)
        greater[rows] = np.where(found, len(among) - np.searchsorted(among, own, "right"), len(among))
        equal[rows] = np.where(found, len(among) - np.searchsorted(among, own, "left") - greater[rows], 0)
        candidates[rows] = len(among)
    return Positions(greater, equal, candidates)
