"""Exact ranks against the matrix product they need and against sorting everything, in one run.

    python benchmarks/bench_ranking.py [--json]

Each time is the least of several, taken in turns, on one thread.
"""

from __future__ import annotations

import os

os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")
)  # before numpy is imported

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from tabulate import tabulate

from mtbench.evaluation.ranking import rank_embeddings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=2_400)
    parser.add_argument("--images", type=int, default=17_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    queries = rng.standard_normal((options.queries, options.dim), dtype=np.float32)
    gallery = rng.standard_normal((options.images, options.dim), dtype=np.float32)
    copied = gallery.copy()
    half = options.images // 2
    copied[half : 2 * half] = gallery[:half]  # every second image has a twin, as repeated captions make them
    targets = rng.integers(0, options.images, options.queries)

    def argsort() -> np.ndarray:
        """The usual way: all scores, all of them sorted, the target looked for."""
        order = np.argsort(-np.dot(queries, gallery.T), axis=1)
        return np.argmax(order == targets[:, None], axis=1) + 1

    def ranks(images: np.ndarray, depth: int, similarity: str = "dot") -> Callable[[], object]:
        return lambda: rank_embeddings(queries, images, targets, similarity=similarity, depth=depth)

    cases: dict[str, Callable[[], object]] = {
        "matrix product": lambda: np.dot(queries, gallery.T),
        "ranks, dot": ranks(gallery, 0),
        "ranks, cosine": ranks(gallery, 0, "cosine"),
        "ranks and top 100, dot": ranks(gallery, 100),
        "ranks and top 100, cosine": ranks(gallery, 100, "cosine"),
        "ranks and top 100, cosine, half the images twins": ranks(copied, 100, "cosine"),
        "product and argsort": argsort,
    }
    found = rank_embeddings(queries, gallery, targets, similarity="dot")
    agree = float(np.mean(found.kept.greater + 1 == argsort()))
    times = dict.fromkeys(cases, float("inf"))
    for _ in range(options.repeat):
        for name, run in cases.items():
            start = time.perf_counter()
            run()
            times[name] = min(times[name], time.perf_counter() - start)

    floor, sort = times["matrix product"], times["product and argsort"]
    rows = [
        {"case": name, "seconds": seconds, "of the product": seconds / floor, "argsort is slower by": sort / seconds}
        for name, seconds in times.items()
    ]
    shape = f"{options.queries:,} queries x {options.images:,} images x {options.dim}, float32, 1 thread"
    if options.json:
        print(json.dumps({"shape": shape, "ranks_equal_to_argsort": agree, "rows": rows}, indent=2))
        return
    print(f"{shape}, best of {options.repeat}; share of ranks equal to argsort's: {agree:.4f}\n")
    print(tabulate([row.values() for row in rows], headers=list(rows[0]), floatfmt=".2f"))


if __name__ == "__main__":
    main()
