"""How to sweep, and what is found out about it before the first training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtbench.core.errors import MtbenchError
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.evaluate import catalogue_of
from mtbench.evaluation.inputs import DEFAULT_FEATURES, features_of, words_of
from mtbench.evaluation.record import Phases
from mtbench.models.checkpoint import check_fits, read_record
from mtbench.training.grid import COMBINER, Grid, of_seed
from mtbench.training.leak import Policy, allowed
from mtbench.training.pairs import pairs_of


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
    inherited = next(iter(given.values()), {})
    words = words_of(benchmark, settings.words or inherited.get("words"))
    wanted = settings.features or inherited.get("features_name") or DEFAULT_FEATURES
    catalogue = catalogue_of(benchmark, words, lambda: features_of(benchmark, wanted, words, Phases(), progress=False))
    for path, record in given.items():
        check_fits(path, record, benchmark, catalogue)
    _ = catalogue.features
    allowed(benchmark, pairs_of(benchmark, settings.pairs).transactions, policy=settings.leaks, kind=settings.clean)


def _given_combiners(grid: Grid) -> list[str]:
    """The folders of combiners that are not trained here."""
    values = [*grid.axes.get(COMBINER, ()), *([grid.fixed[COMBINER]] if COMBINER in grid.fixed else [])]
    named = [of_seed(str(value), seed) for value in values if str(value).lower() != "none" for seed in grid.seeds]
    return list(dict.fromkeys(named))
