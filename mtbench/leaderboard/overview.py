"""All boards at a glance: how many systems each has, and which has the highest mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtbench.leaderboard.board import PROXIES, Board, boards
from mtbench.leaderboard.standings import READS_NOTHING, Standings, standings


def overview(root: Path) -> list[dict[str, Any]]:
    """Every board in its newest version, a row for each kind of thing that stood for the images; scores as stated.

    Raises:
        MtbenchError: there are no boards, or one cannot be read.
    """
    return [
        row
        for board in boards(root)
        if board.folder.parent.name != "versions"
        for row in _leading(board, standings(board, recomputed=False))
    ]


def _leading(board: Board, found: Standings) -> list[dict[str, Any]]:
    """What leads on a board, by proxy; a row without a system where there is none."""
    about = {
        **{"board": board.name, "title": board.title, "version": board.version},
        **{"transactions": board.benchmark["n"], "clusters": board.sealed.n_clusters},
    }
    used = [proxy for proxy in PROXIES if any(row.description.proxy == proxy for row in found.rows)]
    shown: Sequence[str | None] = [one for one in used if one != READS_NOTHING] or used or [None]
    rows = []
    for proxy in shown:
        systems = [row for row in found.rows if row.description.proxy in (proxy, READS_NOTHING)]
        first = systems[0] if systems else None
        rows.append(
            {
                **about,
                "proxy": proxy,
                "systems": len(systems),
                "best": first and first.name,
                "mean": first and first.mean,
                "interval": first and first.scores["intervals"]["mean"],
                "training": first and first.contamination,
            }
        )
    return rows
