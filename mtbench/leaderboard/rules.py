"""The rules that one submission can break by itself: claims, training data, the known-query cheat."""

from __future__ import annotations

from collections.abc import Mapping

from mtbench.leaderboard.board import Board
from mtbench.leaderboard.description import Description
from mtbench.leaderboard.recompute import DIGITS, Recomputed

Fault = tuple[str, str]
"""Where, and what."""

_LEAST = 3
"""A claim of 0.2 is taken as 0.200: TOML does not keep zeros."""


def faults(description: Description, found: Recomputed) -> list[Fault]:
    """What keeps a submission off its board, each with the fix."""
    return [
        *_claims(description.claims, found.headline),
        *_training(description, found.board),
        *(
            ("known queries", f"{text}: images that are known as queries seem to be left out, which no fair system can")
            for text in found.suspicious
        ),
    ]


def contamination(description: Description, board: Board) -> str:
    """What the declared training data means for the scores, by one of five words.

    ``leaks``: it knows pairs of the board. ``unaudited``: data whose leaks nobody counted. ``dropped``: it had leaks,
    and the authors say that they left them out. ``clean``: none of these. ``nothing``: none is declared.
    """
    known = {row.data: row.leaks for row in board.training}
    kinds = {_kind(row.leaks, known.get(row.data)) for row in description.training}
    return next((kind for kind in ("leaks", "unaudited", "dropped", "clean") if kind in kinds), "nothing")


def _kind(stated: str, leaks: int | None) -> str:
    if stated == "dropped":
        return "dropped"
    if leaks is None:
        return "leaks" if stated == "allowed" else "unaudited"
    return "leaks" if leaks else "clean"


def _training(description: Description, board: Board) -> list[Fault]:
    known = {row.data: row for row in board.training}
    wrong = []
    for row in description.training:
        audit = known.get(row.data)
        where = f"training data {ascii(row.data)[:60]}"
        if audit is not None and audit.leaks and row.leaks == "none":
            wrong.append((where, f"{_told(audit.leaks, audit.of)}, so leaks cannot be none: write dropped or allowed"))
        elif not board.leaks_allowed and _kind(row.leaks, audit.leaks if audit else None) == "leaks":
            why = _told(audit.leaks, audit.of) if audit else "is declared to leak"
            wrong.append(
                (where, f"{why}, and the board {board.name} allows no leaks: leave them out, or submit elsewhere")
            )
    return wrong


def _told(leaks: int, of: int) -> str:
    return f"has a pair of {leaks:,} of the {of:,} transactions"


def _claims(claims: Mapping[str, float], measures: Mapping[str, float]) -> list[Fault]:
    """A claim must be what was found, rounded to the digits that it has."""
    wrong = []
    for name, claim in claims.items():
        digits = min(DIGITS, max(_LEAST, len(repr(float(claim)).partition(".")[2])))  # scores have no more
        found = measures.get(name)
        if found is None:
            wrong.append((f"claims.{name}", f"the board has no {name}"))
        elif abs(claim - found) > 0.5 * 10**-digits + 1e-9:
            wrong.append((f"claims.{name}", f"{claim:g} is claimed, but the ranking gives {found:.{digits}f}"))
    return wrong
