"""The commands of the preference study: serve, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mtbench.cli.leaderboard import InOrder
from mtbench.cli.shared import BENCHMARK, JSON, print_json
from mtbench.cli.tables import table


@click.group(
    cls=InOrder,
    epilog="""\b
For example:
  mtbench study serve shoes/results/bm25-1a2b3c4d shoes/results/cm-ntm-5e6f7a8b --benchmark shoes --out study.sqlite
  mtbench study report study.sqlite
""",
)
def study() -> None:
    """Ask people which model's first image they prefer, and count what they say."""


@study.command()
@click.argument("results", metavar="RESULT RESULT [RESULT]", nargs=-1, required=True, type=click.Path(path_type=Path))
@BENCHMARK
@click.option(
    "--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The answers, SQLite; it goes on."
)
@click.option("--questions", type=int, default=50, show_default=True, help="How many each participant is asked.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw, and of all orders.")
@click.option("--pairwise", is_flag=True, help="Of three models show two at a time. [default: all three]")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8410, show_default=True, help="0 takes a free one.")
@click.option("--public", is_flag=True, help="Allow a --host that other machines reach.")
def serve(
    results: Sequence[Path],
    benchmark: Path,
    out: Path,
    questions: int,
    seed: int,
    pairwise: bool,
    host: str,
    port: int,
    public: bool,
) -> None:
    """Serve the page of a blinded study of two or three results, until it is stopped with Ctrl-C.

    People see a dialogue and the image that each model puts first, and take one; nothing tells them which is whose.
    """
    from mtbench.data.benchmark import load
    from mtbench.study.report import drawn
    from mtbench.study.serve import design_of
    from mtbench.study.serve import serve as run

    of = load(benchmark)
    design = design_of(results, of, questions=questions, seed=seed, pairwise=pairwise)
    for line in drawn(design):
        click.echo(line)

    def ready(address: str) -> None:
        click.echo(f"The study is at {address} and its answers go to {out}. Stop it with Ctrl-C.")

    run(design, of, out, host=host, port=port, public=public, ready=ready)


@study.command()
@click.argument("answers", metavar="FILE", type=click.Path(path_type=Path))
@JSON
@click.option("--out", metavar="FILE.html", type=click.Path(path_type=Path), help="Also write a page.")
@click.option("--overwrite", is_flag=True, help="Replace FILE.html.")
def report(answers: Path, as_json: bool, out: Path | None, overwrite: bool) -> None:
    """Print what the participants preferred, with intervals, tests, and how far they agree."""
    from mtbench.study.report import report as count
    from mtbench.study.store import Store
    from mtbench.study.told import check_page, write_page

    if out is not None:
        check_page(out, overwrite=overwrite)
    found = count(Store(answers))
    if out is not None:
        write_page(found, out)
    if as_json:
        print_json(found)
    else:
        click.echo(_text(found))
        if out is not None:
            click.echo(f"\nThe page is {out}")


def _text(found: Mapping[str, Any]) -> str:
    """The numbers of a study, for people."""
    from mtbench.study.told import head, tables

    lines = [head(found), *found["drawn"], "", *found["claims"]]
    for title, headers, rows, note in tables(found):
        lines += ["", title, table(rows, headers), note]
    return "\n".join(lines)
