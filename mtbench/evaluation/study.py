"""What an evaluator gets: a model in front of its galleries, the transactions, and everything ranked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mtbench.core.types import Protocol as Rules
from mtbench.core.types import Transaction
from mtbench.evaluation.measures import Positions
from mtbench.evaluation.ranker import Query, Ranker, in_order
from mtbench.evaluation.ranking import Ranks


@dataclass
class Study:
    """One model on one part of a benchmark.

    Attributes:
        ranker: ranks the galleries for any histories.
        transactions: what is studied, in the order of the benchmark.
        protocol: of the benchmark.
        seed: for whatever an evaluator draws.
    """

    ranker: Ranker
    transactions: Sequence[Transaction]
    protocol: Rules
    seed: int = 0

    @cached_property
    def queries(self) -> list[Query]:
        """The whole history of each transaction, and its target."""
        return [Query(t.history(joiner=self.protocol.joiner), t.target) for t in self.transactions]

    @cached_property
    def ranks(self) -> dict[str, tuple[npt.NDArray[np.int64], Ranks]]:
        """By category: which transactions it has, and their ranks. Ranked once, on first use."""
        return self.ranker.rank(self.queries)

    @cached_property
    def positions(self) -> Positions:
        """Where each target stands among all candidates (the headline)."""
        return in_order(self.ranks, len(self.transactions))

    @cached_property
    def excluded(self) -> Positions:
        """The same, without the images already shown in the transaction."""
        return in_order(self.ranks, len(self.transactions), excluded=True)

    @property
    def categories(self) -> list[str]:
        """The category of each transaction."""
        return [transaction.category for transaction in self.transactions]

    @property
    def clusters(self) -> list[str]:
        """What the bootstrap draws: transactions with one final target are one piece of evidence."""
        return [f"{transaction.category}\t{transaction.target}" for transaction in self.transactions]


class Evaluator(Protocol):
    """A named study. No base class is needed."""

    def run(self, study: Study) -> dict[str, Any]:
        """What was found, as JSON: with n, and an interval for every claim."""
        ...
