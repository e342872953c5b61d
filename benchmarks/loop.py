"""What became of models that talked with users: means over seeds, differences, and the order of models by user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from mtbench.evaluation.comparison.seeds import over_seeds, seed_sd
from mtbench.evaluation.comparison.significance import holm, paired_randomisation
from mtbench.evaluation.statistics import resample
from mtbench.simulation.order import order

Floats = npt.NDArray[np.float64]


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
        """Rank percentile of each dialogue after each turn by seed, (n, T, s); 1 once the target was shown."""
        return np.stack([self._read(record)[0] for record in self.records], axis=2)

    @cached_property
    def targets(self) -> list[str]:
        """Of each dialogue, the same for every seed and model."""
        return self._read(self.records[0])[1]

    @cached_property
    def row(self) -> dict[str, Any]:
        """Means over seeds after each turn, 95% intervals over targets and seeds."""
        n, turns, seeds = self.values.shape
        drawn = resample(self.values.reshape(n, -1), self.targets).drawn.reshape(-1, turns, seeds)
        varied = [over_seeds(drawn[:, turn]) for turn in range(turns)]
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

    def _read(self, record: Mapping[str, Any]) -> tuple[Floats, list[str]]:
        table = pq.read_table(next(self.out.glob(f"*-{record['key'][:8]}")) / "turns.parquet").to_pydict()
        values, targets = np.ones((record["n"], record["turns"])), [""] * record["n"]
        for row, turn, target, value in zip(
            table["dialogue"], table["turn"], table["target"], table["percentile"], strict=True
        ):
            values[row, turn - 1], targets[row] = value, target
        return values, targets


def differences(pairs: Sequence[tuple[Talks, Talks]]) -> list[dict[str, Any]]:
    """The first less the second of each pair after the last turn; p by Holm's rule over all pairs that are given.

    All are about the same targets. Where both have as many seeds these are paired: one training began with the other.
    """
    rows, gains = [], []
    for number, (one, other) in enumerate(pairs):
        first, second = one.values[:, -1], other.values[:, -1]
        gain = first - (second if first.shape == second.shape else second.mean(axis=1, keepdims=True))
        low, high = np.quantile(over_seeds(resample(gain, one.targets).drawn, seed=number), [0.025, 0.975]).tolist()
        gains.append(gain.mean(axis=1))
        about = {"user": one.user, "model": one.model, "over": other.model, "n": len(gain)}
        rows.append({**about, "gain": float(gain.mean()), "low": low, "high": high})
    columns = np.column_stack(gains)
    columns[np.abs(columns) < 1e-12] = 0  # means over seeds round
    tested = paired_randomisation(columns, pairs[0][0].targets, resamples=max(10_000, 200 * len(pairs)))
    for row, p, adjusted in zip(rows, tested.p.tolist(), holm(tested.p).tolist(), strict=True):
        row |= {"p": p, "p (Holm)": adjusted}
    return rows


def orders(talks: Sequence[Talks]) -> dict[str, Any] | None:
    """Kendall's tau of the order of models between users; None for one user."""
    return order([talk.line for talk in talks]) if len({talk.user for talk in talks}) > 1 else None


def cell(row: Mapping[str, Any]) -> str:
    """After turn 2, and after the last with its interval, in %."""
    mean, low, high = (100 * row[name][-1] for name in ("mean", "low", "high"))
    return f"{100 * row['mean'][1]:.1f}, {mean:.1f} [{low:.1f}, {high:.1f}]"
