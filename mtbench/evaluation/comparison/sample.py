"""A part of a benchmark as something to draw from: its transactions, their clusters, and how they are averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import unknown
from mtbench.evaluation.results import Values
from mtbench.evaluation.statistics import Labels


@dataclass(frozen=True)
class Sample:
    """The transactions of a part.

    Attributes:
        rows: which of all N there are, bool (N,).
        clusters: what each of the n that are is one piece of evidence with, (n,).
        groups: the category of each, (n,), where the average is a macro average; None where all are pooled.
        averaged: how, in words; empty where there is one category.
    """

    rows: npt.NDArray[np.bool_]
    clusters: Labels
    groups: Labels | None
    averaged: str

    @property
    def n_clusters(self) -> int:
        """How many there are, one of two groups being two."""
        groups = [""] * len(self.clusters) if self.groups is None else self.groups
        return len(set(zip(groups, self.clusters, strict=True)))


def sample_of(values: Values, part: str) -> Sample:
    """``all`` transactions, those of a category, or those of a number of turns, such as ``2-turns``.

    All are averaged as the headline is: unweighted over categories. By turns the categories are pooled, as in the
    tables of `mtbench evaluate`, because some may have next to none of a length.

    Raises:
        MtbenchError: there is no such part.
    """
    categories = sorted(set(values.categories))
    turns = {f"{n}-turns": n for n in sorted(set(values.turns.tolist()))}
    averaged = ""
    if part == "all":
        rows = np.ones(len(values.ids), bool)
        averaged = f"macro over {', '.join(categories)}" if len(categories) > 1 else ""
    elif part in categories:
        rows = values.categories == part
    elif part in turns:
        rows = values.turns == turns[part]
        averaged = "categories pooled" if len(categories) > 1 else ""
    else:
        raise unknown("part", part, ["all", *categories, *turns])
    groups = values.categories[rows].astype(str)
    return Sample(rows, values.clusters[rows].astype(str), groups if averaged.startswith("macro") else None, averaged)
