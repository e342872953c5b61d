"""The trainings of a sweep: how, whether they can be done at all, and each with its evaluation, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from mtbench.core.errors import MtbenchError
from mtbench.data.benchmark import Benchmark, load
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.inputs import Settings
from mtbench.evaluation.record import Phases
from mtbench.models.checkpoint import read_record
from mtbench.training.grid import COMBINER, Grid, of_seed
from mtbench.training.inherited import inputs_of
from mtbench.training.jobs import run_tasks
from mtbench.training.leak import Policy, allowed
from mtbench.training.pairs import Pairs, pairs_of
from mtbench.training.train import TrainSettings, train

CHECKPOINTS, RESULTS = "checkpoints", "results"
"""The folders of a sweep."""


@dataclass(frozen=True)
class SweepSettings:
    """How to sweep; see `mtbench.training.train.TrainSettings` for what is not told here.

    Attributes:
        seeds: each combination is trained with each.
        options: what all combinations have in common, as typed; ``{seed}`` in a value stands for the seed.
        pairs: more to learn from, ``BUILDER=RAW`` each.
        split: what is evaluated. A grid is to be looked at on dev, and the chosen one alone on test.
        jobs: trainings at once, each in a process of its own where there is more than one.
        large: whether a grid of more than `grid.MOST` trainings is meant.
    """

    seeds: Sequence[int] = (0,)
    options: Mapping[str, object] = field(default_factory=dict)
    preset: str = ""
    features: str | None = None
    words: str | None = None
    leaks: Policy = "refuse"
    clean: str = "edge"
    pairs: Sequence[str] = ()
    split: str = "dev"
    jobs: int = 1
    large: bool = False


def check_data(grid: Grid, benchmark: Benchmark, settings: SweepSettings) -> None:
    """Find out before the first training what would stop every one of them; features are made here, once.

    Raises:
        MtbenchError: nothing to rank, a combiner that does not fit, no such features, training data that leaks.
    """
    if not benchmark.transactions(settings.split):
        raise MtbenchError(f"{benchmark.path} has no {settings.split} transactions to rank")
    given = {Path(path): read_record(Path(path)) for path in _given_combiners(grid)}
    for path, record in given.items():
        if record["model"] != COMBINER:
            raise MtbenchError(f"{path} holds a {record['model']}, no combiner. Make one: mtbench train combiner")
    inputs = inputs_of(benchmark, settings.features, settings.words, given, Phases(), progress=False)
    _ = inputs.catalogue.features
    allowed(benchmark, pairs_of(benchmark, settings.pairs).transactions, policy=settings.leaks, kind=settings.clean)


def _given_combiners(grid: Grid) -> list[str]:
    """The folders of combiners that are not trained here."""
    values = [*grid.axes.get(COMBINER, ()), *([grid.fixed[COMBINER]] if COMBINER in grid.fixed else [])]
    named = [of_seed(str(value), seed) for value in values if str(value).lower() != "none" for seed in grid.seeds]
    return list(dict.fromkeys(named))


def train_all(
    grid: Grid, benchmark: Benchmark, out: Path, settings: SweepSettings, *, progress: bool
) -> dict[tuple[int, int], dict[str, Any]]:
    """The reply to each task, by number of the combination and seed; combiners have the number -1."""
    shared = {
        **{"benchmark": str(benchmark.path), "revision": benchmark.revision, "out": str(out)},
        **{name: getattr(settings, name) for name in ("features", "words", "leaks", "clean")},
        **{"pairs": list(settings.pairs), "split": settings.split},
    }
    where = {name: value for name, value in grid.fixed.items() if name in ("device", "precision")}
    first = [(-1, seed) for seed in grid.seeds if grid.shares]
    then = [(number, seed) for number in range(len(grid.combinations)) for seed in grid.seeds]
    replies: dict[tuple[int, int], dict[str, Any]] = {}

    def task(number: int, seed: int) -> dict[str, Any]:
        if number < 0:
            preset = settings.preset or str(grid.fixed.get("combiner_preset", ""))
            own = {"model": COMBINER, "options": where, "preset": preset, "split": None}
            return {**shared, **own, "seed": seed}
        preset, options = grid.options(grid.combinations[number], seed)
        if grid.shares:
            options[COMBINER] = str(out / CHECKPOINTS / replies[-1, seed]["found"]["checkpoint"])
        return {**shared, "model": grid.model, "options": options, "preset": preset, "seed": seed}

    total = len(first) + len(then)
    with tqdm(total=total, desc="sweep", unit="training", disable=not progress) as bar:
        for keys in (first, then):
            lost = [key for key in keys if "failed" in replies.get((-1, key[1]), {})]
            for key in lost:
                replies[key] = {"failed": "its combiner was not trained"}
            bar.update(len(lost))
            asked = [key for key in keys if key not in replies]
            for number, reply in run_tasks(
                "mtbench.training.sweep_trainings:train_one", [task(*key) for key in asked], jobs=settings.jobs
            ):
                replies[asked[number]] = reply
                bar.update()
    return {key: replies[key] for key in (*first, *then)}


def train_one(task: Mapping[str, Any]) -> dict[str, Any]:
    """Train once, from JSON to JSON, and evaluate where a split is named; what is done already is found.

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
