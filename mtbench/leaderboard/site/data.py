"""The boards for programs, and for the site's own scripts.

A page that is opened from disk may not fetch, so that data comes as scripts too, which hold one assignment of JSON in
ASCII and nothing else.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mtbench.data.benchmark import Benchmark
from mtbench.leaderboard.board import Board
from mtbench.leaderboard.recompute import HEADLINE
from mtbench.leaderboard.removed import read_removed
from mtbench.leaderboard.standings import Placed, Row, Standings

FIRST = 5
"""Images of each ranking that the site shows."""
_ARRAYS = ("above", "tied")


def text_of(value: Any) -> str:
    """JSON for people to download."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def script(target: str, value: Any) -> str:
    """A script that assigns JSON."""
    return f"{target} = {json.dumps(value, separators=(',', ':'), allow_nan=False)};\n"


def ranks(row: Row) -> list[float]:
    """The expected rank of each target; 0 where it is not listed."""
    found = []
    for above, tied in zip(row.scores["above"], row.scores["tied"], strict=True):
        rank = above + (tied + 1) / 2 if tied else 0
        found.append(int(rank) if rank == int(rank) else rank)
    return found


COUNTED = (1, 5, 8, 10)


def found(row: Row) -> list[float]:
    """How many targets are expected among the first of `COUNTED`; ties count in part."""
    return [round(float(row.values(f"R@{first}").sum()), 3) for first in COUNTED]


def eight(row: Row) -> list[float]:
    """Of each target, the expected share of it among the first eight: between 0 and 1 where a tie reaches over."""
    return [int(share) if share in (0, 1) else round(share, 3) for share in row.values("R@8").tolist()]


def shared(standings: Standings) -> dict[str, Any]:
    """What all pages of a board need: its transactions, its systems, and the ranks of each target."""
    sealed = standings.board.sealed
    kinds = sorted(set(sealed.categories))
    at = {row.name: i for i, row in enumerate(standings.rows)}
    return {
        "ids": list(sealed.ids),
        "categories": kinds,
        "category": [kinds.index(kind) for kind in sealed.categories],
        "turns": sealed.turns.tolist(),
        "leaks": (~sealed.clean).astype(int).tolist(),
        "depth": standings.board.depth,
        "counted": COUNTED,
        "systems": [
            {
                **{"name": row.name, "title": row.description.title, "proxy": row.description.proxy, "mean": row.mean},
                **{"interval": row.scores["intervals"][HEADLINE], "page": f"{row.name}.html"},
                **{"data": f"data/{row.name}.js", "ranks": ranks(row), "found": found(row), "eight": eight(row)},
            }
            for row in standings.rows
        ],
        "tables": [
            {
                "proxy": table.proxy,
                "rows": [
                    {"system": at[p.row.name], "rank": p.rank, "alike": [at[name] for name in p.not_told_from]}
                    for p in table.rows
                ],
            }
            for table in standings.tables
        ],
    }


def heads(row: Row) -> dict[str, Any]:
    """The first images of each ranking, as numbers into a list of ids."""
    found = row.heads(FIRST)
    images = sorted({image for head in found for image in head})
    number = {image: i for i, image in enumerate(images)}
    return {"images": images, "heads": [[number[image] for image in head] for head in found]}


def texts(board: Board, benchmark: Benchmark) -> list[dict[str, Any]]:
    """The turns and the target of each transaction, in the order of the board."""
    joiner = str(board.protocol.get("joiner", " and "))
    known = {t.transaction_id: t for t in benchmark.transactions("test")}
    return [
        {"turns": [[turn.reference, joiner.join(turn.feedback)] for turn in t.turns], "target": t.target}
        for t in (known[name] for name in board.sealed.ids)
    ]


def submission_json(row: Row, placed: Mapping[str, Placed]) -> dict[str, Any]:
    """Everything about a submission: words, scores, ranks; ``placed`` by proxy."""
    return {
        "board": row.board.name,
        "version": row.board.version,
        "revision": row.board.benchmark["revision"],
        "description": row.description.to_toml(),
        "training": row.contamination,
        "standings": {
            proxy: {"best": p.best, "worst": p.worst, "not_told_from": list(p.not_told_from)}
            for proxy, p in placed.items()
        },
        "scores": dict(row.scores),
    }


def board_json(standings: Standings) -> dict[str, Any]:
    """A whole board, but for what `submission_json` has of each transaction."""
    board = standings.board
    return {
        "name": board.name,
        "title": board.title,
        "about": board.about,
        "version": board.version,
        "benchmark": dict(board.benchmark),
        "protocol": dict(board.protocol),
        "galleries": [dict(gallery) for gallery in board.galleries],
        "leaks_allowed": board.leaks_allowed,
        "measures": list(board.measures),
        "training": [{"data": k.data, "leaks": k.leaks, "of": k.of} for k in board.training],
        "transactions": list(board.sealed.ids),
        "clusters": board.sealed.n_clusters,
        "tables": {
            table.proxy: [
                {
                    **{"name": p.row.name, "title": p.row.description.title, "best": p.best, "worst": p.worst},
                    **{"training": p.row.contamination, "date": p.row.description.date},
                    "scores": {key: value for key, value in p.row.scores.items() if key not in _ARRAYS},
                }
                for p in table.rows
            ]
            for table in standings.tables
        },
        "quoted": [
            {**{"system": q.system, "source": q.source, "proxy": q.proxy, "why": q.why}, "measures": dict(q.measures)}
            for q in board.quoted
        ],
        "removed": [{"name": one.name, "date": one.date, "reason": one.reason} for one in read_removed(board).values()],
    }


def board_csv(standings: Standings) -> str:
    """The standings as a table, a line for each system of each proxy; shares in 0..1."""
    board = standings.board
    parts = [part for part in ("clean", "leaked") if any(part in row.scores for row in standings.rows)]
    measures = [(name, end) for name in board.measures for end in ("", " low", " high")]
    header = [
        *("board", "version", "proxy", "best rank", "worst rank", "name", "title", "authors"),
        *(f"{name}{end}" for name, end in measures),
        *(f"{part} mean{end}" for part in parts for end in ("", " low", " high")),
        *("own references excluded mean", "parameters", "milliseconds", "training", "variant of", "date"),
    ]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    for table in standings.tables:
        for p in table.rows:
            row, told = p.row, p.row.description
            writer.writerow(
                [
                    *(board.name, board.version, table.proxy, p.best, p.worst, row.name),
                    *(_plain(told.title), _plain(", ".join(told.authors))),
                    *(value for name in board.measures for value in _ends(row.scores, name)),
                    *(value for part in parts for value in _ends(row.scores.get(part), HEADLINE)),
                    row.scores["own_references_excluded"].get(HEADLINE, ""),
                    *("" if value is None else value for value in (told.parameters, told.milliseconds)),
                    *(row.contamination, told.variant_of, told.date),
                ]
            )
    return stream.getvalue()


def _ends(part: Mapping[str, Any] | None, name: str) -> Sequence[Any]:
    return ("", "", "") if part is None else (part["measures"][name], *part["intervals"][name])


def _plain(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def quoted(name: str) -> str:
    """A name as a script has it."""
    return json.dumps(name)
