"""The commands of the leaderboards: verify, show, build, open, remove."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mtbench.cli.shared import JSON, ROOT, InOrder, boards_in, print_json
from mtbench.cli.tables import table
from mtbench.core.errors import MtbenchError
from mtbench.core.text import points, points_range

if TYPE_CHECKING:
    from mtbench.core.types import Transaction
    from mtbench.data.benchmark import Benchmark
    from mtbench.leaderboard.board import Board
    from mtbench.leaderboard.standings import Standings


@click.group(
    cls=InOrder,
    epilog="""\b
For example:
  mtbench leaderboard show shoes
  mtbench leaderboard verify
  mtbench leaderboard build --out site
""",
)
def leaderboard() -> None:
    """Verify, show and open leaderboards, and build their pages; `mtbench submit` adds to them."""


@leaderboard.command()
@click.argument("names", metavar="[BOARD]...", nargs=-1)
@ROOT
@click.option(
    "--benchmark",
    "benchmarks",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Also check the boards of this benchmark against it; repeatable.",
)
@click.option(
    "--base",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The boards as they were: what stood there must stand unchanged, or be removed with a reason.",
)
@click.option(
    "--adds-only", is_flag=True, help="New submissions alone may differ from --base: what a stranger may send."
)
@click.option("--jobs", type=int, default=2, show_default=True, help="Processes; 0 works in this one.")
@JSON
def verify(
    names: Sequence[str],
    root: Path,
    benchmarks: Sequence[Path],
    base: Path | None,
    adds_only: bool,
    jobs: int,
    as_json: bool,
) -> None:
    """Recompute every score of every submission from its ranking, and check every rule.

    Ends with 0 if all is well, and with 1 and a list of faults if not.
    """
    from mtbench.leaderboard.verify import verify as run

    if jobs < 0:
        raise MtbenchError(f"--jobs must be 0 or more, not {jobs}")
    if adds_only and base is None:
        raise MtbenchError("--adds-only needs --base: the boards as they were")
    for name in names:
        _known(boards_in(root), name)
    found = run(
        boards_in(root).resolve(),  # its processes may have been started elsewhere
        names=names,
        benchmarks=_loaded(benchmarks),
        base=None if base is None else boards_in(base),
        adds_only=adds_only,
        jobs=jobs,
        progress=sys.stderr.isatty(),
    )
    if as_json:
        print_json(
            {"boards": found.boards, "submissions": found.submissions, "faults": [vars(f) for f in found.faults]}
        )
    else:
        done = f"{_count(found.boards, 'board')}, {_count(found.submissions, 'submission')} recomputed"
        for fault in found.faults:
            click.echo(str(fault))
        click.echo(f"{done}: {_count(len(found.faults), 'fault') if found.faults else 'no fault'}")
    if found.faults:
        raise click.exceptions.Exit(1)


@leaderboard.command()
@click.argument("name", metavar="[BOARD]", required=False)
@ROOT
@click.option("--version", type=int, help="An earlier version of BOARD.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@JSON
def show(name: str | None, root: Path, version: int | None, as_csv: bool, as_json: bool) -> None:
    """Print the standings of a board, ranks as groups that tests cannot tell apart; or an overview of all boards."""
    if as_csv and as_json:
        raise MtbenchError("--csv and --json exclude each other")
    if name is None:
        from mtbench.leaderboard.overview import overview

        if version is not None or as_csv:
            raise MtbenchError(f"{'--csv' if as_csv else '--version'} is of one board; name it")
        rows = overview(boards_in(root))
        if as_json:
            print_json(rows)
        else:
            click.echo(overview_table(rows))
        return
    from mtbench.leaderboard.standings import standings

    found = standings(_version(boards_in(root), name, version))
    click.echo(_shown(found, as_csv=as_csv, as_json=as_json).rstrip("\n"))


@leaderboard.command()
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The folder of the pages.")
@ROOT
@click.option(
    "--benchmark",
    "benchmarks",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A benchmark at hand, whose dialogues the pages then show; repeatable.",
)
@click.option("--overwrite", is_flag=True, help="Replace pages that are there.")
def build(out: Path, root: Path, benchmarks: Sequence[Path], overwrite: bool) -> None:
    """Make the pages of all boards: static files that need no server and no network."""
    from mtbench.leaderboard.site import build_site

    build_site(boards_in(root), out, benchmarks=_loaded(benchmarks), overwrite=overwrite, progress=sys.stderr.isatty())
    files = [path for path in out.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    click.echo(f"{len(files):,} files, {size:.1f} MB. Open {out / 'index.html'}")


@leaderboard.command(name="open")
@click.argument("name")
@click.option("--benchmark", required=True, metavar="DIR", type=click.Path(path_type=Path), help="What it ranks.")
@ROOT
@click.option("--title", default="", help="For people. [default: that of the version before, else NAME]")
@click.option("--about", default="", help="A sentence or two. [default: that of the version before]")
@click.option("--part", help="all test transactions, or the clean ones. [default: as the version before, else all]")
@click.option(
    "--allow-leaks/--no-leaks",
    default=None,
    help="Whether systems may have learned from what leaks; marked either way. [default: as before, else --no-leaks]",
)
@click.option("--command", default="", help="That makes the benchmark, for others. [default: as the version before]")
@click.option(
    "--pretraining",
    multiple=True,
    metavar="NAME=SPEC",
    help="Count what a training set gives away, under the NAME that submissions declare; SPEC is the folder of a "
    "benchmark (its train part) or BUILDER=RAW, such as fiq=fashioniq=raw/fashioniq; repeatable.",
)
def open_(
    name: str,
    benchmark: Path,
    root: Path,
    title: str,
    about: str,
    part: str | None,
    allow_leaks: bool | None,
    command: str,
    pretraining: Sequence[str],
) -> None:
    """Open a board, or a new version of one when the benchmark has another revision.

    The old version moves to versions/ with its submissions, where it stays readable.
    """
    from mtbench.data.benchmark import load
    from mtbench.leaderboard.board import read_board
    from mtbench.leaderboard.evidence import counted
    from mtbench.leaderboard.opening import Opening, open_board

    old = read_board(root / name) if (root / name / "board.toml").is_file() else None
    opening = Opening(
        title=title,
        about=about,
        part=part or (old.benchmark["part"] if old else "all"),
        leaks_allowed=old.leaks_allowed if allow_leaks is None and old else bool(allow_leaks),
        build=command or (old.benchmark["build"] if old else ""),
        pretraining=_pretraining(pretraining),
    )
    board = open_board(root, name, load(benchmark), opening)
    n = counted(board.benchmark["n"], board.sealed.n_clusters)
    what = f"{n} of {board.benchmark['name']}, {board.benchmark['revision'][:12]}"
    click.echo(f"{board.folder}, version {board.version}: {what}")
    for known in board.training:
        click.echo(f"training on {known.data} gives away {known.leaks:,} of {known.of:,}")
    if old is not None:
        click.echo(f"Version {old.version} and its submissions are in {board.folder / 'versions' / str(old.version)}")


@leaderboard.command()
@click.argument("board")
@click.argument("name")
@click.option("--reason", required=True, help="A sentence, which stays on the board.")
@ROOT
def remove(board: str, name: str, reason: str, root: Path) -> None:
    """Take the submission NAME down from BOARD; its name, the date and the reason stay in removed.toml."""
    import datetime

    from mtbench.leaderboard.removed import remove as run

    found = _known(boards_in(root), board)
    run(found, name, reason, datetime.date.today().isoformat())
    click.echo(f"{name} is removed; {found.folder / 'removed.toml'} says why")


def overview_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The overview, for people."""
    from mtbench.leaderboard.evidence import warning
    from mtbench.leaderboard.rules import MARKS

    cells = [
        [
            *(row["board"], row["transactions"], row["clusters"], row["proxy"] or "-", row["systems"]),
            *(row["best"] or "-", points(row["mean"]), points_range(*row["interval"]) if row["interval"] else "-"),
            MARKS[row["training"]].short if row["training"] else "-",
        ]
        for row in rows
    ]
    headers = ["board", "transactions", "clusters", "proxy", "systems", "highest mean", "mean", "95% interval"]
    few = {row["board"]: text for row in rows if (text := warning(row["clusters"]))}
    notes = [f"{board}: {text}" for board, text in few.items()]
    notes.append(
        "As the submissions state it: leaderboard show BOARD finds it again, leaderboard verify checks it all."
    )
    return "\n".join([table(cells, [*headers, "training"]), "", *notes])


def _known(root: Path, name: str) -> Board:
    from mtbench.leaderboard.board import board_named

    return board_named(root, name)


def _version(root: Path, name: str, version: int | None) -> Board:
    """A board, in its newest version or in the one asked for."""
    from mtbench.leaderboard.board import read_board

    board = _known(root, name)
    if version is None or version == board.version:
        return board
    folder = board.folder / "versions" / str(version)
    if not (folder / "board.toml").is_file():
        raise MtbenchError(f"{name} has the versions 1 to {board.version}, and no {version}")
    return read_board(folder)


def _shown(found: Standings, *, as_csv: bool, as_json: bool) -> str:
    """The standings in the form asked for."""
    import json

    if as_json or as_csv:
        from mtbench.leaderboard.site.data import board_csv, board_json

        return board_csv(found) if as_csv else json.dumps(board_json(found), indent=2, ensure_ascii=False)
    from mtbench.leaderboard.terminal import show as text

    return text(found)


def _loaded(folders: Sequence[Path]) -> list[Benchmark]:
    from mtbench.data.benchmark import load

    return [load(folder) for folder in folders]


def _pretraining(specs: Sequence[str]) -> dict[str, list[Transaction]]:
    """Training sets by name, as typed."""
    from mtbench.cli.audit import transactions_of

    found: dict[str, list[Transaction]] = {}
    for spec in specs:
        name, equals, rest = spec.partition("=")
        if not (name and equals and rest):
            raise MtbenchError(
                f"--pretraining {spec!r} must be NAME=DIR or NAME=BUILDER=RAW, such as fiq=fashioniq=raw/fashioniq"
            )
        if name in found or name in ("train", "dev"):
            raise MtbenchError(f"--pretraining: {name!r} is taken; give {rest} another name")
        found[name] = transactions_of(rest)
    return found


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"
