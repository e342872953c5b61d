"""Scoring a run of 10,000,000 lines against pytrec_eval, each in a process of its own: time and memory.

    python benchmarks/bench_scoring.py [--transactions 100000] [--repeat 1] [--json]

Both start at the same TREC file and end at R@5 and R@8 of every transaction. Ours also checks every id, rank and score,
and needs the file in no order. pytrec_eval reads it with its own parser. The floor is pyarrow's CSV reader, which reads
the same lines in blocks, and does nothing with them. Memory is the peak beyond what the process held when it began:
imports, and the transactions or qrels.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import common  # sets one thread; first
import numpy as np
import pyarrow as pa

from mtbench.core.types import Gallery, Transaction, Turn

CASES = ("mtbench", "pytrec_eval", "read alone")
IMAGES, DEPTH, BLOCK = 20_000, 100, 1_000


class Made(SimpleNamespace):
    """What stands for a benchmark."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def image_names() -> np.ndarray:
    return np.array([f"B{i:09d}" for i in range(IMAGES)], dtype=object)


def write(path: Path, n: int) -> list[str]:
    """A run of n transactions in TREC text; returns the targets."""
    rng, names, targets = np.random.default_rng(0), image_names(), []
    ranks = np.arange(1, DEPTH + 1).astype(str)
    with path.open("w", encoding="utf-8") as stream:
        for i in range(n):
            start = int(rng.integers(IMAGES - DEPTH))
            columns = start + rng.permutation(DEPTH)
            scores = np.sort(rng.random(DEPTH, dtype=np.float32))[::-1].astype(str)
            targets.append(str(names[columns[min(int(rng.exponential(20)), DEPTH - 1)]]))
            stream.writelines(
                f"dress.test.{i:04d} Q0 {image} {rank} {score} made\n"
                for image, rank, score in zip(names[columns], ranks, scores, strict=True)
            )
    return targets


def child(case: str, path: Path, targets: Path) -> None:
    """Run one case, and print its seconds, its peak memory in MB, and the mean of both measures."""
    answers = json.loads(targets.read_text())
    names = [f"dress.test.{i:04d}" for i in range(len(answers))]
    if case == "mtbench":
        from mtbench.evaluation.scoring import score_run

        gallery = Gallery("test", "dress", "split-list", tuple(image_names()))
        transactions = [
            Transaction(name, "dress", (Turn(gallery.image_ids[0], ("x",), answer),))
            for name, answer in zip(names, answers, strict=True)
        ]
        benchmark = Made(
            name="made",
            transactions=lambda split: transactions,
            gallery=lambda split, category: gallery,
            images=dict.fromkeys(gallery.image_ids),
        )

        def act() -> list[float]:
            values = score_run(path, benchmark, measures=["R@5", "R@8"]).values()
            return [float(value.mean()) for value in values.values()]

    elif case == "pytrec_eval":
        import pytrec_eval

        qrels = {name: {answer: 1} for name, answer in zip(names, answers, strict=True)}

        def act() -> list[float]:
            with path.open() as stream:
                run = pytrec_eval.parse_run(stream)
            found = pytrec_eval.RelevanceEvaluator(qrels, {"success.5,8"}).evaluate(run)
            return [float(np.mean([row[f"success_{k}"] for row in found.values()])) for k in (5, 8)]

    else:
        import pyarrow.csv as pcsv

        def act() -> list[float]:
            options = pcsv.ReadOptions(autogenerate_column_names=True, use_threads=False, block_size=8 << 20)
            reader = pcsv.open_csv(path, options, pcsv.ParseOptions(delimiter=" "))
            return [float(sum(len(batch) for batch in reader))]

    pa.set_cpu_count(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    values = act()
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "MB": (after - before) / 1024, "values": values}))


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
        return
    parser = common.options(__doc__ or "", repeat=1)
    parser.add_argument("--transactions", type=int, default=100_000, help="of 100 lines each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, targets = Path(folder) / "run.trec", Path(folder) / "targets.json"
        targets.write_text(json.dumps(write(path, options.transactions)))
        best: dict[str, dict[str, object]] = {}
        for _ in range(options.repeat):
            for case in CASES:
                words = [sys.executable, __file__, "--child", case, str(path), str(targets)]
                found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
                if case not in best or found["seconds"] < best[case]["seconds"]:
                    best[case] = found
        size = path.stat().st_size / 1e6
    ours, theirs = best["mtbench"], best["pytrec_eval"]
    assert np.allclose(ours["values"], theirs["values"]), (ours, theirs)
    rows = [
        {
            "case": case,
            "seconds": found["seconds"],
            "pytrec_eval / this": theirs["seconds"] / found["seconds"],
            "MB": found["MB"],
        }
        for case, found in best.items()
    ]
    common.report(
        f"Scoring a run of {options.transactions * DEPTH:,} lines ({size:,.0f} MB of TREC text): "
        f"least of {options.repeat}, in turns",
        common.context("pytrec_eval-terrier", "pyarrow", "numpy"),
        {"R@5 and R@8": rows},
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
