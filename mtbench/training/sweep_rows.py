"""The rows of a sweep: of every combination the scores over its seeds, and what its model costs.

Scores have an interval over clusters and seeds. Costs are parameters, and the milliseconds that a transaction takes on
this machine: models of one sweep are timed one after the other, alone, several rounds of them, so that whatever else
the machine does weighs on all; times of two sweeps, or of two machines, are not to be compared.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from mtbench.core.errors import MtbenchError
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.comparison.comparable import Result, read_results
from mtbench.evaluation.comparison.compare import LEVEL
from mtbench.evaluation.comparison.sample import sample_of
from mtbench.evaluation.comparison.seeds import over_seeds, seed_sd
from mtbench.evaluation.comparison.systems import System
from mtbench.evaluation.evaluators.latency import Latency
from mtbench.evaluation.inputs import features_of
from mtbench.evaluation.ranker import Ranker
from mtbench.evaluation.ready import catalogue_of
from mtbench.evaluation.record import Phases
from mtbench.evaluation.statistics import resample
from mtbench.evaluation.study import Study
from mtbench.models.checkpoint import open_checkpoint, read_record
from mtbench.models.protocol import Model
from mtbench.training.grid import COMBINER, Grid, label
from mtbench.training.sweep_trainings import CHECKPOINTS, RESULTS

CHOSEN_BY = "mean"
"""The measure that has an interval: the headline."""

COSTS = ("parameters", "combiner_parameters", "device", "ms_interactive", "ms_batch")

ROUNDS, DIALOGUES = 3, 10
"""Medians of so many rounds, in each of which so many transactions are asked turn by turn: the same in all rounds."""

Row = dict[str, Any]


def rows_of(grid: Grid, out: Path, done: Mapping[tuple[int, int], Mapping[str, Any]]) -> tuple[list[Row], Row]:
    """A row for each combination, and what all results have in common.

    The interval is that of `mtbench compare` on the same results: one set of bootstrap samples for all of them, and
    seeds as a second source of variance.

    Args:
        grid: whose combinations these are.
        out: the folder of the sweep.
        done: what `train_one` returned, by number of the combination and seed. A training that failed is not there.
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


def timed_on() -> dict[str, Any]:
    """Where times are taken; they say nothing of any other place."""
    return {
        "processor": platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def costs(paths: Sequence[Path], benchmark: Benchmark, split: str) -> list[dict[str, Any]]:
    """Of each checkpoint, its cost.

    ``parameters`` are those above the combiner, which has ``combiner_parameters`` more. ``ms_interactive`` is the time
    that all turns of a transaction take, asked one at a time with the whole gallery ranked after each, ``ms_batch`` the
    share of a transaction in the time of all of them at once (see `mtbench.evaluation.evaluators.latency`); each is the
    median of `ROUNDS` rounds.
    """
    opened = [open_checkpoint(path) for path in paths]
    catalogues: dict[tuple[str, str], Any] = {}
    studies = []
    transactions = benchmark.transactions(split)
    galleries = {t.category: benchmark.gallery(split, t.category) for t in transactions}
    for one in opened:
        words, name = one.record["words"], one.record["features_name"]
        if (words, name) not in catalogues:
            features = features_of(benchmark, name, words, Phases(), progress=False)
            catalogues[words, name] = catalogue_of(benchmark, words, lambda found=features: found)  # type: ignore[misc]
        study = Study(
            Ranker(cast(Model, one.model), galleries, catalogues[words, name]), benchmark, split, transactions
        )
        _ = study.positions  # what is made on first use
        studies.append(study)
    rounds = [[_ms(study) for study in studies] for _ in range(ROUNDS)]
    times = np.median(np.array(rounds), axis=0).tolist()
    return [
        {**_parameters(one.model.net), "device": one.model.place, "ms_interactive": interactive, "ms_batch": batch}
        for one, (interactive, batch) in zip(opened, times, strict=True)
    ]


def _ms(study: Study) -> tuple[float, float]:
    """Milliseconds per transaction, interactively and in a batch."""
    found = Latency(transactions=DIALOGUES).run(study)
    batch = next(row["ms per transaction"] for row in found["rows"] if row["mode"] == "batch")
    return found["ms_per_transaction"], batch


def _parameters(net: torch.nn.Module | None) -> dict[str, int]:
    named = [] if net is None else [(name, p.numel()) for name, p in net.named_parameters()]
    below = sum(n for name, n in named if name.startswith(f"{COMBINER}."))
    return {"parameters": sum(n for _, n in named) - below, "combiner_parameters": below}
