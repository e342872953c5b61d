"""The command that puts a ranking on a leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mtbench.cli.pull_request import check_can_open, instructions, open_request
from mtbench.cli.shared import JSON, ROOT, boards_in, print_json
from mtbench.cli.submission_tables import submission_report
from mtbench.core.errors import MtbenchError

if TYPE_CHECKING:
    from mtbench.leaderboard.submit import Prepared

COMPARED = 5
"""With so many of the nearest ones it is compared image by image; `verify` compares all."""


@click.command()
@click.option("--board", help="The name of a board, see `mtbench list boards`.")
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file of rankings (TREC, Parquet, JSON Lines, .gz), or the folder of a result; repeatable with results of "
    "other seeds, whose scores are stated.",
)
@click.option("--meta", metavar="FILE", type=click.Path(path_type=Path), help="The description, TOML.")
@ROOT
@click.option("--example", is_flag=True, help="Print a description to fill in, and nothing else.")
@click.option("--dry-run", is_flag=True, help="Check and score; write nothing.")
@click.option("--pull-request", is_flag=True, help="Commit, push, and open a pull request with gh.")
@JSON
def submit(
    board: str | None,
    runs: Sequence[Path],
    meta: Path | None,
    root: Path,
    example: bool,
    dry_run: bool,
    pull_request: bool,
    as_json: bool,
) -> None:
    """Put a ranking on a leaderboard, every score recomputed from it.

    \b
    For example:
      mtbench submit --example > meta.toml
      mtbench submit --board shoes --run run.trec.gz --meta meta.toml

    What FILE leaves out of the description is taken from a result, where RUN is one.
    """
    from mtbench.leaderboard.board import board_named
    from mtbench.leaderboard.description import example as text
    from mtbench.leaderboard.standings import standings
    from mtbench.leaderboard.submit import check_copies

    if example:
        click.echo(text(*([board] if board else [])), nl=False)
        return
    _check_typed(board, runs, meta, dry_run, pull_request)
    assert board is not None and meta is not None
    chosen = board_named(boards_in(root), board)
    if pull_request:
        check_can_open(chosen.submissions)
    prepared, added = _prepared(chosen, runs, meta)
    others = standings(chosen)
    mean = prepared.found.headline["mean"]
    check_copies(prepared, sorted(others.rows, key=lambda row: abs(row.mean - mean))[:COMPARED])
    scores, size = _written(prepared, dry_run=dry_run)
    url = open_request(board, prepared.description.name, prepared.folder) if pull_request else ""
    if as_json:
        print_json(_record(prepared, scores, size, dry_run=dry_run, added=added, url=url))
        return
    if added:
        click.echo(f"Taken from {runs[0] / 'result.json'}: {', '.join(added)}\n")
    click.echo("\n".join(submission_report(prepared, scores, others)))
    where = f"{prepared.folder}, {size / 1e3:,.0f} kB"
    if dry_run:
        click.echo(f"\n--dry-run: nothing was written. It would be {where}")
        return
    click.echo(f"\nWritten: {where}\n")
    click.echo(f"The pull request: {url}" if url else instructions(board, prepared.description.name, prepared.folder))


def _check_typed(board: str | None, runs: Sequence[Path], meta: Path | None, dry_run: bool, pull_request: bool) -> None:
    """Refuse a command line that lacks something, or wants two things at once."""
    needed = {"--board": board, "--run": runs, "--meta": meta}
    if lacking := [name for name, value in needed.items() if not value]:
        raise MtbenchError(
            f"{', '.join(lacking)} must be given. A description to fill in: mtbench submit --example > meta.toml; "
            "then: mtbench submit --board BOARD --run RUN --meta meta.toml"
        )
    if dry_run and pull_request:
        raise MtbenchError("--dry-run writes nothing, so that there is nothing for --pull-request")
    absent = [str(run) for run in runs if not run.exists()]
    if absent:
        raise MtbenchError(f"--run: {', '.join(absent)} does not exist")
    files = [str(run) for run in runs if not run.is_dir()]
    if len(runs) > 1 and files:
        raise MtbenchError(
            f"one submission is one ranking: --run is given {len(runs)} times, which is for results of other seeds "
            f"(folders of mtbench evaluate), and {files[0]} is a file"
        )


def _prepared(board: Any, runs: Sequence[Path], meta: Path) -> tuple[Prepared, list[str]]:
    """The submission, and the fields of its description that the results gave."""
    from mtbench.leaderboard.description import described
    from mtbench.leaderboard.from_result import completed
    from mtbench.leaderboard.submit import prepare, read_meta

    values, added = read_meta(meta), list[str]()
    if runs[0].is_dir():
        try:
            values, added = completed(values, runs, board)
        except MtbenchError as error:  # what else is wrong is told at once; the proxy is for the result to tell
            wrong = [text for text in described(values)[1] if not text.startswith("proxy: is missing")]
            raise MtbenchError("\n".join([str(error), *(f"{meta}: {text}" for text in wrong)])) from error
    return prepare(board, runs[0], values, meta), added


def _written(prepared: Prepared, *, dry_run: bool) -> tuple[dict[str, Any], int]:
    """Write it, or for a dry run a copy that goes at once: its scores, and its size in bytes."""
    import json
    import tempfile
    from dataclasses import replace

    def look(folder: Path) -> tuple[dict[str, Any], int]:
        scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        return scores, sum(path.stat().st_size for path in folder.iterdir())

    if not dry_run:
        prepared.write()
        return look(prepared.folder)
    with tempfile.TemporaryDirectory() as place:
        trial = replace(prepared, folder=Path(place) / prepared.folder.name)
        trial.write()
        return look(trial.folder)


def _record(
    prepared: Prepared, scores: Mapping[str, Any], size: int, *, dry_run: bool, added: Sequence[str], url: str
) -> dict[str, Any]:
    """What was done, for programs."""
    from mtbench.leaderboard.rules import contamination

    board = prepared.board
    return {
        **{"board": board.name, "version": board.version, "revision": board.benchmark["revision"]},
        **{"name": prepared.description.name, "folder": str(prepared.folder), "bytes": size, "written": not dry_run},
        **{"completed": [*added], "training": contamination(prepared.description, board), "pull_request": url or None},
        "scores": {name: value for name, value in scores.items() if name not in ("above", "tied")},
    }
