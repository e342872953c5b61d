"""Verifying a board of 100 submissions: seconds and memory, and what another library takes to score the same runs.

    python benchmarks/bench_leaderboard.py [--submissions 100] [--transactions 2400] [--repeat 1] [--json]

Submissions are random orders of a made gallery of 4,000 images, the first 100 of each. Verifying recomputes every
score from the rankings with its intervals, and checks ids, ranks, seals, rules and whether two runs are the same. The
peer is ranx: it reads one of the same Parquet files and computes four hit rates per transaction, no intervals and no
checks, after its functions were compiled; its time is multiplied by the number of submissions. Each runs in a process
of its own. Memory is the greatest peak of any one process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import common  # sets one thread; first
import numpy as np

from mtbench.core.types import Gallery, Protocol, Transaction, Turn

IMAGES, DEPTH = 4_000, 100
CATEGORY = "made"


def made_benchmark(n: int, folder: Path) -> SimpleNamespace:
    """What stands for a benchmark: n dialogues of two to four turns among the images."""
    rng = np.random.default_rng(0)
    images = tuple(f"B{i:09d}" for i in range(IMAGES))
    transactions = []
    for i in range(n):
        shown = [images[k] for k in rng.choice(IMAGES, int(rng.integers(3, 6)), replace=False)]
        turns = tuple(Turn(a, ("x",), b) for a, b in pairwise(shown))
        transactions.append(Transaction(f"{CATEGORY}.test.{i:05d}", CATEGORY, turns))
    from mtbench.chains.leakage import KINDS

    gallery = Gallery("test", CATEGORY, "split-list", images)
    return SimpleNamespace(
        **{"name": "made", "revision": "0" * 64, "protocol": Protocol(), "truth": None, "path": folder},
        transactions=lambda split: transactions if split == "test" else [],
        leaks=lambda split: [dict.fromkeys(KINDS, False)] * n,
        gallery=lambda split, category: gallery,
    )


def write(root: Path, submissions: int, n: int) -> None:
    """A board and its submissions, ten at a time: their intervals are drawn together."""
    from mtbench.leaderboard.board import read_board
    from mtbench.leaderboard.description import described
    from mtbench.leaderboard.opening import Opening, open_board, write_board
    from mtbench.leaderboard.recompute import recompute, scores_of
    from mtbench.leaderboard.run_file import Run
    from mtbench.leaderboard.submission import write_submission

    benchmark = made_benchmark(n, root)
    write_board(replace(open_board(root, "made", benchmark, Opening()), depth=DEPTH))
    board = read_board(root / "made")
    images = np.array(benchmark.gallery("test", CATEGORY).image_ids, dtype=object)
    rng = np.random.default_rng(1)
    steps, ends = np.tile(-np.arange(DEPTH), n), np.arange(1, n + 1) * DEPTH
    for begin in range(0, submissions, 10):
        runs = []
        for _ in range(min(10, submissions - begin)):
            starts = rng.integers(0, IMAGES, n)[:, None]
            places = (starts + np.arange(DEPTH)) % IMAGES  # a window of one random order: as good as an order each
            runs.append(Run(rng.permutation(images)[places].ravel(), steps, ends))
        found = [recompute(run, board) for run in runs]
        for i, (run, scores) in enumerate(zip(runs, scores_of(found), strict=True), start=begin):
            text = {"name": f"s{i:03d}", "title": f"System {i}", "authors": ["Nobody"], "summary": "Draws."}
            description, wrong = described({**text, "proxy": "none", "date": "2026-01-31"})
            assert description is not None, wrong
            kept = SimpleNamespace(scores=lambda scores=scores: scores)
            write_submission(board.submissions / description.name, board, description, run, kept)  # type: ignore[arg-type]


def child(case: str, root: Path) -> None:
    """Run one case, and print its seconds, its peak memory in MB, and one mean."""
    import resource

    if case == "mtbench":
        from joblib.externals.loky import get_reusable_executor

        from mtbench.leaderboard.verify import verify

        start = time.perf_counter()
        found = verify(root, jobs=2)
        seconds = time.perf_counter() - start
        get_reusable_executor().shutdown(wait=True)
        assert not found.faults, found.faults[0]
        mean = json.loads((root / "made/submissions/s000/scores.json").read_text())["measures"]["R@10"]
    else:
        import pandas as pd
        from ranx import Qrels, Run, evaluate

        targets = json.loads((root / "targets.json").read_text())
        qrels = Qrels.from_dict({name: {target: 1} for name, target in targets.items()})
        measures = [f"hit_rate@{k}" for k in (1, 5, 8, 10)]

        def act() -> float:
            frame = pd.read_parquet(root / "made/submissions/s000/run.parquet")
            frame = frame.astype({"transaction_id": object, "image_id": object, "score": np.float64})
            run = Run.from_df(frame, q_id_col="transaction_id", doc_id_col="image_id")
            return float(evaluate(qrels, run, measures)["hit_rate@10"])

        act()  # compiles
        start = time.perf_counter()
        mean = act()
        seconds = time.perf_counter() - start
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"seconds": seconds, "MB": max(peaks) / 1024, "mean": mean}))


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]))
        return
    parser = common.options(__doc__ or "", repeat=1)
    parser.add_argument("--submissions", type=int, default=100)
    parser.add_argument("--transactions", type=int, default=2_400, help="with 100 candidates each")
    options = parser.parse_args()
    n = options.submissions
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        start = time.perf_counter()
        write(root, n, options.transactions)
        making = time.perf_counter() - start
        targets = {t.transaction_id: t.target for t in made_benchmark(options.transactions, root).transactions("test")}
        (root / "targets.json").write_text(json.dumps(targets))
        best: dict[str, dict[str, float]] = {}
        for _ in range(options.repeat):
            for case in ("mtbench", "ranx"):
                words = [sys.executable, __file__, "--child", case, str(root)]
                out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
                found = json.loads(out.splitlines()[-1])
                if case not in best or found["seconds"] < best[case]["seconds"]:
                    best[case] = found
    ours, theirs = best["mtbench"], best["ranx"]
    assert abs(ours["mean"] - theirs["mean"]) < 1e-6, best
    scaled = theirs["seconds"] * n
    rows = [
        {"case": "mtbench leaderboard verify, 2 jobs", "seconds": ours["seconds"], "MB": ours["MB"], "ratio": 1.0},
        {
            "case": f"ranx, four hit rates of one run, times {n}",
            **{"seconds": scaled, "MB": theirs["MB"], "ratio": scaled / ours["seconds"]},
        },
        {"case": "making the submissions", "seconds": making, "MB": None, "ratio": None},
    ]
    common.report(
        f"{n} submissions of {options.transactions:,} x {DEPTH} candidates: least of {options.repeat}",
        common.context("ranx", "pyarrow", "numpy", "joblib"),
        {"Verifying a board": rows},
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
