"""What an evaluation starts from: which words and features stand for the images, and all that a result depends on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mtbench
from mtbench.core.errors import MtbenchError, unknown
from mtbench.core.files import file_sha256
from mtbench.core.registry import EVALUATORS
from mtbench.core.source import library_sha256, source_sha256
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.record import Phases
from mtbench.evaluation.results import SCHEMA_VERSION
from mtbench.evaluation.system import System
from mtbench.features.manifest import read_manifest
from mtbench.features.store import build_encoder, check_name, encode, names, open_features
from mtbench.models.protocol import Features

DEFAULT_FEATURES = "tfidf"
WORDS = ("caption", "attributes", "caption+attributes")
HEADLINE = "recall"
EVERY = "all"


@dataclass(frozen=True)
class Settings:
    """How to evaluate.

    Attributes:
        split: the part to rank.
        features: the name of stored features; ``tfidf`` is made on demand, others come from `mtbench encode`. None for
            those that a checkpoint was trained on, else ``tfidf``.
        words: which words stand for images: ``caption``, ``attributes``, ``caption+attributes``; None for all
            there are.
        seed: for models that draw, and for the intervals.
        limit: rank only the first transactions, for a quick look; such a result says so.
        depth: candidates kept of each ranking.
        evaluators: the studies to run; ``recall``, the headline, is always among them, and ``all`` means all that
            can be run.
        clean: the kind of leak (see `mtbench.chains.leakage`) that parts the clean transactions from the leaked ones.
        options: of the model, as typed.
    """

    split: str = "test"
    features: str | None = None
    words: str | None = None
    seed: int = 0
    limit: int | None = None
    depth: int = 100
    evaluators: Sequence[str] = (HEADLINE,)
    clean: str = "edge"
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def studies(self) -> list[str]:
        """The names of the evaluators, the headline first."""
        asked = [*EVALUATORS.names()] if EVERY in self.evaluators else []
        return list(dict.fromkeys([HEADLINE, *asked, *(name for name in self.evaluators if name != EVERY)]))


def identity(asked: System, benchmark: Benchmark, settings: Settings, words: str) -> dict[str, Any]:
    """All that a result depends on: what has the same identity need not be run again.

    Args:
        asked: the model, or the file of rankings.
        benchmark, settings: as given.
        words: which words stand for the images.
    """
    found = {
        "schema_version": SCHEMA_VERSION,
        **known_by(asked, benchmark, settings.split, settings.features, words),
        "seed": settings.seed,
        "limit": settings.limit,
        "depth": settings.depth,
        "clean_kind": settings.clean,
        "evaluators": {name: source_sha256(EVALUATORS.get(name)) for name in settings.studies},
    }
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))  # options may hold paths
    return plain


def known_by(asked: System, benchmark: Benchmark, split: str, features: str | None, words: str) -> dict[str, Any]:
    """What every result of a system on a part of a benchmark depends on.

    Args:
        asked: the system.
        benchmark, split: what it is asked about.
        features: the name of stored features; None for those made on demand.
        words: which words stand for the images.
    """
    features = features or DEFAULT_FEATURES
    return {
        "model": asked.name,
        "source_sha256": asked.source_sha256,
        "options": asked.shown_options,
        "option_files": option_files(asked.shown_options),
        "trained": asked.trained,  # the same weights with another mark of a leak are another result
        "benchmark": benchmark.name,
        "revision": benchmark.revision,
        "proxies": benchmark.manifest.get("proxies", {}),
        "truth": benchmark.manifest.get("truth"),
        "split": split,
        "features": features,
        "features_keys": features_keys(benchmark, features),
        "words": words,
        "mtbench": mtbench.__version__,
        "library_sha256": library_sha256(),
    }


def words_of(benchmark: Benchmark, asked: str | None) -> str:
    """Which words stand for images: what was asked for, or all there are."""
    found = [proxy for proxy in ("caption", "attributes") if proxy in benchmark.manifest.get("proxies", {})]
    if asked is None:
        return "+".join(found) or "caption"
    if asked not in WORDS:
        raise unknown("words", asked, WORDS)
    lacking = [proxy for proxy in asked.split("+") if proxy not in found]
    if lacking:
        raise MtbenchError(
            f"{benchmark.path} has no {' and no '.join(lacking)} to stand for its images. "
            f"It has: {', '.join(found) or 'no words at all'}"
        )
    return asked


def features_of(benchmark: Benchmark, name: str | None, words: str, phases: Phases, *, progress: bool) -> Features:
    """Stored features; TF-IDF of the words is made on demand, under a name that tells the words.

    Features that somebody encoded under the plain name go first, if they are of these words.
    """
    name = name or DEFAULT_FEATURES
    if name == DEFAULT_FEATURES and not _is_stored(benchmark, name, words):
        name = f"{DEFAULT_FEATURES}-{words.replace('+', '-')}"
        if name not in names(benchmark):
            with phases.phase("encode"):
                encoder = build_encoder(DEFAULT_FEATURES, {"text": words})
                return encode(benchmark, encoder, name, spec=DEFAULT_FEATURES, progress=progress)
    return open_features(benchmark, name)


def features_keys(benchmark: Benchmark, name: str) -> list[str | None]:
    """Keys of stored features: encoded anew under one name, they are other features.

    None for those that are not there, and for the ones made on demand, which follow from the words.
    """
    files = [benchmark.path / "features" / check_name(part) / "features.json" for part in name.split("+")]
    return [read_manifest(file.parent)["key"] if file.is_file() else None for file in files]


def option_files(options: Mapping[str, object]) -> dict[str, str]:
    """Hashes of the files that options name, such as weights: their content counts."""
    return {k: file_sha256(Path(v)) for k, v in options.items() if isinstance(v, (str, Path)) and Path(v).is_file()}


def _is_stored(benchmark: Benchmark, name: str, words: str) -> bool:
    return name in names(benchmark) and open_features(benchmark, name).proxy == words
