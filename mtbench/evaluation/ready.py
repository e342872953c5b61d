"""A system made ready to answer: opened, fitted on train and dev where it learns, in front of its galleries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.core.source import blame
from mtbench.core.types import Gallery
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.inputs import features_of, words_of
from mtbench.evaluation.ranker import Ranker, fold_of
from mtbench.evaluation.record import Phases, plain
from mtbench.evaluation.system import System, system
from mtbench.models.checkpoint import check_fits
from mtbench.models.protocol import Catalogue, Features, Fold


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
    asked = opened(name, options or {}, seed)
    return made_ready(asked, benchmark, split=split, features=features, words=words, progress=progress)


def opened(name: str, options: Mapping[str, str], seed: int) -> System:
    """A system that can answer, not fitted yet.

    Raises:
        MtbenchError: no such model, a file of rankings, or options it does not take.
    """
    found = system(name, options, seed)
    if found.plugin is None:
        raise MtbenchError(f"{name} is a file of rankings, which cannot answer anybody; give a model")
    return found


def made_ready(
    asked: System,
    benchmark: Benchmark,
    *,
    split: str = "test",
    features: str | None = None,
    words: str | None = None,
    progress: bool = False,
) -> Ready:
    """The same for a system that is open.

    Raises:
        MtbenchError: a checkpoint that does not fit, or a part without a gallery.
    """
    known = words_of(benchmark, asked.words(words))
    phases = Phases()
    catalogue = catalogue_for(asked, benchmark, asked.features(features), known, phases, progress=progress)
    galleries = galleries_of(benchmark, split)
    if not galleries:
        raise MtbenchError(f"{benchmark.path} has no gallery for {split}")
    with blame(asked.plugin):
        chosen = fitted(asked, benchmark, catalogue, phases)
    return Ready(asked, catalogue, galleries, chosen)


def catalogue_for(
    asked: System, benchmark: Benchmark, features: str | None, words: str, phases: Phases, *, progress: bool = False
) -> Catalogue:
    """What a system may look up, on which its checkpoints were trained.

    Raises:
        MtbenchError: a checkpoint that does not fit the benchmark or its features.
    """
    catalogue = catalogue_of(
        benchmark, words, lambda: features_of(benchmark, features, words, phases, progress=progress)
    )
    for path, trained in asked.checkpoints.items():
        check_fits(path, trained, benchmark, catalogue)
    return catalogue


def fitted(asked: System, benchmark: Benchmark, catalogue: Catalogue, phases: Phases) -> Mapping[str, Any]:
    """Let a model learn from train and dev, if it does so and has not; what it chose. Timed as ``fit``."""
    if not hasattr(asked.model, "fit") or asked.is_trained:
        return {}
    with phases.phase("fit"):
        folds = [fold(benchmark, part, catalogue) for part in ("train", "dev")]
        return plain(asked.model.fit(*folds, catalogue), "`fit`")


def catalogue_of(benchmark: Benchmark, words: str, features: Callable[[], Features]) -> Catalogue:
    """What a model may look up; `mtbench check-model` makes it here too, so that it tries what is used.

    Args:
        benchmark: whose images and truth, without the answers.
        words: which words stand for an image.
        features: opens the vectors.
    """
    return Catalogue(
        benchmark.images,
        words=words,
        features=features,
        joiner=benchmark.protocol.joiner,
        truth=lambda: benchmark.truth and benchmark.truth.without_answers(),
    )


def catalogue_of_user(benchmark: Benchmark, user: object, *, progress: bool = False) -> Catalogue:
    """What a simulated user may look up: all words, and the features it names, else those of the words.

    It is the same in training and in simulation, whatever features the model looks at: who speaks of what they see
    speaks differently with other eyes.
    """
    words, stored = words_of(benchmark, None), features_of_user(user)
    return catalogue_of(benchmark, words, lambda: features_of(benchmark, stored, words, Phases(), progress=progress))


def features_of_user(user: object) -> str | None:
    """The stored features that a user names; None for those of the words."""
    return getattr(user, "features", "") or None


def fold(benchmark: Benchmark, split: str, catalogue: Catalogue) -> Fold:
    """The training or the dev part, for a model to learn from."""
    transactions = benchmark.transactions(split)
    galleries = {t.category: benchmark.gallery(split, t.category) for t in transactions}
    return fold_of(transactions, galleries, catalogue, held=galleries_of(benchmark, "test"))


def galleries_of(benchmark: Benchmark, split: str) -> dict[str, Gallery]:
    """The candidates of a part by category."""
    return {category: gallery for (part, category), gallery in benchmark.galleries.items() if part == split}
