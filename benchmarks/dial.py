"""Which models use the history: the shoebox dial from 0 (the last turn is enough) to 1 (it says nothing).

    python benchmarks/dial.py [--dialogues 8000] [--work DIR] [--json]

For each share of the wishes that only earlier turns hold, dialogues of 2 to 8 turns are made, and models rank them.
No last-turn model can beat the bound, which is counted on the gallery, and the oracle, which reads the true attributes,
is at the ceiling. Captions stand for the images. R@5 in %, pooled over dialogues, with 95% bootstrap intervals over
blocks: the dialogues of a block share their last turn, and are no independent evidence. The picture goes to
benchmarks/results/dial.png.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

import mtbench
from builders.shoebox import Shoebox
from mtbench.data.build import BuildOptions, build
from mtbench.evaluation.comparison.comparable import read_values
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.pictures import MARKERS, PALETTE, new_figure, style, write_picture
from mtbench.evaluation.statistics import bootstrap

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
MODELS = ("shoebox-oracle", "bm25", "avg", "cat", "ewma", "last-turn", "random")
BOUND = "last-turn bound"
OUT = Path(__file__).resolve().parent / "results" / "dial.png"

Row = dict[str, Any]


def measure(share: float, work: Path, dialogues: int, seed: int, longest: int) -> list[Row]:
    """Rows of every model at one share: over all dialogues, and for each number of turns."""
    path = work / f"dial-{share:g}"
    if not path.exists():
        extra = {
            **{"size": None, "seed": seed, "width": 192, "history_share": share, "dialogues": dialogues},
            **{"kinds": "plain", "shortest": 2, "longest": longest, "no_pictures": True},
        }
        build("shoebox", Shoebox(), work / f"raw-{share:g}", path, BuildOptions(extra=extra), progress=False)
    benchmark = mtbench.load(path)
    transactions = {t.transaction_id: t for t in benchmark.transactions("test")}
    truth = benchmark.truth
    assert truth is not None
    rows = []

    def add(model: str, ids: list[str], values: np.ndarray) -> None:
        blocks = np.array([truth.dialogues[i].block for i in ids])
        turns = np.array([len(transactions[i].turns) for i in ids])
        for n in (None, *sorted(set(turns.tolist()))):
            use = np.ones(len(ids), bool) if n is None else turns == n
            found = bootstrap(values[use], blocks[use], seed=seed)
            rows.append(
                {
                    **{"share": share, "model": model, "turns": n, "n": int(use.sum()), "blocks": found.n_clusters},
                    **{"R@5": found.estimate[0], "low": found.low[0], "high": found.high[0]},
                }
            )

    names = sorted(transactions)
    add(BOUND, names, np.array([min(1.0, 5 / (truth.dialogues[name].last_turn or 1)) for name in names]))
    for model in MODELS:
        record = evaluate(model, benchmark, work / "results" / path.name)
        (folder,) = (work / "results" / path.name).glob(f"{model}-{record['key'][:8]}")
        found = read_values(folder, ["R@5"])
        add(model, list(found.ids), found.measures["R@5"])
    return rows


def draw(rows: list[Row], longest: int) -> None:
    """R@5 against the share, and at share 1 against the number of turns."""
    shown = [BOUND, *MODELS]
    with style():
        figure, (left, right) = new_figure(2)
        for axes, key, chosen in (
            (left, "share", [r for r in rows if r["turns"] is None]),
            (right, "turns", [r for r in rows if r["turns"] and r["share"] == 1]),
        ):
            lines = defaultdict(list)
            for row in chosen:
                lines[row["model"]].append((row[key], row["R@5"], row["low"], row["high"]))
            for i, model in enumerate(shown):
                x, mean, low, high = np.array(lines[model]).T
                look = {"color": PALETTE[i], "linestyle": "--" if model in (BOUND, "shoebox-oracle") else "-"}
                axes.plot(x, 100 * mean, marker=MARKERS[i], label=model, **look)
                axes.fill_between(x, 100 * low, 100 * high, color=PALETTE[i], alpha=0.15, linewidth=0)
            axes.set_ylim(-2, 102)
            axes.grid(axis="y")
            axes.set_ylabel("R@5, %")
        left.set_xticks(SHARES)
        left.set_xlabel("share of the wishes that only earlier turns hold")
        left.set_title("All dialogues")
        right.set_xticks(range(2, longest + 1))
        right.set_xlabel("turns")
        right.set_title("Share 1: the last turn says nothing")
        right.legend(loc="center", bbox_to_anchor=(0.5, 0.4), ncols=2)
        write_picture(figure, OUT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=8000, help="at each share, about")
    parser.add_argument("--longest", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="keep benchmarks and results here")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        rows = [
            row for share in SHARES for row in measure(share, work, options.dialogues, options.seed, options.longest)
        ]
    draw(rows, options.longest)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    from tabulate import tabulate

    table = []
    for model in (BOUND, *MODELS):
        cells = [r for r in rows if r["model"] == model and r["turns"] is None]
        table.append([model, *(f"{100 * r['R@5']:.1f} [{100 * r['low']:.1f}, {100 * r['high']:.1f}]" for r in cells)])
    sizes = [f"{r['n']:,} in {r['blocks']:,}" for r in rows if r["model"] == BOUND and r["turns"] is None]
    print(tabulate([["dialogues in blocks", *sizes], *table], ["share", *map(str, SHARES)], disable_numparse=True))
    print(f"\nR@5 [95% interval over blocks], dialogues of 2 to {options.longest} turns, captions, seed {options.seed}")


if __name__ == "__main__":
    main()
