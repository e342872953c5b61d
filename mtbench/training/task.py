"""One training of a sweep and its evaluation, from JSON to JSON: what a process of its own is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mtbench.data.benchmark import Benchmark, load
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.inputs import Settings
from mtbench.training.pairs import Pairs, pairs_of
from mtbench.training.train import TrainSettings, train

CHECKPOINTS, RESULTS = "checkpoints", "results"
"""The folders of a sweep."""


def do(task: Mapping[str, Any]) -> dict[str, Any]:
    """Train, and evaluate where a split is named; what is done already is found.

    Args:
        task: ``benchmark`` (folder), ``revision``, ``out``, ``model``, ``seed``, ``options``, ``preset``, ``features``,
            ``words``, ``leaks``, ``clean``, ``pairs`` (``BUILDER=RAW`` each) and ``split``, None for no evaluation.

    Returns:
        ``checkpoint``: the name of its folder; ``known``: whether it was there; ``result``: the key of the result.
    """
    benchmark = _opened(task["benchmark"], task["revision"])
    out = Path(task["out"])
    settings = TrainSettings(
        **{name: task[name] for name in ("seed", "options", "preset", "features", "words", "leaks", "clean")},
        pairs=_pairs(task["benchmark"], task["revision"], tuple(task["pairs"])),
    )
    trained = train(task["model"], benchmark, out / CHECKPOINTS, settings)
    found: dict[str, Any] = {"checkpoint": trained.path.name, "known": trained.known}
    if task["split"] is not None:
        asked = Settings(split=task["split"], clean=task["clean"])
        found["result"] = evaluate(str(trained.path), benchmark, out / RESULTS, asked)["key"]
    return found


@lru_cache(maxsize=1)
def _opened(path: str, revision: str) -> Benchmark:
    """A benchmark, read once for all tasks of a process; ``revision`` tells it from another under the same path."""
    return load(path)


@lru_cache(maxsize=1)
def _pairs(path: str, revision: str, asked: tuple[str, ...]) -> Pairs:
    return pairs_of(_opened(path, revision), asked)
