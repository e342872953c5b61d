"""Evaluate a model on a benchmark: fit, rank, measure, and write a result that others can check.

A result is a folder::

    result.json            what was run, on what, and every aggregate (see `mtbench.evaluation.recall.summary`)
    run.parquet            the first 100 candidates of every transaction
    run.trec.gz            the same, for the tools of information retrieval
    qrels.trec             the targets, for the same tools; neither where an id has blanks, which TREC forbids
    transactions.parquet   the value of every measure for every transaction
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.errors import MtbenchError, unknown
from mtbench.core.files import atomic_folder, check_folder, json_sha256, write_json
from mtbench.core.options import construct, known_options
from mtbench.core.registry import MODELS
from mtbench.core.types import Transaction
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.measures import Floats
from mtbench.evaluation.ranker import Query, Ranker, check_model, headline
from mtbench.evaluation.recall import ByCategory, Recall
from mtbench.evaluation.record import Phases, environment, source_sha256
from mtbench.evaluation.runs import Ranking, rankings, write_qrels, write_run
from mtbench.features.manifest import read_manifest
from mtbench.features.store import build_encoder, encode, names, open_features
from mtbench.models.protocol import Catalogue, Features, Fold

SCHEMA_VERSION = 1
DEFAULT_FEATURES = "tfidf"
WORDS = ("caption", "attributes", "caption+attributes")

logger = logging.getLogger(__name__)


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
    """

    split: str = "test"
    features: str = DEFAULT_FEATURES
    words: str | None = None
    seed: int = 0
    limit: int | None = None
    depth: int = 100
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
    words = _words(benchmark, settings.words)
    identity = {
        "schema_version": SCHEMA_VERSION,
        "model": name,
        "source_sha256": source_sha256(plugin),
        "options": options,
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
        "evaluator": "recall",
        "mtbench": environment()["mtbench"],
    }
    identity = json.loads(json.dumps(identity, default=str))  # options may hold paths
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
    chosen: Mapping[str, Any] = {}
    try:
        if hasattr(model, "fit"):
            with phases.phase("fit"):
                folds = [fold(benchmark, split, catalogue) for split in ("train", "dev")]
                chosen = _plain(model.fit(*folds, catalogue))
        with phases.phase("rank"):
            aggregates, values, ranks = Recall().run(
                ranker, transactions, joiner=benchmark.protocol.joiner, seed=settings.seed
            )
    except MtbenchError as error:  # of several models, say which
        raise MtbenchError(f"{name}: {error}") from error
    features = catalogue.features.describe() if "features" in vars(catalogue) else None
    record = {
        "key": key,
        "status": "limited" if settings.limit else "complete",
        **identity,
        "proxy": catalogue.proxy,
        "features": features,
        "protocol": vars(benchmark.protocol),
        "galleries": [
            {"category": g.category, "rule": g.rule, "images": len(g), "sha256": g.sha256} for g in galleries.values()
        ],
        "chosen_on_dev": chosen,
        **aggregates,
        "leakage": benchmark.manifest.get("audit", {}).get(settings.split),
        "seconds": phases.seconds,
        "environment": environment(),
    }
    _write(folder, record, transactions, values, _run(ranks, transactions, ranker), tag=_slug(name))
    return record


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


def read_result(folder: Path) -> dict[str, Any] | None:
    """A result that was written before; None where there is none.

    Raises:
        MtbenchError: the file is there, but is no result.
    """
    path = folder / "result.json"
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["schema_version"] != SCHEMA_VERSION or "key" not in record:
            return None
    except (ValueError, KeyError, TypeError) as error:
        raise MtbenchError(f"{path} is no result ({error!r}); remove the folder and run again") from error
    return record


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


def _plain(chosen: Any) -> dict[str, Any]:
    """What `fit` returned, as JSON."""

    def number(value: Any) -> Any:
        if isinstance(value, (np.generic, np.ndarray)):
            return value.tolist()
        raise TypeError(f"{value!r} is no JSON")

    if chosen is not None and not isinstance(chosen, Mapping):
        raise MtbenchError(f"`fit` must return a mapping of what it chose, or None, not {type(chosen).__name__}")
    try:
        found: dict[str, Any] = json.loads(json.dumps(dict(chosen or {}), default=number))
    except (TypeError, ValueError) as error:
        raise MtbenchError(f"`fit` must return what can be written as JSON: {error}") from error
    return found


def _features(benchmark: Benchmark, name: str, words: str, phases: Phases, *, progress: bool) -> Features:
    """Stored features; TF-IDF of the words is made on demand, under a name that tells the words.

    Features that somebody encoded under the plain name go first.
    """
    if name == DEFAULT_FEATURES and name not in names(benchmark):
        name = f"{DEFAULT_FEATURES}-{words.replace('+', '-')}"
        if name not in names(benchmark):
            with phases.phase("encode"):
                encoder = build_encoder(DEFAULT_FEATURES, {"text": words})
                return encode(benchmark, encoder, name, spec=DEFAULT_FEATURES, progress=progress)
    return open_features(benchmark, name)


def _run(ranks: ByCategory, transactions: Sequence[Transaction], ranker: Ranker) -> Callable[[], list[Ranking]]:
    """The rankings of all categories in the order of the transactions."""

    def made() -> list[Ranking]:
        found = [
            ranking
            for category, (rows, part) in ranks.items()
            for ranking in rankings(part, [transactions[row] for row in rows], ranker.galleries[category])
        ]
        place = {transaction.transaction_id: row for row, transaction in enumerate(transactions)}
        return sorted(found, key=lambda ranking: place[ranking.transaction_id])

    return made


def _write(
    folder: Path,
    record: Mapping[str, Any],
    transactions: Sequence[Transaction],
    values: Mapping[str, Floats],
    run: Callable[[], list[Ranking]],
    *,
    tag: str,
) -> None:
    with atomic_folder(folder, overwrite=True) as temporary:
        found = run()
        write_run(temporary / "run.parquet", found, tag=tag)
        blank = _blank_name(found, transactions)
        if blank is None:
            write_run(temporary / "run.trec.gz", found, tag=tag)
            write_qrels(temporary / "qrels.trec", transactions)
        else:
            logger.warning("%s: no run.trec.gz and no qrels.trec, because TREC text cannot hold %r", folder, blank)
        columns = {"transaction_id": [t.transaction_id for t in transactions], **values}
        pq.write_table(pa.table(columns), temporary / "transactions.parquet", compression="zstd")
        write_json(temporary / "result.json", record)


def _blank_name(run: Sequence[Ranking], transactions: Sequence[Transaction]) -> str | None:
    """The first id with blanks in it, which the lines of TREC cannot hold."""
    names = {image for ranking in run for image in ranking.image_ids}
    names.update(name for t in transactions for name in (t.transaction_id, t.target))
    return min((name for name in names if len(name.split()) != 1), default=None)


def _slug(name: str) -> str:
    """A model's name as the name of a folder: ``path/to/file.py:Mine`` becomes ``Mine``."""
    last = name.rpartition(":")[2]
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in last)
