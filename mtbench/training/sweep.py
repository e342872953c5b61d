"""Sweep: train and evaluate every combination of some options with every seed, as the ablations of papers are made.

Whatever is done is found again: trainings and evaluations by their keys, so that a sweep that was killed goes on, and
one that is done changes no file. A folder of a sweep holds

==================  ==========================================================================================
``sweep.json``      every combination with its scores and costs
``sweep.csv``       the same for other programs
``sweep.png, svg``  the picture of it
``checkpoints``     as `mtbench train` writes them, the combiners too
``results``         as `mtbench evaluate` writes them, for `mtbench compare`
==================  ==========================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from mtbench.core.errors import MtbenchError
from mtbench.data.benchmark import Benchmark
from mtbench.training.grid import COMBINER, Grid, grid_of
from mtbench.training.jobs import run_tasks
from mtbench.training.sweep_folder import RECORD, SCHEMA_VERSION, alone, as_csv, as_json, read_before, write_changed
from mtbench.training.sweep_picture import draw_sweep, picture_lacks
from mtbench.training.sweep_rows import COSTS, rows_of
from mtbench.training.sweep_settings import SweepSettings, check_data
from mtbench.training.sweep_times import costs, timed_on
from mtbench.training.task import CHECKPOINTS


@dataclass(frozen=True)
class Swept:
    """A sweep on disk.

    Attributes:
        path: its folder.
        record: what ``sweep.json`` holds.
        trained, known: trainings done now, and found; combiners among them.
        notes: what a reader should know beside.
    """

    path: Path
    record: Mapping[str, Any]
    trained: int
    known: int
    notes: Sequence[str]


def sweep(
    model: str,
    benchmark: Benchmark,
    over: Sequence[str],
    out: Path | None = None,
    settings: SweepSettings | None = None,
    *,
    progress: bool = False,
) -> Swept:
    """Train and evaluate a grid.

    Args:
        model: a registered model that learns.
        benchmark: what to learn from and to evaluate on.
        over: ``NAME=V1,V2,...`` each.
        out: the folder; ``sweeps/MODEL-NAME-...`` in the benchmark by default.
        settings: how.
        progress: show a bar on stderr.

    Raises:
        MtbenchError: a grid that cannot be, data that leaks, a folder of something else. A training that fails is no
            error: it stands in ``failures`` of the record, and the others go on.
    """
    settings = settings or SweepSettings()
    if settings.jobs < 1:
        raise MtbenchError(f"--jobs must be 1 or more, not {settings.jobs}")
    grid = grid_of(
        model,
        over,
        fixed=settings.options,
        seeds=settings.seeds,
        preset=settings.preset,
        large=settings.large,
    )
    out = out or benchmark.path / "sweeps" / "-".join([model, *grid.axes])
    plan = {
        **{"schema_version": SCHEMA_VERSION, "model": model, "benchmark": benchmark.name},
        **{"revision": benchmark.revision, "split": settings.split, "over": grid.axes, "options": grid.fixed},
        **{"preset": grid.preset, "seeds": grid.seeds},
    }
    before = read_before(out, plan)
    check_data(grid, benchmark, settings)
    with alone(out):
        if not before:
            write_changed(out / RECORD, as_json({**plan, "status": "begun", "rows": []}))
        replies = _run(grid, benchmark, out, settings, progress=progress)
        done = {key: reply["found"] for key, reply in replies.items() if "found" in reply}
        rows, common = rows_of(grid, out, {key: found for key, found in done.items() if key[0] >= 0})
        failures = [
            {"options": grid.combinations[n] if n >= 0 else {"model": COMBINER}, "seed": seed, "why": reply["failed"]}
            for (n, seed), reply in replies.items()
            if "failed" in reply
        ]
        record = {
            **{**plan, "status": "incomplete" if failures else "complete"},
            **{**common, "timed_on": timed_on(), "rows": rows, "failures": failures},
        }
        record = _with_costs(record, before, out, benchmark)
        lacking = picture_lacks()
        pictures = {} if lacking or all(row["mean"] is None for row in rows) else draw_sweep(record)
        for suffix, content in pictures.items():
            write_changed(out / f"sweep{suffix}", content)
        write_changed(out / "sweep.csv", as_csv(record))
        write_changed(out / RECORD, as_json(record))
    known = sum(found["known"] for found in done.values())
    plain: dict[str, Any] = json.loads(as_json(record))
    return Swept(out, plain, len(done) - known, known, [lacking] if lacking else [])


def _run(
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
            alone = {"model": COMBINER, "options": where, "preset": preset, "split": None}
            return {**shared, **alone, "seed": seed}
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
                "mtbench.training.task:do", [task(*key) for key in asked], jobs=settings.jobs
            ):
                replies[asked[number]] = reply
                bar.update()
    return {key: replies[key] for key in (*first, *then)}


def _with_costs(record: dict[str, Any], before: Mapping[str, Any], out: Path, benchmark: Benchmark) -> dict[str, Any]:
    """The record with the costs of each row: those of before if they are of the same models here, else all anew."""
    rows = [row for row in record["rows"] if row["seeds"]]
    told = {
        row["weights_sha256"][0]: {name: row[name] for name in COSTS}
        for row in before.get("rows", ())
        if row["weights_sha256"] and row["ms_batch"] is not None
    }
    same = before.get("split") == record["split"] and before.get("timed_on") == record["timed_on"]
    if not (same and all(row["weights_sha256"][0] in told for row in rows)):
        write_changed(out / RECORD, as_json(record))  # the scores are safe, whatever timing comes to
        found = costs([out / row["checkpoints"][0] for row in rows], benchmark, record["split"])
        told = {row["weights_sha256"][0]: cost for row, cost in zip(rows, found, strict=True)}
    return {
        **record,
        "rows": [{**row, **(told[row["weights_sha256"][0]] if row["seeds"] else {})} for row in record["rows"]],
    }
