"""Writing the site: the same boards give the same bytes, and nothing of a submission becomes markup."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from mtbench.core.files import atomic_folder, check_free
from mtbench.data.benchmark import Benchmark
from mtbench.features.needs import need
from mtbench.leaderboard.board import Board, boards
from mtbench.leaderboard.evidence import FEW, TOO_FEW, counted, warning
from mtbench.leaderboard.recompute import HEADLINE
from mtbench.leaderboard.removed import read_removed
from mtbench.leaderboard.rules import MARKS
from mtbench.leaderboard.site import data, details, views
from mtbench.leaderboard.site.badge import badge
from mtbench.leaderboard.site.cards import best_of, card, in_short
from mtbench.leaderboard.site.charts import charts
from mtbench.leaderboard.site.names import ASSETS, folder_of, up
from mtbench.leaderboard.site.writer import Writer
from mtbench.leaderboard.standings import Placed, Row, Standings, standings
from mtbench.report.svg import Canvas

_FILES = ("site.css", "theme.js", "common.js", "standings.js", "browse.js", "compare.js")


def build_site(
    root: Path,
    out: Path,
    *,
    benchmarks: Sequence[Benchmark] = (),
    overwrite: bool = False,
    progress: bool = False,
) -> list[Path]:
    """Write the site of all boards below ``root`` into the folder ``out``, whole or not at all.

    Scores are shown as the submissions state them: run `mtbench.leaderboard.verify.verify` first.

    Args:
        root: the folder of the boards.
        out: a folder that does not exist, or is empty.
        benchmarks: where at hand, the pages of boards of their revisions show texts and targets.
        overwrite: replace ``out`` where it holds a site.
        progress: show a bar on stderr.

    Returns:
        The files written.

    Raises:
        MtbenchError: ``out`` may not be written, or a board or a submission cannot be read.
    """
    from tqdm import tqdm

    need("matplotlib", extra="report")
    need("jinja2", extra="report")
    replaces = "index.html" if overwrite else None
    check_free(out, replaces=replaces)  # before long work
    found = boards(root)
    folders = {board.folder: folder_of(board) for board in found}
    with atomic_folder(out, replaces=replaces) as folder:
        writer = Writer(folder)
        every = [standings(board) for board in found]
        bar = tqdm(total=sum(len(one.rows) for one in every), unit="page", disable=not progress, leave=False)
        for name in _FILES:
            writer.write(PurePosixPath(ASSETS, name), writer.source(name))
        cards = []
        for one in every:
            versions = [v.board for v in every if v.board.name == one.board.name and v.board is not one.board]
            benchmark = next((b for b in benchmarks if b.revision == one.board.benchmark["revision"]), None)
            _board(writer, one, folders[one.board.folder], versions, benchmark, bar)
            if one.board.folder.parent.name != "versions":
                cards.append(card(one))
        bar.close()
        writer.page(PurePosixPath("index.html"), "index.html.jinja", cards=cards)
        writer.write(PurePosixPath("boards.json"), data.text_of([in_short(one) for one in every]))
        written = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [out / path for path in written]


def _board(
    writer: Writer,
    one: Standings,
    folder: PurePosixPath,
    versions: Sequence[Board],
    benchmark: Benchmark | None,
    bar: Any,
) -> None:
    """All pages and files of one version of a board."""
    board, canvas = one.board, Canvas()
    own = {folder_of(v): v.version for v in versions}
    context = {
        "board": board,
        "counted": counted(len(board.sealed), board.sealed.n_clusters),
        "few": warning(board.sealed.n_clusters),
        "n": len(board.sealed),
        "leaked": int((~board.sealed.clean).sum()),
        "texts": benchmark is not None,
        "newest": board.folder.parent.name != "versions",
    }
    grids = [views.grid(table, board, first=i == 0) for i, table in enumerate(one.tables)]
    writer.page(
        folder / "index.html",
        "board.html.jinja",
        **context,
        grids=grids,
        drawn=[charts(table, canvas) for table in one.tables],
        quoted=details.quoted(board),
        removed=list(read_removed(board).values()),
        versions=[(number, f"{up(folder)}{path}/index.html") for path, number in own.items()],
        best=best_of(one),
    )
    writer.page(folder / "compare.html", "compare.html.jinja", **context, rows=one.rows)
    writer.write(folder / "board.json", data.text_of(data.board_json(one)))
    writer.write(folder / "board.csv", data.board_csv(one))
    writer.write(folder / "data" / "board.js", data.script("var BOARD", data.shared(one)))
    if benchmark is not None:
        writer.write(folder / "data" / "texts.js", data.script("var TEXTS", data.texts(board, benchmark)))
    best = best_of(one)
    told = f"{best.description.title} {views.percent(best.mean)}" if best else "no submissions"
    writer.write(
        folder / "badge.svg", badge(board.name, told, marked=best is not None and best.contamination == "leaks")
    )
    for row in one.rows:
        _submission(writer, row, one, folder, context)
        bar.update()


def _submission(writer: Writer, row: Row, one: Standings, folder: PurePosixPath, context: dict[str, Any]) -> None:
    """The page, the data and the badge of one submission."""
    name, told = row.name, row.description
    placed: dict[str, Placed] = {table.proxy: p for table in one.tables for p in table.rows if p.row.name == row.name}
    others = {other.name: other.description.title for other in one.rows}
    alike = {
        proxy: [(title, f"{other}.html", other) for other, title in others.items() if other in p.not_told_from]
        for proxy, p in placed.items()
    }
    writer.page(
        folder / f"{name}.html",
        "submission.html.jinja",
        **context,
        row=row,
        told=told,
        number=[other.name for other in one.rows].index(row.name),
        enough=FEW,
        too_few=TOO_FEW,
        placed=placed,
        alike=alike,
        among={table.proxy: len(table.rows) for table in one.tables},
        known=set(others),
        parts=details.parts_of(row),
        measured=views.measured,
        training=details.training_of(told, one.board),
        mark=MARKS[row.contamination],
        seeds=views.over_seeds(row),
        parameters=views.short_count(told.parameters),
        headline=HEADLINE,
    )
    writer.write(folder / f"{name}.json", data.text_of(data.submission_json(row, placed)))
    writer.write(folder / "data" / f"{name}.js", data.script(f"TOPS[{data.quoted(row.name)}]", data.heads(row)))
    ranks = ", ".join(f"rank {p.rank}" for p in placed.values())
    badge_text = f"{views.percent(row.mean)}, {ranks}"
    writer.write(
        folder / "badges" / f"{name}.svg", badge(one.board.name, badge_text, marked=row.contamination == "leaks")
    )
