"""A description completed from evaluation results: what ``result.json`` tells need not be typed again.

The first result is the one that is submitted. Others, of other seeds of the same system, give stated scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.leaderboard.board import MEASURES, PROXIES, Board

Record = Mapping[str, Any]

_OWN_FIELDS = ("seed", "parts", "combiner")
"""Options that the description tells elsewhere, or that are paths of one machine."""
_RENAMED = {"user features": "features"}


def completed(meta: Mapping[str, Any], folders: Sequence[Path], board: Board) -> tuple[dict[str, Any], list[str]]:
    """``meta`` with what it leaves out and the results tell, and the names of the fields that were added.

    Args:
        meta: the description so far; what it says stands.
        folders: result folders, the submitted one first.
        board: the one to submit to.

    Raises:
        MtbenchError: no result, one of another revision, gallery or split, an unfinished one, another system than the
            first, or a description that contradicts it: all problems at once.
    """
    from mtbench.evaluation.comparison.comparable import read_results
    from mtbench.evaluation.comparison.systems import group

    if inside := [folder for folder in folders if not (folder / "result.json").is_file()]:
        raise MtbenchError(
            f"{', '.join(map(str, inside))}: no result.json in it. --run takes a file of rankings, or the folder of "
            "one result, such as BENCHMARK/results/MODEL-1a2b3c4d"
        )
    results, _ = read_results(folders, verb="submit")
    wrong = [f"{one.folder}: {what}" for one in results for what in _elsewhere(one.record, board)]
    systems, _ = group(results)
    if len(systems) > 1:
        wrong.append(
            f"these are {len(systems)} systems ({', '.join(system.name for system in systems)}), and one submission "
            "is one system: results may differ in the seed alone"
        )
    if len(folders) > 1 and board.benchmark["part"] != "all":
        wrong.append(
            f"{board.name} ranks the {board.benchmark['part']} part, and the scores of other seeds are of all "
            "transactions: give one --run"
        )
    try:
        told = {} if wrong else _told(results[0].record, [one.record for one in results[1:]], board)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise MtbenchError(
            f"{folders[0] / 'result.json'} is not as mtbench evaluate writes it: evaluate again"
        ) from error
    if "proxy" in told and meta.get("proxy", told["proxy"]) != told["proxy"]:
        wrong.append(f"the description says proxy {ascii(meta['proxy'])[:40]}, but the result is of {told['proxy']}")
    if wrong:
        raise MtbenchError("\n  ".join(["cannot submit this result:", *wrong]) if len(wrong) > 1 else wrong[0])
    added = [name for name in told if name not in meta]
    return {**meta, **{name: told[name] for name in added}}, added


def _elsewhere(record: Record, board: Board) -> list[str]:
    """What keeps a result off a board: it is about something else."""
    about, revision = board.benchmark, record["revision"]
    if revision != about["revision"]:
        build = f"; it is made by: {about['build']}" if about["build"] else ""
        return [
            f"is of {record['benchmark']}, revision {revision[:12]}, but {board.name}, version {board.version}, ranks "
            f"{about['name']}, revision {about['revision'][:12]}: evaluate on that one{build}"
        ]
    if record["split"] != about["split"]:
        return [f"is on {record['split']}, but the board ranks {about['split']}"]
    found = {g["category"]: g["sha256"] for g in record["galleries"]}
    return [
        f"the gallery {g['category']} is not the board's ({g['sha256'][:12]}, {g['images']:,} images): evaluate again"
        for g in board.galleries
        if found.get(g["category"]) != g["sha256"]
    ]


def _told(record: Record, others: Sequence[Record], board: Board) -> dict[str, Any]:
    """The fields of a description that a result knows."""
    proxy = _RENAMED.get(record["proxy"], record["proxy"])
    options = {
        name: str(value)
        for name, value in record["options"].items()
        if value not in (None, "") and name not in _OWN_FIELDS and name not in record["option_files"]
    }
    studies = record.get("studies", {})
    whole = board.benchmark["part"] == "all"
    found: dict[str, Any] = {
        "proxy": proxy if proxy in PROXIES else None,
        "features": (record["features"] or {}).get("name"),
        "options": options,
        "seed": record["options"].get("seed"),
        "training": training_of(record, board),
        "milliseconds": _rounded(studies.get("latency", {}).get("ms_per_transaction"), 3),
        "history": _history(studies.get("history-robustness", {}).get("rows", ())) if whole else {},
        "seeds": [_stated(one) for one in others],
    }
    return {name: value for name, value in found.items() if value not in (None, "", {}, [])}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _stated(record: Record) -> dict[str, Any]:
    """The scores of another seed, as its result states them."""
    return {
        "seed": record["options"]["seed"],
        "measures": {name: round(value, 6) for name, value in record["measures"].items() if name in MEASURES},
        "intervals": {
            name: [round(low, 6), round(high, 6)]
            for name, (low, high) in record["intervals"].items()
            if name in MEASURES
        },
    }


def training_of(record: Record, board: Board) -> list[dict[str, str]]:
    """What it learned from, and the dev part, which whatever was trained or fitted was chosen on.

    Args:
        record: of a result, or what was kept of one: ``trained``, ``chosen_on_dev``, ``model``.
        board: knows which of its parts leak.
    """
    given = {row.data: row.leaks for row in board.training}
    dev = [{"data": "dev", "leaks": "allowed" if given["dev"] else "none"}] if "dev" in given else []
    trained = record.get("trained", ())
    if trained:
        leaks = [row["leak"] for row in trained]
        told = "allowed" if any(leak["marked"] for leak in leaks) else _left_out(leaks)
        if not given.get("train") and told == "allowed":
            told = "none"  # of the clean part nothing is known
        below = [row for one in trained for row in (one, *one["below"])]
        more = sorted({row["pairs"] for row in below} - {""})
        # Of pairs from elsewhere, training leaves out whatever leaks, unless it is told to allow it.
        kept = "allowed" if told == "allowed" else "dropped"
        return [{"data": "train", "leaks": told}, *({"data": f"{name} pairs", "leaks": kept} for name in more), *dev]
    if not record.get("chosen_on_dev") and "fit" not in record.get("seconds", {}):
        return []
    train = [{"data": "train", "leaks": "allowed" if given["train"] else "none"}] if "train" in given else []
    return [*train, *dev]


def _left_out(leaks: Sequence[Mapping[str, Any]]) -> str:
    return "dropped" if any(leak["dropped"] for leak in leaks) else "none"


def _history(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The mean of R@5 and R@8 by how many last turns were shown, at most: over all transactions, pooled.

    A transaction that has fewer turns shows all of its own.
    """
    means: dict[tuple[int, int], float] = {}
    sizes: dict[int, int] = {}
    for row in rows:
        if isinstance(row["turns"], int) and row["variant"] in ("model", "only final turn"):
            means[row["turns"], row["last"]] = row["mean"]
            sizes[row["turns"]] = row["n"]
    total = sum(sizes.values())
    return {
        str(k): round(sum(n * means[turns, min(k, turns)] for turns, n in sizes.items()) / total, 6)
        for k in range(1, max(sizes, default=0) + 1)
    }
