"""What a page is made of: results of one revision and split, with short names, and the benchmark they lie in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.core.types import SPLITS
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.comparison.comparable import Result, printable, read_results
from mtbench.evaluation.comparison.systems import has_leak
from mtbench.evaluation.leak_picture import names_of
from mtbench.evaluation.pictures import PALETTE
from mtbench.report.blocks import Key
from mtbench.report.shape import check_record

Row = Mapping[str, Any]
PARTS = ("all", "clean", "leaked")
_UP = 3

NAME = 80
"""Letters of a name."""


@dataclass(frozen=True)
class Gathered:
    """Results side by side, the best first.

    Attributes:
        results: as read, checked.
        names: of each, short and all different, safe to print.
        benchmark: what they are of; None where it is not at hand.
        notes: on results left out.
    """

    results: Sequence[Result]
    names: Sequence[str]
    benchmark: Benchmark | None
    notes: Sequence[str]

    @property
    def first(self) -> Mapping[str, Any]:
        """The record that stands for what all have in common."""
        return self.results[0].record

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """Of all results."""
        return [result.record for result in self.results]

    @property
    def drawn(self) -> int:
        """So many results have a colour; others are in the tables alone."""
        return min(len(self.results), len(PALETTE))

    @property
    def keys(self) -> list[Key]:
        """What the colours stand for."""
        return [Key(name, number) for number, name in enumerate(self.names[: self.drawn])]

    def parts(self, study: str) -> list[str]:
        """``all``, and ``clean`` and ``leaked`` where the study was run on them."""
        found = [record["studies"].get(study, {}) for record in self.records]
        return [part for part in PARTS if part == "all" or any(part in of for of in found)]

    def rows(self, study: str, part: str = "all") -> list[list[Mapping[str, Any]]]:
        """The rows of a study by result; none where it was not run."""
        found = []
        for record in self.records:
            of = record["studies"].get(study, {})
            found.append((of if part == "all" else of.get(part, {})).get("rows", []))
        return found

    def has(self, study: str) -> bool:
        """Whether any result has rows of it."""
        return any(self.rows(study))


def gather(paths: Sequence[Path], benchmark: Path | None = None, *, split: str | None = None) -> Gathered:
    """Read results and the benchmark they are of.

    Args:
        paths: result folders, or folders that hold them.
        benchmark: its folder; by default the one that the results lie in, if they do.
        split: leave out results on other parts.

    Raises:
        MtbenchError: results that cannot stand side by side, that are damaged, or of another benchmark.
    """
    results, notes = read_results(paths, split=split, limited=True, verb="report")
    for result in results:
        check_record(result.record, result.folder)
    results.sort(key=lambda result: (-result.record["measures"]["mean"], result.record["model"], result.record["key"]))
    names = [
        (cut(printable(name), NAME) or "(no name)") + " LEAK" * has_leak(result.record)
        for name, result in zip(names_of([result.record for result in results]), results, strict=True)
    ]
    return Gathered(results, names, _benchmark(results, benchmark), [*notes])


def cut(text: str, letters: int) -> str:
    """Text that has room on the page."""
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _benchmark(results: Sequence[Result], asked: Path | None) -> Benchmark | None:
    record = results[0].record
    if asked is None:
        places = [place for place in results[0].folder.resolve().parents[:_UP] if (place / "benchmark.json").is_file()]
        if not places:
            return None
    found = Benchmark(asked if asked is not None else places[0])
    if found.revision != record["revision"]:
        raise MtbenchError(
            f"{found.path} has revision {found.revision[:12]}, and the results are of "
            f"{printable(record['revision'][:12])}; give their benchmark as --benchmark DIR, or evaluate again"
        )
    if record["split"] not in SPLITS:
        raise MtbenchError(f"{results[0].folder}: {printable(record['split'])} is no split of a benchmark")
    return found


def by_turns(record: Row) -> list[tuple[str, Row]]:
    """What a result says of each number of turns, ascending."""
    return sorted(record["by_turns"].items(), key=lambda item: int(item[0]))
