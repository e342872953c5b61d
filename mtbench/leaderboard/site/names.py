"""Where each page lies. No submission is called as a page of ours: `mtbench.leaderboard.limits.check_name`."""

from __future__ import annotations

from pathlib import PurePosixPath

from mtbench.core.errors import MtbenchError
from mtbench.leaderboard.board import Board

ASSETS = "_site"
"""The folder of style and scripts; no board is called so, for names begin with a letter or digit."""
_ROOT = frozenset({"index.html", "boards.json"})


def folder_of(board: Board) -> PurePosixPath:
    """The folder of a board's pages, seen from the first page.

    Raises:
        MtbenchError: it is called as a file that the site has at its root.
    """
    if board.name in _ROOT:
        raise MtbenchError(
            f"a board cannot be called {board.name}: the site has a file of that name; rename {board.folder}"
        )
    newest = PurePosixPath(board.name)
    return newest if board.folder.parent.name != "versions" else newest / "versions" / board.folder.name


def up(folder: PurePosixPath) -> str:
    """The way from a folder back to the first page: ``../`` as often as needed."""
    return "../" * len(folder.parts)
