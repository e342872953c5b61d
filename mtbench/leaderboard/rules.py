"""The rules that one submission can break by itself: claims, training data, the known-query cheat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mtbench.leaderboard.board import Board, Known
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


class Mark(NamedTuple):
    """What people read of a kind of training: a short mark, and a sentence."""

    short: str
    sentence: str


MARKS: Mapping[str, Mark] = {
    "leaks": Mark("LEAKS", "It learned from data that holds pairs of this board's transactions."),
    "unaudited": Mark("unaudited", "It learned from data whose leaks into this board nobody has counted."),
    "dropped": Mark("leaks dropped", "Its training data leaked, and its authors state that they left out what leaks."),
    "clean": Mark("clean", "The training data that its authors declare holds no pair of this board's transactions."),
    "undeclared": Mark("undeclared", "Its authors declare no training data."),
}
"""By what the declared training data means for the scores, the worst first."""


def contamination(description: Description, board: Board) -> str:
    """What the declared training data means for the scores, one of `MARKS`: the worst of all its data sets.

    Data of pre-training counts where the board knows its name; others are words that nobody can check.
    """
    kinds = {_kind(leaks, audit) for _, leaks, audit in declared(description, board)}
    return next((kind for kind in MARKS if kind in kinds), "undeclared")


def declared(description: Description, board: Board) -> list[tuple[str, str, Known | None]]:
    """Each data set that a system learned from, what its authors say of leaks, and what the board counted.

    The pre-training data that the board knows is among them, unless it is declared as training data too.
    """
    known = {_folded(row.data): row for row in board.training}
    said = {_folded(row.data) for row in description.training}
    before = [name for name in description.pretraining if _folded(name) in known and _folded(name) not in said]
    return [
        *((row.data, row.leaks, known.get(_folded(row.data))) for row in description.training),
        *((name, "unknown", known[_folded(name)]) for name in before),
    ]


def _folded(name: str) -> str:
    """Names of data sets are one name however they are written: ``Train`` is ``train``."""
    return name.strip().casefold()


def _kind(stated: str, audit: Known | None) -> str:
    if stated == "dropped":
        return "dropped"
    if audit is None:
        return "leaks" if stated == "allowed" else "unaudited"
    return "leaks" if audit.leaks else "clean"


def _training(description: Description, board: Board) -> list[Fault]:
    wrong = []
    for data, leaks, audit in declared(description, board):
        where = f"training data {ascii(data)[:60]}"
        if data.strip().casefold() == board.benchmark["split"]:
            wrong.append((where, "is what the board ranks: nobody may learn from it"))
            continue
        if audit is not None and audit.leaks and leaks == "none":
            wrong.append((where, f"{_told(audit.leaks, audit.of)}, so leaks cannot be none: write dropped or allowed"))
        elif not board.leaks_allowed and _kind(leaks, audit) == "leaks":
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
