"""The same models on a leaking split, on its clean and leaked parts, and on a re-split: one table.

    python benchmarks/leaks.py LEAKING RESPLIT [--models bm25 ewma ...] [--json]

LEAKING and RESPLIT are benchmarks that `mtbench build` made. Mean of R@5 and R@8 in %, macro over categories, expected
over ties, with 95% bootstrap intervals over final targets; options chosen on the dev part of each. What is in the
results of a benchmark is not evaluated again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tabulate import tabulate

import mtbench
from mtbench.evaluation.evaluate import evaluate

MODELS = ("random", "lookup", "bm25", "last-turn", "avg", "cat", "ewma")


def share(found: dict[str, Any]) -> str:
    """The headline with its interval."""
    low, high = found["intervals"]["mean"]
    return f"{100 * found['measures']['mean']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("leaking", type=Path)
    parser.add_argument("resplit", type=Path)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    options = parser.parse_args()
    columns: dict[str, dict[str, dict[str, Any]]] = {}
    proxies = set()
    for path in (options.leaking, options.resplit):
        benchmark = mtbench.load(path)
        for model in options.models:
            record = evaluate(model, benchmark, path / "results")
            proxies.add(record["proxy"])
            parts = {"": record} if "clean" not in record else {"": record, ", clean": record["clean"]}
            if "leaked" in record:
                parts[", leaked"] = record["leaked"]
            for part, found in parts.items():
                columns.setdefault(f"{path}{part}", {})[model] = found
    if options.json:
        kept = {
            name: {m: {k: f[k] for k in ("n", "measures", "intervals")} for m, f in column.items()}
            for name, column in columns.items()
        }
        print(json.dumps(kept, indent=2))
        return
    sizes = [f"{next(iter(column.values()))['n']:,} transactions" for column in columns.values()]
    rows = [[model, *(share(column[model]) for column in columns.values())] for model in options.models]
    print(tabulate([["", *sizes], *rows], ["model", *columns], disable_numparse=True))
    stood = ", ".join(sorted(proxies - {"none"}))
    print(f"\nmean of R@5 and R@8 [95% interval]; stood for the images: {stood}; seed 0")


if __name__ == "__main__":
    main()
