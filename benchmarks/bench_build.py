"""The whole `mtbench build shoes` as a program, against importing its libraries and reading its largest file.

    python benchmarks/bench_build.py [--raw DIR] [--json]

Goal: a few seconds. The phases are of one build each, in a fresh process, with the time inside the functions named.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common

FLOOR = "import pandas, pyarrow and the pairs"


def phases(raw: Path, out: Path) -> dict[str, float]:
    """Seconds of a build by phase, imports first."""
    spent: dict[str, float] = {}

    def timed(phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                spent[phase] = spent.get(phase, 0) + time.perf_counter() - start

        return call

    start = time.perf_counter()
    from builders.shoes import Shoes
    from mtbench.data import build

    spent["imports"] = time.perf_counter() - start
    for phase, place, name in (
        ("read", Shoes, "read"),
        ("hash the sources", build, "_sources"),
        ("chain", build, "transactions_of"),
        ("split", build, "assign"),
        ("audit", build, "audit"),
        ("images and galleries", build, "image_rows"),
        ("revision", build, "revision"),
        ("write", build, "write_benchmark"),
        ("read back and verify", build, "Benchmark"),
    ):
        setattr(place, name, timed(phase, getattr(place, name)))
    start = time.perf_counter()
    build.build("shoes", Shoes(), raw, out, overwrite=True, progress=False)
    whole = time.perf_counter() - start
    return {**spent, "the rest": whole - sum(spent.values()) + spent["imports"]}


def main() -> None:
    parser = common.options(__doc__, repeat=5)
    common.add_raw(parser)
    parser.add_argument("--phases", type=Path, metavar="OUT", help="only build OUT once, and print seconds by phase")
    options = parser.parse_args()
    if options.phases:
        print(json.dumps(phases(options.raw, options.phases)))
        return

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "raw"
        made.mkdir()
        out = Path(folder) / "out"
        raw, name = common.shoes(options.raw, made)
        load = f"import json, pandas, pyarrow; json.load(open({str(raw / 'relative_captions_shoes.json')!r}))"
        build = [common.script("mtbench"), "build", "shoes", "--raw", raw, "--out", out, "--overwrite"]
        by_phase: list[dict[str, float]] = []

        def one_by_phase() -> None:
            words = [sys.executable, __file__, "--raw", str(raw), "--phases", str(out)]
            by_phase.append(json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout))

        times = common.least(
            {
                FLOOR: common.command(sys.executable, "-c", load),
                "mtbench build shoes": common.command(*build),
                "phases": one_by_phase,
            },
            options.repeat,
        )
        transactions = json.loads((out / "benchmark.json").read_text(encoding="utf-8"))["statistics"]["splits"]
    del times["phases"]
    whole = [{"case": case, "seconds": t, "of the floor": t / times[FLOOR]} for case, t in times.items()]
    fastest = min(by_phase, key=lambda found: sum(found.values()))
    total = sum(part["transactions"] for part in transactions.values())
    common.report(
        f"mtbench build shoes on {name}, {total:,} transactions: least of {options.repeat}, in turns",
        common.context("pandas", "pyarrow", "numpy", "scipy"),
        {"whole": whole, "phases": [{"phase": phase, "ms": 1000 * t} for phase, t in fastest.items()]},
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
