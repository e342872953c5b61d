"""How long `mtbench --help` takes against `python -c "import click"`, the least that any click program takes.

    python benchmarks/bench_cli.py [--json]

Goal: 3 times at most. `build --help` imports every builder for its line.
"""

from __future__ import annotations

import sys

import common

FLOOR = 'python -c "import click"'


def main() -> None:
    parser = common.options(__doc__, repeat=20)
    options = parser.parse_args()
    mtbench = common.script("mtbench")
    times = common.least(
        {
            FLOOR: common.command(sys.executable, "-c", "import click"),
            "mtbench --help": common.command(mtbench, "--help"),
            "mtbench build --help": common.command(mtbench, "build", "--help"),
            "mtbench build shoes --help": common.command(mtbench, "build", "shoes", "--help"),
        },
        options.repeat,
    )
    rows = [{"case": name, "ms": 1000 * t, "of import click": t / times[FLOOR]} for name, t in times.items()]
    about = f"Help against an import of click: least of {options.repeat}, in turns"
    common.report(about, common.context("click"), {"help": rows}, as_json=options.json)


if __name__ == "__main__":
    main()
