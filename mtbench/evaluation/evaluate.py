"""Evaluate a model, or a file of rankings, on a benchmark: fit, rank, measure, and write a result to check.

What is written is described in `mtbench.evaluation.results`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mtbench.chains.leakage import AGAINST, kind_named
from mtbench.core.errors import MtbenchError
from mtbench.core.files import check_folder, json_sha256
from mtbench.core.registry import EVALUATORS
from mtbench.core.source import blame
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.inputs import EVERY, HEADLINE, Settings, identity, words_of
from mtbench.evaluation.ranked_file import RankedFile
from mtbench.evaluation.ranker import Ranker
from mtbench.evaluation.ready import catalogue_for, fitted
from mtbench.evaluation.record import Phases, environment, plain
from mtbench.evaluation.results import read_result, write_result
from mtbench.evaluation.runs import is_run
from mtbench.evaluation.study import Evaluator, NotAvailableError, Study
from mtbench.evaluation.system import system


def evaluate(
    name: str, benchmark: Benchmark, out: Path, settings: Settings | None = None, *, progress: bool = False
) -> dict[str, Any]:
    """The result record of one model; read from ``out`` where the same evaluation is there already.

    Args:
        name: a registered model, ``module:Class`` or ``file.py:Class``; the folder of a checkpoint (see
            `mtbench.models.checkpoint`); or a file of rankings (see `mtbench.evaluation.runs`), which gets the
            evaluators that final rankings are enough for.
        benchmark: what to evaluate on.
        out: folder of results; this one gets a folder of its own in it.
        settings: how.
        progress: show bars on stderr.

    Raises:
        MtbenchError: no such model, options it does not take, scores that are not finite, nothing that stands
            for the images, an evaluator asked for by name that cannot be run.
    """
    settings = settings or Settings()
    if settings.seed < 0:
        raise MtbenchError(f"the seed must be 0 or more, not {settings.seed}")
    check_folder(out)
    asked = system(name, settings.options, settings.seed)
    evaluators: dict[str, Evaluator] = {study: EVALUATORS.get(study)() for study in settings.studies}
    settings = replace(settings, features=asked.features(settings.features), words=asked.words(settings.words))
    words = words_of(benchmark, settings.words)
    known_by = identity(asked, benchmark, settings, words)
    key = json_sha256(known_by)
    folder = out / f"{_slug(asked.name)}-{key[:8]}"
    known = read_result(folder)
    if known is not None and known["key"] == key:
        return known

    phases = Phases()
    catalogue = catalogue_for(asked, benchmark, settings.features, words, phases, progress=progress)
    plugin, model = asked.plugin, asked.model
    transactions = benchmark.transactions(settings.split)[: settings.limit]
    if not transactions:
        raise MtbenchError(f"{benchmark.path} has no {settings.split} transactions to rank")
    galleries = {t.category: benchmark.gallery(settings.split, t.category) for t in transactions}
    found: dict[str, Any] = {}
    chosen: Mapping[str, Any] = {}
    try:
        with blame(plugin, *map(type, evaluators.values())):
            if plugin is None:
                file = RankedFile(Path(name), benchmark, settings.split, depth=settings.depth)
                found["run"] = {"missing": len(file.missing), "cut_ties": file.cut_ties}
                study = Study(
                    file,
                    benchmark,
                    settings.split,
                    transactions,
                    seed=settings.seed,
                    measures=file.measures,
                    excluded_measures=file.excluded,
                )
            else:
                ranker = Ranker(model, galleries, catalogue, depth=settings.depth)
                study = Study(ranker, benchmark, settings.split, transactions, seed=settings.seed)
                chosen = fitted(asked, benchmark, catalogue, phases)
            parts = _parts(study, settings.clean)
            for which, evaluator in evaluators.items():
                with phases.phase(which):
                    found[which] = _run(which, evaluator, study, parts, must=which in settings.evaluators)
    except MtbenchError as error:  # of several models, say which
        raise MtbenchError(str(error) if str(error).startswith(name) else f"{name}: {error}") from error
    record = {
        "key": key,
        "status": "limited" if settings.limit else "complete",
        **known_by,
        "proxy": catalogue.proxy if plugin else "not told",
        "features": catalogue.features.describe() if "features" in vars(catalogue) else None,
        "protocol": vars(benchmark.protocol),
        "galleries": [
            {"category": g.category, "rule": g.rule, "images": len(g), "sha256": g.sha256} for g in galleries.values()
        ],
        "chosen_on_dev": chosen or asked.chosen_on_dev,
        "run": found.pop("run", None),
        **found.pop(HEADLINE),
        "studies": found,
        "leakage": benchmark.manifest.get("audit", {}).get(settings.split),
        "seconds": phases.seconds,
        "environment": environment(),
    }
    write_result(folder, record, study, tag=_slug(asked.name))
    return record


def _parts(study: Study, kind: str) -> dict[str, Study]:
    """The clean and the leaked transactions, where a split has both."""
    kind = kind_named(kind)
    if study.split not in AGAINST:
        return {}
    leaked = np.array([leak[kind] for leak in study.benchmark.leaks(study.split)][: len(study)], dtype=bool)
    if leaked.all() or not leaked.any():
        return {}
    return {"clean": study.part(np.flatnonzero(~leaked)), "leaked": study.part(np.flatnonzero(leaked))}


def _run(name: str, evaluator: Evaluator, study: Study, parts: Mapping[str, Study], *, must: bool) -> dict[str, Any]:
    """What an evaluator found for all transactions and for each part; or why it cannot be run here."""
    try:
        found = plain(evaluator.run(study), f"the evaluator {name!r}")
    except NotAvailableError as error:
        if must:
            raise MtbenchError(f"the evaluator {name!r} {error}. `--evaluator {EVERY}` runs those that can") from error
        return {"not_available": str(error)}
    for part, of in parts.items() if getattr(evaluator, "parts", True) else ():
        try:
            found[part] = plain(evaluator.run(of), f"the evaluator {name!r}")
        except NotAvailableError as error:  # too little of what it needs among so few transactions
            found[part] = {"not_available": str(error)}
    return found


def _slug(name: str) -> str:
    """A model's name as the name of a folder: ``path/to/file.py:Mine`` becomes ``Mine``."""
    last = Path(name).name.split(".")[0] if is_run(name) else name.rpartition(":")[2]
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in last)
