"""What a training takes over from the checkpoints it starts from: features, leaks, and how they were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.inputs import DEFAULT_FEATURES, features_of, words_of
from mtbench.evaluation.ready import catalogue_of
from mtbench.evaluation.record import Phases
from mtbench.models.checkpoint import OF_BELOW, check_fits
from mtbench.models.protocol import Catalogue


@dataclass(frozen=True)
class Inputs:
    """What stands for the images and texts in a training.

    Attributes:
        features: the name of the vectors.
        words: which words stand for images.
        catalogue: both, made when first asked for.
    """

    features: str
    words: str
    catalogue: Catalogue


def inputs_of(
    benchmark: Benchmark,
    features: str | None,
    words: str | None,
    below: Mapping[Path, Mapping[str, Any]],
    phases: Phases,
    *,
    progress: bool,
) -> Inputs:
    """The features and words that are asked for, else those of the first checkpoint below, else the usual ones.

    Args:
        benchmark: what is learned from.
        features, words: as for `TrainSettings`.
        below: the record of each checkpoint that a training starts from, by its folder.
        phases: for the time that it takes to make features.
        progress: show bars on stderr.

    Raises:
        MtbenchError: no such features or words, or a checkpoint that does not fit them.
    """
    inherited = next(iter(below.values()), {})
    words = words_of(benchmark, words or inherited.get("words") or None)
    name = features or inherited.get("features_name") or DEFAULT_FEATURES
    catalogue = catalogue_of(benchmark, words, lambda: features_of(benchmark, name, words, phases, progress=progress))
    for path, record in below.items():
        check_fits(path, record, benchmark, catalogue)
    return Inputs(name, words, catalogue)


def leak_with(leak: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The leak of a training with that of the checkpoints below it."""
    marked = [one for record in records for one in (record["leak"], *record["leak"]["below"]) if one["marked"]]
    flat = [{name: value for name, value in one.items() if name != "below"} for one in marked]
    return {**leak, "marked": bool(leak["marked"] or flat), "below": flat}


def below_of(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How each checkpoint below was made, followed by those below it."""
    found: list[dict[str, Any]] = []
    for record in records:
        options = {name: value for name, value in record["options"].items() if name != "seed"}
        found += [{**{name: record[name] for name in OF_BELOW}, "options": options}, *record["below"]]
    return found
