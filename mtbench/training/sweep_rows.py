"""The rows of a sweep: of every combination the scores over its seeds, with an interval over clusters and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.evaluation.comparison.comparable import Result, read_results
from mtbench.evaluation.comparison.compare import LEVEL
from mtbench.evaluation.comparison.sample import sample_of
from mtbench.evaluation.comparison.seeds import over_seeds, seed_sd
from mtbench.evaluation.comparison.systems import System
from mtbench.evaluation.statistics import resample
from mtbench.models.checkpoint import read_record
from mtbench.training.grid import Grid, label
from mtbench.training.task import CHECKPOINTS, RESULTS

CHOSEN_BY = "mean"
"""The measure that has an interval: the headline."""

COSTS = ("parameters", "combiner_parameters", "device", "ms_interactive", "ms_batch")

Row = dict[str, Any]


def rows_of(grid: Grid, out: Path, done: Mapping[tuple[int, int], Mapping[str, Any]]) -> tuple[list[Row], Row]:
    """A row for each combination, and what all results have in common.

    The interval is that of `mtbench compare` on the same results: one set of bootstrap samples for all of them, and
    seeds as a second source of variance.

    Args:
        grid: whose combinations these are.
        out: the folder of the sweep.
        done: what `task.do` returned, by number of the combination and seed. A training that failed is not there.
    """
    folders = {key: _result(out, found["result"]) for key, found in done.items()}
    read = {r.folder: r for r in read_results(list(folders.values()))[0]} if folders else {}
    results = {key: read[folder] for key, folder in folders.items()}
    rows: list[Row] = []
    for number, combination in enumerate(grid.combinations):
        seeds = [seed for seed in grid.seeds if (number, seed) in done]
        found = [done[number, seed] for seed in seeds]
        records = [read_record(out / CHECKPOINTS / one["checkpoint"]) for one in found]
        rows.append(
            {
                "options": combination,
                "seeds": seeds,
                **_scores(label(combination), [results[number, seed] for seed in seeds]),
                "best_epochs": [{p: c["best_epoch"] for p, c in r["chosen_on_dev"].items()} for r in records],
                "checkpoints": [f"{CHECKPOINTS}/{one['checkpoint']}" for one in found],
                "results": [f"{RESULTS}/{folders[number, seed].name}" for seed in seeds],
                "weights_sha256": [record["weights_sha256"] for record in records],
                **dict.fromkeys(COSTS),
            }
        )
    return rows, _common([*results.values()])


def _scores(name: str, results: Sequence[Result]) -> Row:
    """Means over seeds, shares in 0..1; all None without any."""
    measures = ("R@5", "R@8", CHOSEN_BY)
    if not results:
        return {**dict.fromkeys((*measures, "interval", "seed_sd")), "by_seed": []}
    by_name = {k: np.array([result.record["measures"][k] for result in results]) for k in measures}
    sample = sample_of(results[0].values, "all")
    columns = np.column_stack([result.values.measures[CHOSEN_BY] for result in results])
    drawn = resample(columns, sample.clusters, groups=sample.groups, seed=0).drawn
    key = int(System(name, tuple(results)).key, 16)
    shares = np.clip(over_seeds(drawn, seed=[0, key]), 0, 1)
    return {
        **{k: float(values.mean()) for k, values in by_name.items()},
        "interval": np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist(),
        "seed_sd": seed_sd(by_name[CHOSEN_BY]),
        "by_seed": by_name[CHOSEN_BY].tolist(),
    }


def _common(results: Sequence[Result]) -> Row:
    """What a sweep says of its data, once for all."""
    if not results:
        return {}
    record, sample = results[0].record, sample_of(results[0].values, "all")
    leak = next((found["leak"] for found in record["trained"] if found["leak"].get("marked")), None)
    return {
        "n": len(results[0].values.ids),
        "clusters": sample.n_clusters,
        "averaged": sample.averaged,
        "features": record["features"]["name"],
        "proxy": record["proxy"],
        "words": record["words"],
        "leak": leak,
    }


def _result(out: Path, key: str) -> Path:
    """The folder in which `evaluate` has put a result."""
    found = sorted((out / RESULTS).glob(f"[!.]*-{key[:8]}/result.json"))
    if len(found) != 1:
        raise MtbenchError(f"{out / RESULTS} has {len(found)} results {key[:8]}; remove them and sweep again")
    return found[0].parent
