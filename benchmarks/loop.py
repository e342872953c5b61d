"""What became of models that talked with users: means over seeds, differences, and the order of models by user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mtbench.evaluation.comparison.seeds import over_seeds, seed_sd
from mtbench.evaluation.statistics import Floats, resample
from mtbench.simulation.agreement import order
from mtbench.simulation.differences import differences, percentiles
from mtbench.simulation.simulate import folder_of


@dataclass(frozen=True)
class Talks:
    """A method that talked with one user, once for each seed.

    Attributes:
        user: what the user is called.
        model: what the method is called.
        records: of `mtbench.simulation.simulate.simulate`, one for each seed.
        out: where they lie.
    """

    user: str
    model: str
    records: Sequence[Mapping[str, Any]]
    out: Path

    @cached_property
    def values(self) -> Floats:
        """Rank percentile of each dialogue after each turn by seed, (n, T, s)."""
        return np.stack([percentiles(folder_of(self.out, record), record)[0] for record in self.records], axis=2)

    @cached_property
    def targets(self) -> list[str]:
        """Of each dialogue, the same for every seed and model."""
        return percentiles(folder_of(self.out, self.records[0]), self.records[0])[1]

    @cached_property
    def row(self) -> dict[str, Any]:
        """Means over seeds after each turn, 95% intervals over targets and seeds."""
        n, turns, seeds = self.values.shape
        drawn = resample(self.values.reshape(n, -1), self.targets).drawn.reshape(-1, turns, seeds)
        varied = [over_seeds(drawn[:, turn], seed=[0, 1]) for turn in range(turns)]  # other draws than those of targets
        low, high = np.quantile(varied, [0.025, 0.975], axis=1)
        return {
            **{"user": self.user, "model": self.model, "seeds": seeds, "n": n},
            **{"mean": self.values.mean(axis=(0, 2)).tolist(), "low": low.tolist(), "high": high.tolist()},
            "seed sd": seed_sd(self.values[:, -1].mean(axis=0)),
            "found": float(np.mean([record["found"] for record in self.records])),
            "proxy": self.records[0]["proxy"],
        }

    @property
    def line(self) -> dict[str, Any]:
        """A record for the picture: that of the first seed, under our names, with the means and intervals of all."""
        first = self.records[0]
        rows = [
            {**row, "percentile": mean, "percentile interval": [low, high]}
            for row, mean, low, high in zip(
                first["rows"], self.row["mean"], self.row["low"], self.row["high"], strict=True
            )
        ]
        user = {"name": self.user, "options": {}}
        return {**first, "model": self.model, "simulator": user, "options": {}, "trained": [], "rows": rows}


def gains(pairs: Sequence[tuple[Talks, Talks]]) -> list[dict[str, Any]]:
    """The first less the second of each pair after the last turn; p by Holm's rule over all pairs that are given.

    All are about the same targets. Where both have as many seeds these are paired: one training began with the other.
    """
    about = [{"user": one.user, "model": one.model, "over": other.model, "n": len(one.values)} for one, other in pairs]
    values = [(one.values[:, -1], other.values[:, -1]) for one, other in pairs]
    return [{**row, **told} for row, told in zip(about, differences(values, pairs[0][0].targets), strict=True)]


def orders(talks: Sequence[Talks]) -> dict[str, Any] | None:
    """Kendall's tau of the order of the models that met every user; None for one user."""
    users = Counter(talk.model for talk in talks)
    every = [talk.line for talk in talks if users[talk.model] == max(users.values())]
    return order(every) if max(users.values()) > 1 else None


def cell(row: Mapping[str, Any], turn: int) -> str:
    """After a turn, with its interval, in %."""
    mean, low, high = (100 * row[name][turn - 1] for name in ("mean", "low", "high"))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"
