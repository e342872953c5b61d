"""What the first page says of each board, for people and for programs."""

from __future__ import annotations

from typing import Any

from mtbench.leaderboard.evidence import counted, warning
from mtbench.leaderboard.recompute import HEADLINE
from mtbench.leaderboard.rules import MARKS
from mtbench.leaderboard.site import views
from mtbench.leaderboard.site.names import folder_of
from mtbench.leaderboard.standings import Row, Standings


def best_of(one: Standings) -> Row | None:
    return one.rows[0] if one.rows else None


def card(one: Standings) -> dict[str, Any]:
    """What the first page says of a board."""
    board, best = one.board, best_of(one)
    tables = []
    for table in one.tables:
        first = table.rows[0]
        tables.append(
            {
                "proxy": table.proxy,
                "title": first.row.description.title,
                "href": f"{board.name}/{first.row.name}.html",
                "cell": views.measured(first.row.scores, HEADLINE),
                "alike": sum(p.best == 1 for p in table.rows) - 1,
                "training": first.row.contamination,
                "mark": MARKS[first.row.contamination],
            }
        )
    return {
        "board": board,
        "href": f"{board.name}/index.html",
        "n": len(board.sealed),
        "counted": counted(len(board.sealed), board.sealed.n_clusters),
        "few": warning(board.sealed.n_clusters),
        "leaked": int((~board.sealed.clean).sum()),
        "systems": len(one.rows),
        "images": sum(int(gallery["images"]) for gallery in board.galleries),
        "tables": tables,
        "best": best,
    }


def in_short(one: Standings) -> dict[str, Any]:
    """A line of ``boards.json``."""
    best = best_of(one)
    return {
        **{"board": one.board.name, "version": one.board.version, "title": one.board.title},
        **{"revision": one.board.benchmark["revision"], "n": len(one.board.sealed)},
        **{"clusters": one.board.sealed.n_clusters, "submissions": len(one.rows)},
        "json": f"{folder_of(one.board)}/board.json",
        "csv": f"{folder_of(one.board)}/board.csv",
        "best": None if best is None else {"name": best.name, HEADLINE: best.mean, "training": best.contamination},
    }
