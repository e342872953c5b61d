"""What every evaluator costs beside the plain recall evaluation of the same model, in one run.

    python benchmarks/bench_evaluators.py BENCHMARK [--models bm25 ewma ...] [--json]

BENCHMARK is a folder that `mtbench build` made, such as Multi-turn FashionIQ. Features are encoded before. The plain
evaluation loads the benchmark, fits the model, ranks, measures, and writes its result; so does the whole one, with all
evaluators that can be run, for all transactions and for the clean and the leaked ones. Goal: 10 times at most.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import common  # sets one thread; before numpy is imported

import mtbench
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.inputs import Settings


def timed(model: str, path: Path, evaluators: tuple[str, ...]) -> tuple[float, dict[str, Any]]:
    """Seconds of one evaluation from loading to the written result, and its record."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        record = evaluate(model, mtbench.load(path), Path(folder), Settings(evaluators=evaluators))
        return time.perf_counter() - start, record


def main() -> None:
    parser = common.options(__doc__ or "", repeat=3)
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--models", nargs="+", default=["bm25", "last-turn", "ewma"])
    options = parser.parse_args()
    totals, phases = [], []
    for model in options.models:
        timed(model, options.benchmark, ("recall",))  # encodes, and warms the caches of the file system
        plain, every, seconds = float("inf"), float("inf"), {}
        for _ in range(options.repeat):
            plain = min(plain, timed(model, options.benchmark, ("recall",))[0])
            took, record = timed(model, options.benchmark, ("all",))
            if took < every:
                every, seconds = took, record["seconds"]
        totals.append({"model": model, "recall alone, s": plain, "all, s": every, "times": every / plain})
        phases += [{"model": model, "phase": name, "seconds": spent} for name, spent in seconds.items()]
    common.report(
        f"All evaluators on {mtbench.load(options.benchmark).name}: least of {options.repeat}, in turns",
        common.context("numpy", "scipy", "scikit-learn"),
        {"whole": totals, "phases of the whole one": phases},
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
