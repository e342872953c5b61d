"""Measures from a run file against ranx, in one run.

    python benchmarks/bench_measures.py [--json]

ranx, compiled before, is timed twice: from dictionaries that are in memory already (its own figures start there), and
from the file that we read, by way of such dictionaries. Ours starts at the file, checks every id, and ends at macro
averages; the benchmark is loaded. Its ids are made numbers with the first run that is scored, and kept for the next:
both are timed. Each time is the least of several, taken in turns, on one thread.
"""

from __future__ import annotations

import os

os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
)  # before numpy and numba are imported

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ranx
from tabulate import tabulate

from mtbench.core.types import Gallery, Transaction, Turn
from mtbench.evaluation.runs import Ranking, write_run
from mtbench.evaluation.scoring import score_run
from mtbench.evaluation.statistics import bootstrap

Lists: TypeAlias = dict[str, dict[str, float]]

MEASURES = ["R@5", "R@8", "mean"]
DICTIONARIES, FILE = "ranx, from dictionaries", "ranx, from the same .parquet"


class Made(SimpleNamespace):
    """What stands for a benchmark; as one, it is the same only as itself."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def make(n: int, n_images: int, depth: int) -> tuple[Made, list[Ranking]]:
    """A benchmark in memory with one category, and a run without ties."""
    rng = np.random.default_rng(0)
    gallery = Gallery("test", "dress", "split-list", tuple(f"B{i:09d}" for i in range(n_images)))
    names = np.array(gallery.image_ids, dtype=object)
    transactions, run = [], []
    for i in range(n):
        order = rng.choice(n_images, depth + 2, replace=False)
        target = order[min(int(rng.exponential(20)), depth - 1)]
        turns = (
            Turn(names[order[-2]], ("x",), names[order[-1]]),
            Turn(names[order[-1]], ("y",), names[target]),
        )
        transactions.append(Transaction(f"dress.test.{i:04d}", "dress", turns))
        scores = np.sort(rng.random(depth, dtype=np.float32))[::-1]
        run.append(Ranking(f"dress.test.{i:04d}", names[order[:depth]].tolist(), scores))
    benchmark = Made(
        name="made",
        transactions=lambda split: transactions,
        gallery=lambda split, category: gallery,
        images=dict.fromkeys(gallery.image_ids),
    )
    return benchmark, run


def dictionaries(path: Path) -> Lists:
    """A run file as ranx wants it."""
    table = pq.read_table(path, columns=["transaction_id", "image_id", "score"])
    lists: Lists = {}
    for name, image, score in zip(*(column.to_pylist() for column in table.columns), strict=True):
        lists.setdefault(name, {})[image] = score
    return lists


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--transactions", type=int, default=2_400)
    parser.add_argument("--images", type=int, default=17_000)
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    options = parser.parse_args()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    warnings.simplefilter("ignore")  # ranx's numba warns of its own casts

    benchmark, run = make(options.transactions, options.images, options.depth)
    qrels = {t.transaction_id: {t.target: 1} for t in benchmark.transactions("test")}
    lists = {r.transaction_id: dict(zip(r.image_ids, r.scores.tolist(), strict=True)) for r in run}
    rng = np.random.default_rng(1)
    values, clusters = rng.integers(0, 2, (10_000, 3)), rng.integers(0, 6_000, 10_000)

    with tempfile.TemporaryDirectory() as folder:
        paths = {suffix: Path(folder) / f"run{suffix}" for suffix in (".parquet", ".trec", ".trec.gz")}
        for path in paths.values():
            write_run(path, run)

        def peer(lists: Lists) -> dict[str, float]:
            names = ["hit_rate@5", "hit_rate@8"]
            return dict(ranx.evaluate(ranx.Qrels(qrels), ranx.Run(lists), names))

        def ours(suffix: str, *, first: bool = False) -> dict[str, float]:
            loaded = Made(**vars(benchmark)) if first else benchmark
            return score_run(paths[suffix], loaded, measures=MEASURES).to_dict()["measures"]

        cases: dict[str, Callable[[], object]] = {
            DICTIONARIES: lambda: peer(lists),
            FILE: lambda: peer(dictionaries(paths[".parquet"])),
            "mtbench, from .parquet": lambda: ours(".parquet"),
            "mtbench, from .parquet, first of a benchmark": lambda: ours(".parquet", first=True),
            "mtbench, from .trec": lambda: ours(".trec"),
            "mtbench, from .trec.gz": lambda: ours(".trec.gz"),
        }
        theirs, found = peer(lists), ours(".parquet")  # compiles ranx
        assert abs(theirs["hit_rate@5"] - found["R@5"]) < 1e-9, (theirs, found)
        assert abs(theirs["hit_rate@8"] - found["R@8"]) < 1e-9, (theirs, found)
        times = dict.fromkeys(cases, float("inf"))
        for _ in range(options.repeat):
            for name, act in cases.items():
                start = time.perf_counter()
                act()
                times[name] = min(times[name], time.perf_counter() - start)

    start = time.perf_counter()
    bootstrap(values, clusters)
    interval = time.perf_counter() - start
    rows = [
        {"case": name, "seconds": t} | {f"{peer} / this": times[peer] / t for peer in (DICTIONARIES, FILE)}
        for name, t in times.items()
    ]
    shape = (
        f"{options.transactions:,} transactions x top {options.depth} of {options.images:,} images, "
        f"{' '.join(MEASURES[:2])}, 1 thread"
    )
    if options.json:
        print(json.dumps({"shape": shape, "rows": rows, "bootstrap_seconds": interval}, indent=2))
        return
    print(f"{shape}, best of {options.repeat}\n")
    print(tabulate([row.values() for row in rows], headers=list(rows[0]), floatfmt=(".0f", ".4f", ".1f", ".1f")))
    print(f"\n10,000 resamples of 10,000 transactions x 3 measures, clustered: {interval:.2f} s")


if __name__ == "__main__":
    main()
