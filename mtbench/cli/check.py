"""The command that puts a model to the firewall: check-model."""

from __future__ import annotations

import contextlib
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mtbench.cli.shared import JSON, SET, options_of, print_json


@click.command("check-model")
@click.argument("model")
@SET
@click.option("--benchmark", type=click.Path(path_type=Path), help="[default: a small one made in memory]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of a model that takes one.")
@JSON
def check_model(model: str, options: Sequence[str], benchmark: Path | None, seed: int, as_json: bool) -> None:
    """Check that a model cannot see the answers, and keeps the contract.

    MODEL is a registered name (`mtbench list models`) or your own class, path/to/file.py:Class. It is made and
    fitted five times. Exit code 0 if every check passes, 1 if one fails, 2 if there is no such model.
    """
    from mtbench.data.benchmark import load
    from mtbench.evaluation.firewall.check import check

    with contextlib.redirect_stdout(sys.stderr):  # what a model prints is no part of the report
        loaded = load(benchmark) if benchmark is not None else None
        report = check(model, options=options_of(options), seed=seed, benchmark=loaded).to_dict()
    if as_json:
        print_json(report)
    else:
        click.echo(_table(report))
    if not report["ok"]:
        sys.exit(1)


def _table(report: Mapping[str, Any]) -> str:
    """One row for each check, with a tick or a cross."""
    signs = {"pass": "\u2713", "fail": "\u2717", "not applicable": "-", "info": "i"}
    name = report["model"].rpartition(":")[2]
    lines = [f"{name} on {report['data']}, {report['histories']:,} histories", ""]
    for finding in report["findings"]:
        start = f"{signs[finding['status']]} {finding['check']:<12}  "
        lines.append(textwrap.fill(finding["text"], 110, initial_indent=start, subsequent_indent=" " * len(start)))
    failed = [finding["check"] for finding in report["findings"] if finding["status"] == "fail"]
    if failed:
        return "\n".join([*lines, "", f"Failed: {', '.join(failed)}."])
    end = "Every check passed. Answers read from a file or off the image ids would not show: read the source as well."
    return "\n".join([*lines, "", end])
