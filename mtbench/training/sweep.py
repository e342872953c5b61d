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

import csv
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_file, check_folder
from mtbench.data.benchmark import Benchmark
from mtbench.training.grid import COMBINER, grid_of
from mtbench.training.sweep_picture import draw_sweep, picture_lacks
from mtbench.training.sweep_rows import COSTS, costs, rows_of, timed_on
from mtbench.training.sweep_trainings import CHECKPOINTS, RESULTS, SweepSettings, check_data, train_all

SCHEMA_VERSION = 1
RECORD, TABLE, PICTURES = "sweep.json", "sweep.csv", ("sweep.png", "sweep.svg")
LOCK = ".lock"

logger = logging.getLogger(__name__)


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
    before = _read_before(out, plan)
    check_data(grid, benchmark, settings)
    with _alone(out):
        if not before:
            _write_changed(out / RECORD, _as_json({**plan, "status": "begun", "rows": []}))
        replies = train_all(grid, benchmark, out, settings, progress=progress)
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
            _write_changed(out / f"sweep{suffix}", content)
        _write_changed(out / TABLE, _as_csv(record))
        _write_changed(out / RECORD, _as_json(record))
    known = sum(found["known"] for found in done.values())
    plain: dict[str, Any] = json.loads(_as_json(record))
    return Swept(out, plain, len(done) - known, known, [lacking] if lacking else [])


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
        _write_changed(out / RECORD, _as_json(record))  # the scores are safe, whatever timing comes to
        found = costs([out / row["checkpoints"][0] for row in rows], benchmark, record["split"])
        told = {row["weights_sha256"][0]: cost for row, cost in zip(rows, found, strict=True)}
    return {
        **record,
        "rows": [{**row, **(told[row["weights_sha256"][0]] if row["seeds"] else {})} for row in record["rows"]],
    }


def _read_before(out: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """What a folder says of a sweep of the same model and benchmark; empty where it says nothing.

    Raises:
        MtbenchError: it is the folder of something else.
    """
    check_folder(out)
    here = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if RECORD not in here:
        if strange := sorted(here - {TABLE, *PICTURES, CHECKPOINTS, RESULTS, LOCK}):
            raise MtbenchError(f"{out} holds {strange[0]} and no {RECORD}: it is of something else; give another --out")
        return {}
    about = ("schema_version", "model", "benchmark", "revision")
    try:
        record: dict[str, Any] = json.loads((out / RECORD).read_text(encoding="utf-8"))
        wrong = [name for name in about if record[name] != plan[name]]
        if not isinstance(record["rows"], list):
            raise ValueError("rows")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MtbenchError(f"{out / RECORD} is no record of a sweep ({error!r}); remove it and sweep again") from error
    if wrong:
        raise MtbenchError(f"{out} holds a sweep of the {wrong[0]} {record[wrong[0]]}; give another --out")
    return record


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """One sweep at a time in a folder: a second one would train the same again.

    Raises:
        MtbenchError: there is one.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise MtbenchError(f"another sweep is at work in {out}; wait for it, or give another --out") from error
    except (OSError, NotImplementedError) as error:
        logger.warning("%s cannot be locked (%s): start one sweep in it at a time", out, error)
    try:
        yield
    finally:
        lock.release()


def _write_changed(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; leave alone one that has this content."""
    if not path.is_file() or path.read_bytes() != content:
        with atomic_file(path) as temporary:
            temporary.write_bytes(content)


def _as_json(record: Mapping[str, Any]) -> bytes:
    """A record as a file holds it."""
    return (json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _as_csv(record: Mapping[str, Any]) -> bytes:
    """The rows as a table for other programs, shares in 0..1; empty cells are not known."""
    text = io.StringIO()
    numbers = ("parameters", "R@5", "R@8", "mean", "low", "high", "seed_sd", "ms_interactive", "ms_batch")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*record["over"], "seeds", *numbers])
    for row in record["rows"]:
        low, high = row["interval"] or (None, None)
        cells = {**row, "low": low, "high": high}
        writer.writerow([*row["options"].values(), len(row["seeds"]), *(cells[name] for name in numbers)])
    return text.getvalue().encode()
