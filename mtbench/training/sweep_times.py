"""What a model costs: its parameters, and the milliseconds that a transaction takes on this machine.

Models of one sweep are timed one after the other, alone, several rounds of them, so that whatever else the machine does
weighs on all; times of two sweeps, or of two machines, are not to be compared.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.evaluate import catalogue_of
from mtbench.evaluation.evaluators.latency import Latency
from mtbench.evaluation.inputs import features_of
from mtbench.evaluation.ranker import Ranker
from mtbench.evaluation.record import Phases
from mtbench.evaluation.study import Study
from mtbench.models.checkpoint import open_checkpoint
from mtbench.models.protocol import Model
from mtbench.training.grid import COMBINER

ROUNDS, DIALOGUES = 3, 10
"""Medians of so many rounds, in each of which so many transactions are asked turn by turn: the same in all rounds."""


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
