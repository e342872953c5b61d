"""Results that may be compared: read with suspicion, and all of one task.

Results come from other people and other days, so nothing in them is taken for granted: every folder is checked, and
every problem is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError, Problems, unknown
from mtbench.evaluation.measures import macro
from mtbench.evaluation.results import Values, read_result, read_values

MEASURES = {"mean": ("R@5", "R@8"), "R@5": ("R@5",), "R@8": ("R@8",), "MRR": ()}
"""What systems are compared on, all means in 0..1; for each the R@K that tell of it hit by hit."""

_TEXTS = ("model", "status", "benchmark", "revision", "split", "proxy", "words", "mtbench")
_HASHES = ("source_sha256", "library_sha256")
_MAPPINGS = ("options", "option_files", "proxies", "measures")


@dataclass(frozen=True)
class Result:
    """One result folder: its record, and the values of some measures for each transaction."""

    folder: Path
    record: Mapping[str, Any]
    values: Values

    @property
    def seed(self) -> str:
        """Of the model; empty where it takes none: the seed of the evaluation draws nothing that is compared."""
        return str(self.record["options"].get("seed", ""))


def read_results(
    paths: Sequence[Path],
    *,
    measure: str = "mean",
    split: str | None = None,
    limited: bool = False,
    verb: str = "compare",
) -> tuple[list[Result], list[str]]:
    """The results in some folders, all of one task, and notes on what was left out.

    Args:
        paths: result folders, or folders that hold them. In the latter, limited results are left out.
        measure: what to compare on, one of `MEASURES`.
        split: leave out results on other parts; None leaves out none.
        limited: take a limited result too, where its own folder is given.
        verb: what cannot be done with the results, in an error.

    Raises:
        MtbenchError: no such measure; folders without a result, damaged or limited ones, results of different
            revisions, splits, galleries or transactions, all problems at once.
    """
    if measure not in MEASURES:
        raise unknown("measure to compare", measure, MEASURES)
    problems, results, notes = Problems(f"cannot {verb}"), [], []
    named = {path.resolve() for path in paths}
    for folder in _folders(paths, problems):
        try:
            result = _read(folder, measure)
        except MtbenchError as error:
            problems.add(str(folder), str(error).removeprefix(f"{folder}: "))
            continue
        if split is not None and result.record["split"] != split:
            notes.append(f"{folder.name} is left out: it is on {printable(result.record['split'])}.")
        elif result.record["status"] == "complete" or (limited and folder.resolve() in named):
            results.append(result)
        elif folder.resolve() in named:
            problems.add(str(folder), f"{_limited(result)}; evaluate without --limit")
        else:
            notes.append(f"{folder.name} is left out: {_limited(result)}.")
    for result in results[1:]:
        for what in _differences(results[0], result):
            problems.add(str(result.folder), f"{what} {results[0].folder}")
    problems.raise_if_any()
    if not results:
        raise MtbenchError("\n  ".join([f"nothing to {verb}:", *notes]))
    return results, notes


def _folders(paths: Sequence[Path], problems: Problems) -> list[Path]:
    """Result folders among ``paths`` and in them, each once."""
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            problems.add(str(path), "give the folder of a result" if path.exists() else "there is no such folder")
            continue
        inside = sorted(file.parent for file in path.glob("[!.]*/result.json"))
        if not ((path / "result.json").is_file() or inside):
            problems.add(str(path), "no result.json in it, nor in a folder in it; mtbench evaluate writes them")
        for folder in [path] if (path / "result.json").is_file() else inside:
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _read(folder: Path, measure: str) -> Result:
    record = read_result(folder)
    if record is None:
        raise MtbenchError("a result of another version of mtbench; remove the folder and evaluate again")
    wrong = [name for name in (*_TEXTS, *_HASHES) if not isinstance(record.get(name), str)]
    wrong += [name for name in _MAPPINGS if not isinstance(record.get(name), dict)]
    wrong += ["seed"] * (type(record.get("seed")) is not int)
    features, galleries = record.get("features"), record.get("galleries")
    if not (features is None or (isinstance(features, dict) and {"name", "key"} <= set(features))):
        wrong.append("features")
    if not (
        isinstance(galleries, list) and all(isinstance(g, dict) and {"category", "sha256"} <= set(g) for g in galleries)
    ):
        wrong.append("galleries")
    if wrong:
        raise MtbenchError(
            f"result.json has no {', '.join(sorted(wrong))} as a result has it; remove the folder and evaluate again"
        )
    result = Result(folder, record, read_values(folder, sorted({measure, *MEASURES[measure]})))
    for name, values in result.values.measures.items():
        stated = record["measures"].get(name)
        if not isinstance(stated, (int, float)) or not ((values >= 0) & (values <= 1)).all():
            raise MtbenchError(f"{name} is no share between 0 and 1; remove the folder and evaluate again")
        if not abs(macro(name, values, list(result.values.categories)) - stated) < 1e-9:
            raise MtbenchError(
                f"result.json and transactions.parquet disagree on {name}; remove the folder and evaluate again"
            )
    return result


def _limited(result: Result) -> str:
    n = len(result.values.ids)
    return f"it ranked only the first {n:,} transaction{'s' * (n > 1)} (status {printable(result.record['status'])})"


def _differences(first: Result, other: Result) -> list[str]:
    """What keeps two results from being compared, each to be followed by the folder of the first."""
    one, two = first.record, other.record
    wrong = []
    if one["revision"] != two["revision"]:
        names = [f"{printable(r['benchmark'])} revision {printable(r['revision'][:12])}" for r in (two, one)]
        wrong.append(f"{names[0]}, not {names[1]} as")
    if one["split"] != two["split"]:
        wrong.append(f"on {printable(two['split'])}, not on {printable(one['split'])} (--split chooses) as")
    if wrong:
        return wrong
    if _galleries(one) != _galleries(two):
        return ["ranks another gallery than"]
    same = [np.array_equal(getattr(first.values, name), getattr(other.values, name)) for name in _ABOUT]
    return (
        [] if all(same) else [f"{len(other.values.ids):,} transactions, which are not the {len(first.values.ids):,} of"]
    )


_ABOUT = ("ids", "categories", "clusters", "turns")


def _galleries(record: Mapping[str, Any]) -> dict[str, str]:
    return {str(gallery["category"]): str(gallery["sha256"]) for gallery in record["galleries"]}


def printable(text: str) -> str:
    """Text from a file, safe to print."""
    return text if text.isprintable() else ascii(text)
