"""The commands of the preference study: serve, report, forget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mtbench.cli.chat import HOST, PUBLIC
from mtbench.cli.shared import BENCHMARK, JSON, InOrder, print_json
from mtbench.cli.tables import table


@click.group(
    cls=InOrder,
    epilog="""\b
For example:
  mtbench study serve shoes/results/bm25-1a2b3c4d shoes/results/cm-ntm-5e6f7a8b --benchmark shoes --out study.sqlite
  mtbench study report study.sqlite
  mtbench study forget study.sqlite abcd-efgh-jkmn-pqrs
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
@HOST
@click.option("--port", type=click.IntRange(0, 65535), default=8410, show_default=True, help="0 takes a free one.")
@PUBLIC
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
    from mtbench.features.needs import need

    need("flask", extra="chat")
    from mtbench.data.benchmark import load
    from mtbench.study.design import drawn
    from mtbench.study.serve import design_of
    from mtbench.study.serve import serve as run

    of = load(benchmark)
    design = design_of(results, of, questions=questions, seed=seed, pairwise=pairwise)
    for line in drawn(design):
        click.echo(line)

    def told(url: str) -> None:
        click.echo(f"The study is at {url} and its answers go to {out}. Ctrl-C ends it.")

    run(design, of, out, host=host, port=port, public=public, ready=told)
    click.echo(f"\nEnded. The answers are in {out}.")


@study.command()
@click.argument("answers", metavar="FILE", type=click.Path(path_type=Path))
@JSON
@click.option("--out", metavar="FILE.html", type=click.Path(path_type=Path), help="Also write a page.")
@click.option("--overwrite", is_flag=True, help="Replace FILE.html.")
def report(answers: Path, as_json: bool, out: Path | None, overwrite: bool) -> None:
    """Print what the participants preferred, with intervals, tests, and how far they agree."""
    from mtbench.study.page import check_page, write_page
    from mtbench.study.report import report as count
    from mtbench.study.store import Store

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


@study.command()
@click.argument("answers", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("code")
def forget(answers: Path, code: str) -> None:
    """Remove the participant who names CODE, with all answers; the study may be served meanwhile.

    Nothing of them stays in FILE. Copies of it, and reports that were written before, are yours to remove.
    """
    from mtbench.core.errors import MtbenchError
    from mtbench.study.store import Store

    gone = Store(answers).forget(code)
    if gone is None:
        raise MtbenchError(f"nobody in {answers} has this code; is every letter right?")
    click.echo(f"{gone:,} answer{'s are' if gone != 1 else ' is'} gone from {answers}, and who gave them is forgotten.")


def _text(found: Mapping[str, Any]) -> str:
    """The numbers of a study, for people."""
    from mtbench.study.tables import head, tables

    lines = [head(found), *found["drawn"], "", *found["claims"]]
    for title, headers, rows, note in tables(found):
        lines += ["", title, table(rows, headers), note]
    return "\n".join(lines)
