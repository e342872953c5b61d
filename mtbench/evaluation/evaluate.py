"""Evaluate a model on a benchmark: fit, rank, measure, and write a result that others can check.

What is written is described in `mtbench.evaluation.results`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

import mtbench
from mtbench.core.errors import MtbenchError, unknown
from mtbench.core.files import check_folder, file_sha256, json_sha256
from mtbench.core.options import construct, known_options
from mtbench.core.registry import EVALUATORS, MODELS
from mtbench.core.source import library_sha256, source_sha256
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.ranker import Query, Ranker, check_model, headline
from mtbench.evaluation.record import Phases, environment
from mtbench.evaluation.results import SCHEMA_VERSION, read_result, write_result
from mtbench.evaluation.study import Evaluator, Study
from mtbench.features.manifest import read_manifest
from mtbench.features.store import build_encoder, encode, names, open_features
from mtbench.models.protocol import Catalogue, Features, Fold

DEFAULT_FEATURES = "tfidf"
WORDS = ("caption", "attributes", "caption+attributes")


@dataclass(frozen=True)
class Settings:
    """How to evaluate.

    Attributes:
        split: the part to rank.
        features: the name of stored features; ``tfidf`` is made on demand, others come from `mtbench encode`.
        words: which words stand for images: ``caption``, ``attributes``, ``caption+attributes``; None for all
            there are.
        seed: for models that draw, and for the intervals.
        limit: rank only the first transactions, for a quick look; such a result says so.
        depth: candidates kept of each ranking.
        evaluators: the studies to run; ``recall``, the headline, is always among them.
        options: of the model, as typed.
    """

    split: str = "test"
    features: str = DEFAULT_FEATURES
    words: str | None = None
    seed: int = 0
    limit: int | None = None
    depth: int = 100
    evaluators: Sequence[str] = ("recall",)
    options: Mapping[str, str] = field(default_factory=dict)


def evaluate(
    name: str, benchmark: Benchmark, out: Path, settings: Settings | None = None, *, progress: bool = False
) -> dict[str, Any]:
    """The result record of one model; read from ``out`` where the same evaluation is there already.

    Args:
        name: a registered model, ``module:Class`` or ``file.py:Class``.
        benchmark: what to evaluate on.
        out: folder of results; this one gets a folder of its own in it.
        settings: how.
        progress: show bars on stderr.

    Raises:
        MtbenchError: no such model, options it does not take, scores that are not finite, nothing that stands
            for the images.
    """
    settings = settings or Settings()
    if settings.seed < 0:
        raise MtbenchError(f"the seed must be 0 or more, not {settings.seed}")
    check_folder(out)
    plugin = MODELS.get(name)
    options: dict[str, object] = dict(settings.options)
    if any(option.split("=")[0] == "seed" for option in known_options(plugin)):
        options.setdefault("seed", settings.seed)
    model = construct(plugin, options, what=f"model {name!r}")
    check_model(model)
    evaluators: dict[str, Evaluator] = {name: EVALUATORS.get(name)() for name in ("recall", *settings.evaluators)}
    words = _words(benchmark, settings.words)
    identity = _identity(name, plugin, options, benchmark, settings, words)
    key = json_sha256(identity)
    folder = out / f"{_slug(name)}-{key[:8]}"
    known = read_result(folder)
    if known is not None and known["key"] == key:
        return known

    phases = Phases()
    catalogue = Catalogue(
        benchmark.images,
        words=words,
        features=lambda: _features(benchmark, settings.features, words, phases, progress=progress),
        joiner=benchmark.protocol.joiner,
    )
    transactions = benchmark.transactions(settings.split)[: settings.limit]
    if not transactions:
        raise MtbenchError(f"{benchmark.path} has no {settings.split} transactions to rank")
    galleries = {t.category: benchmark.gallery(settings.split, t.category) for t in transactions}
    ranker = Ranker(model, galleries, catalogue, depth=settings.depth)
    study = Study(ranker, transactions, benchmark.protocol, settings.seed)
    chosen: Mapping[str, Any] = {}
    try:
        if hasattr(model, "fit"):
            with phases.phase("fit"):
                folds = [fold(benchmark, split, catalogue) for split in ("train", "dev")]
                chosen = _plain(model.fit(*folds, catalogue), "`fit`")
        found = {}
        for asked, evaluator in evaluators.items():
            with phases.phase(asked):
                found[asked] = _plain(evaluator.run(study), f"the evaluator {asked!r}")
    except MtbenchError as error:  # of several models, say which
        raise MtbenchError(f"{name}: {error}") from error
    record = {
        "key": key,
        "status": "limited" if settings.limit else "complete",
        **identity,
        "proxy": catalogue.proxy,
        "features": catalogue.features.describe() if "features" in vars(catalogue) else None,
        "protocol": vars(benchmark.protocol),
        "galleries": [
            {"category": g.category, "rule": g.rule, "images": len(g), "sha256": g.sha256} for g in galleries.values()
        ],
        "chosen_on_dev": chosen,
        **found.pop("recall"),
        "studies": found,
        "leakage": benchmark.manifest.get("audit", {}).get(settings.split),
        "seconds": phases.seconds,
        "environment": environment(),
    }
    write_result(folder, record, study, tag=_slug(name))
    return record


def _identity(
    name: str, plugin: type, options: Mapping[str, object], benchmark: Benchmark, settings: Settings, words: str
) -> dict[str, Any]:
    """All that a result depends on: what has the same identity need not be run again."""
    identity = {
        "schema_version": SCHEMA_VERSION,
        "model": name,
        "source_sha256": source_sha256(plugin),
        "options": options,
        "option_files": {k: file_sha256(Path(v)) for k, v in options.items() if _is_file(v)},
        "benchmark": benchmark.name,
        "revision": benchmark.revision,
        "proxies": benchmark.manifest.get("proxies", {}),
        "split": settings.split,
        "features": settings.features,
        "features_keys": _features_keys(benchmark, settings.features),
        "words": words,
        "seed": settings.seed,
        "limit": settings.limit,
        "depth": settings.depth,
        "evaluators": {name: source_sha256(EVALUATORS.get(name)) for name in ("recall", *settings.evaluators)},
        "mtbench": mtbench.__version__,
        "library_sha256": library_sha256(),
    }
    plain: dict[str, Any] = json.loads(json.dumps(identity, default=str))  # options may hold paths
    return plain


def fold(benchmark: Benchmark, split: str, catalogue: Catalogue) -> Fold:
    """The training or the dev part, for a model to learn from."""
    transactions = benchmark.transactions(split)
    histories = benchmark.histories(split)
    galleries = {t.category: benchmark.gallery(split, t.category) for t in transactions}
    queries = [Query(history, t.target) for history, t in zip(histories, transactions, strict=True)]

    def score(model: Any) -> float:
        positions = Ranker(model, galleries, catalogue).positions(queries)
        return headline(positions, [t.category for t in transactions])

    return Fold(histories, [tuple(turn.target for turn in t.turns) for t in transactions], galleries, score)


def _words(benchmark: Benchmark, asked: str | None) -> str:
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


def _features_keys(benchmark: Benchmark, name: str) -> list[str | None]:
    """Keys of stored features: encoded anew under one name, they are other features.

    None for those that are not there, and for the ones made on demand, which follow from the words.
    """
    files = [benchmark.path / "features" / part / "features.json" for part in name.split("+")]
    return [read_manifest(file.parent)["key"] if file.is_file() else None for file in files]


def _plain(value: Any, what: str) -> dict[str, Any]:
    """What a plugin returned, as JSON."""

    def number(value: Any) -> Any:
        if isinstance(value, (np.generic, np.ndarray)):
            return value.tolist()
        raise TypeError(f"{value!r} is no JSON")

    if value is not None and not isinstance(value, Mapping):
        raise MtbenchError(f"{what} must return a mapping of what it found, or None, not {type(value).__name__}")
    try:
        found: dict[str, Any] = json.loads(json.dumps(dict(value or {}), default=number, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise MtbenchError(f"{what} must return what can be written as JSON: {error}") from error
    return found


def _features(benchmark: Benchmark, name: str, words: str, phases: Phases, *, progress: bool) -> Features:
    """Stored features; TF-IDF of the words is made on demand, under a name that tells the words.

    Features that somebody encoded under the plain name go first, if they are of these words.
    """
    if name == DEFAULT_FEATURES and not _is_stored(benchmark, name, words):
        name = f"{DEFAULT_FEATURES}-{words.replace('+', '-')}"
        if name not in names(benchmark):
            with phases.phase("encode"):
                encoder = build_encoder(DEFAULT_FEATURES, {"text": words})
                return encode(benchmark, encoder, name, spec=DEFAULT_FEATURES, progress=progress)
    return open_features(benchmark, name)


def _is_file(value: object) -> TypeGuard[str]:
    """Whether an option names a file, such as weights, whose content then counts."""
    return isinstance(value, (str, Path)) and Path(value).is_file()


def _is_stored(benchmark: Benchmark, name: str, words: str) -> bool:
    return name in names(benchmark) and open_features(benchmark, name).proxy == words


def _slug(name: str) -> str:
    """A model's name as the name of a folder: ``path/to/file.py:Mine`` becomes ``Mine``."""
    last = name.rpartition(":")[2]
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in last)
