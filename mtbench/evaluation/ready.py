"""A system made ready to answer: opened, fitted on train and dev where it learns, in front of its galleries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.core.source import blame
from mtbench.core.types import Gallery
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.evaluate import catalogue_of, fold
from mtbench.evaluation.inputs import features_of, words_of
from mtbench.evaluation.ranker import Ranker
from mtbench.evaluation.record import Phases, plain
from mtbench.evaluation.system import System, system
from mtbench.models.checkpoint import check_fits
from mtbench.models.protocol import Catalogue


@dataclass(frozen=True)
class Ready:
    """A system that can be asked.

    Attributes:
        asked: what it is.
        catalogue: what it may look up.
        galleries: the candidates of the part, by category.
        chosen: what it learned or chose just now.
    """

    asked: System
    catalogue: Catalogue
    galleries: Mapping[str, Gallery]
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def ranker(self, depth: int = 0) -> Ranker:
        """Ranks the galleries."""
        return Ranker(self.asked.model, self.galleries, self.catalogue, depth=depth)


def ready(
    name: str,
    benchmark: Benchmark,
    *,
    split: str = "test",
    features: str | None = None,
    words: str | None = None,
    options: Mapping[str, str] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Ready:
    """Make a system ready.

    Args:
        name: a registered model, ``module:Class``, ``file.py:Class``, or the folder of a checkpoint.
        benchmark, split: whose galleries it will rank.
        features, words: what stands for the images; as `mtbench evaluate` takes them.
        options: of the model, as typed.
        seed: for a model that takes one.

    Raises:
        MtbenchError: no such model, a file of rankings, options it does not take, a checkpoint that does not fit.
    """
    asked = system(name, options or {}, seed)
    if asked.plugin is None:
        raise MtbenchError(f"{name} is a file of rankings, which cannot answer anybody; give a model")
    known = words_of(benchmark, asked.words(words))
    stored = asked.features(features)
    catalogue = catalogue_of(
        benchmark, known, lambda: features_of(benchmark, stored, known, Phases(), progress=progress)
    )
    for path, trained in asked.checkpoints.items():
        check_fits(path, trained, benchmark, catalogue)
    galleries = {category: g for (part, category), g in benchmark.galleries.items() if part == split}
    if not galleries:
        raise MtbenchError(f"{benchmark.path} has no gallery for {split}")
    chosen: Mapping[str, Any] = {}
    if hasattr(asked.model, "fit") and not asked.is_trained:
        with blame(asked.plugin):
            folds = [fold(benchmark, part, catalogue) for part in ("train", "dev")]
            chosen = plain(asked.model.fit(*folds, catalogue), "`fit`")
    return Ready(asked, catalogue, galleries, chosen)
