"""The command that writes a page of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click


@click.command()
@click.argument("results", metavar="RESULT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The page, FILE.html.")
@click.option(
    "--benchmark",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The benchmark, for the examples. [default: the one that the results lie in]",
)
@click.option("--examples", "count", type=int, default=12, show_default=True, help="How many transactions to show.")
@click.option("--split", help="Leave out results on other splits.")
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
def report(
    results: Sequence[Path], out: Path, benchmark: Path | None, count: int, split: str | None, overwrite: bool
) -> None:
    """Write one HTML page of results, with plots and examples, that works offline.

    RESULT is the folder of a result, or one that holds several, such as BENCHMARK/results; all of one revision and
    split. `mtbench evaluate --evaluator all` makes results that fill the page.
    """
    from mtbench.report.page import write_report

    found = write_report(results, out, benchmark=benchmark, split=split, count=count, overwrite=overwrite)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    n = len(found.results)
    click.echo(f"{n} result{'s' * (n > 1)}, {out.stat().st_size / 1e6:.1f} MB, in {out}")
