"""What a submission scores, and beside whom, for people to read in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mtbench.cli.tables import table
from mtbench.core.text import points, points_range

if TYPE_CHECKING:
    from mtbench.leaderboard.standings import Row, Standings
    from mtbench.leaderboard.submit import Prepared

HEAD = 10
"""Measures look no further."""
NEAR = 2
"""So many systems above and below are shown beside a submission."""


def submission_report(prepared: Prepared, scores: Mapping[str, Any], others: Standings) -> Iterator[str]:
    """The recomputed scores, and the systems that the submission would stand beside, for people."""
    from mtbench.leaderboard.evidence import warning
    from mtbench.leaderboard.rules import MARKS, contamination

    board, name = prepared.board, prepared.description.name
    yield (
        f"{board.name}, version {board.version}, revision {board.benchmark['revision'][:12]}: {scores['n']:,} "
        f"transactions, {scores['clusters']:,} clusters; in %, recomputed from the ranking"
    )
    parts = {"": scores, **{part: scores[part] for part in ("clean", "leaked") if part in scores}}
    rows = [
        [
            measure,
            *(
                cell
                for part in parts.values()
                for cell in (points(part["measures"][measure]), points_range(*part["intervals"][measure]))
            ),
        ]
        for measure in board.measures
    ]
    headers = [text for part in parts for text in (f"{part}, {parts[part]['n']:,}" if part else "all", "95% interval")]
    yield ""
    yield table(rows, ["", *headers])
    if few := warning(scores["clusters"]):
        yield f"\n{few}"
    if (kind := contamination(prepared.description, board)) != "clean":
        yield f"\nMarked as {MARKS[kind].short}: {MARKS[kind].sentence}"
    if cut := _cut_ties(prepared):
        yield (
            f"\n{cut:,} rankings end in the midst of a tie that begins in the first ten: it counts as if every image "
            "that is not listed were in it. List such a tie whole, with an image after it, or break it."
        )
    yield ""
    yield from _beside(name, prepared.description.proxy, scores, others.rows)


def _cut_ties(prepared: Prepared) -> int:
    """How many rankings end in a tie that measures reach into, and that may go on among what is not listed."""
    run, board = prepared.run, prepared.board
    cut = 0
    for start, end, category in zip(run.starts, run.ends, board.sealed.categories, strict=True):
        tied = int((run.steps[start:end] == run.steps[end - 1]).sum())
        cut += tied > 1 and end - start - tied < HEAD and end - start < board.size(category)
    return cut


def _beside(name: str, proxy: str, scores: Mapping[str, Any], others: Sequence[Row]) -> Iterator[str]:
    """The nearest rows, best first."""
    known = [
        (row.name, row.description.proxy, row.scores)
        for row in others
        if {row.description.proxy, proxy} & {"none"} or row.description.proxy == proxy
    ]
    if not known:
        yield f"The first submission to this board{'' if not others else f' with {proxy} for the images'}."
        return
    every = sorted([*known, (name, proxy, scores)], key=lambda row: (-row[2]["measures"]["mean"], row[0]))
    place = next(i for i, row in enumerate(every) if row[0] == name)
    shown = every[max(0, place - NEAR) : place + NEAR + 1]
    yield table(
        [
            [
                f"{one} (this one)" if one == name else one,
                of,
                points(found["measures"]["mean"]),
                points_range(*found["intervals"]["mean"]),
            ]
            for one, of, found in shown
        ],
        ["system", "proxy", "mean", "95% interval"],
    )
    yield f"The nearest of {len(every)}. Ranks are groups of systems that tests cannot tell apart: leaderboard show."
