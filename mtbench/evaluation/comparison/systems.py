"""Systems: results put together by everything but the seed, under names that tell them apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtbench.core.errors import Problems
from mtbench.core.files import json_sha256
from mtbench.evaluation.comparison.comparable import Result, printable


@dataclass(frozen=True)
class System:
    """A model with its options on one proxy, and its results, one for each seed, sorted by it; one if it has none."""

    name: str
    results: tuple[Result, ...]

    @property
    def record(self) -> Mapping[str, Any]:
        """Of the first seed; what is not about the seed is the same in all."""
        return self.results[0].record

    @property
    def seeds(self) -> tuple[str, ...]:
        """Of the results; empty for a system that takes none."""
        return tuple(result.seed for result in self.results if result.seed)

    @property
    def key(self) -> str:
        """SHA-256 of what makes it this system. Its name also depends on what it is to be told apart from."""
        return _key(self.record)


def group(results: Iterable[Result]) -> tuple[list[System], list[str]]:
    """Results put together by everything but the seed, sorted by name, and notes on copies left out.

    Results of a system that takes no seed are copies of each other, whatever the seed of the evaluation.

    Raises:
        MtbenchError: two results of one system and one seed, or of none, that have different values.
    """
    problems, notes = Problems("cannot compare"), []
    found: dict[str, dict[str, Result]] = {}
    for result in results:
        seeds = found.setdefault(_key(result.record), {})
        first = seeds.setdefault(result.seed, result)
        if first is result:
            continue
        one, two = first.values.measures, result.values.measures
        if all(np.array_equal(one[name], two[name]) for name in one):
            notes.append(f"{result.folder.name} is left out: it has the values of {first.folder.name}.")
        else:
            problems.add(
                str(result.folder),
                f"the same system{' and seed' * bool(result.seed)} as {first.folder}, but other values, from another "
                "version of mtbench or of what it runs on; remove one, or evaluate again",
            )
    problems.raise_if_any()
    runs = [tuple(seeds[seed] for seed in sorted(seeds, key=lambda s: (len(s), s))) for seeds in found.values()]
    made = [System(name, run) for name, run in zip(_names([run[0].record for run in runs]), runs, strict=True)]
    return sorted(made, key=lambda system: system.name), notes


def _key(record: Mapping[str, Any]) -> str:
    return json_sha256([_readable(record), _details(record)])


def _readable(record: Mapping[str, Any]) -> dict[str, str]:
    """What tells systems of one name apart, in words that a user typed."""
    options = {name: f"{name}={value}" for name, value in sorted(record["options"].items()) if name != "seed"}
    features, proxy = record["features"], record["proxy"]
    return {
        **options,
        "features": "" if features is None else f"features {features['name']}",
        "proxy": "" if proxy == "none" else f"proxy {proxy}",
        **_learned_from(record),
        "model": str(record["model"]),
    }


def _learned_from(record: Mapping[str, Any]) -> dict[str, str]:
    """How the checkpoints of a result were made: what they learned from, and what lies below, its options too."""
    found: dict[str, str] = {}
    place = 0
    for row in _rows(record.get("trained")):
        # A checkpoint that is evaluated by itself is the system, whose options are told already.
        own = row.get("model") == record["model"]
        for below in [*([] if own else [row]), *_rows(row.get("below"))]:
            place, model = place + 1, str(below.get("model"))
            options = below["options"] if isinstance(below.get("options"), dict) else {}
            told = {name: f"{model} {name}={value}" for name, value in sorted(options.items()) if name != "seed"}
            if below.get("pairs"):
                told["pairs"] = f"{model} pairs {below['pairs']}"
            found |= {f"{place}": "", **{f"{place} {name}": text for name, text in told.items()}}
        if own and row.get("pairs"):
            found["pairs"] = f"pairs {row['pairs']}"
    return {**found, **({"leak": "LEAK"} if has_leak(record) else {})}


def has_leak(record: Mapping[str, Any]) -> bool:
    """Whether a result comes from a checkpoint that learned from what leaks into the test part."""
    leaks = [row.get("leak") for row in _rows(record.get("trained"))]
    return any(isinstance(leak, dict) and bool(leak.get("marked")) for leak in leaks)


def stopped_early(record: Mapping[str, Any]) -> bool:
    """Whether a training that a result rests on, or one below it, did not come to its end."""
    trained = _rows(record.get("trained"))
    every = [*trained, *(below for row in trained for below in _rows(row.get("below")))]
    return any(row.get("status", "complete") != "complete" for row in every)


def unlearned(record: Mapping[str, Any]) -> list[str]:
    """The phases of the trainings that a result rests on in which no epoch did better on dev than the start."""
    chosen = [row.get("chosen_on_dev") for row in _rows(record.get("trained"))]
    phases = [item for found in chosen if isinstance(found, dict) for item in found.items()]
    return [printable(name) for name, phase in phases if isinstance(phase, dict) and phase.get("best_epoch") == 0]


def _rows(value: object) -> list[dict[str, Any]]:
    """The rows of a list, whatever else stands in its place."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _details(record: Mapping[str, Any]) -> dict[str, str]:
    """What else does: hashes, for systems that the words do not tell apart."""
    found = {"source": record["source_sha256"]}
    found |= {f"content of {name}": sha256 for name, sha256 in sorted(record["option_files"].items())}
    if record["features"] is not None:
        found["features key"] = record["features"]["key"]
    if record["proxy"] != "none":
        found |= {"words": record["words"], "images' words": json_sha256(record["proxies"])}
    return {name: f"{name} {str(value)[: 20 if name == 'words' else 8]}" for name, value in found.items()}


def _names(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The name of each model, and whatever tells it from others of that name: hashes only where words do not."""
    short = [printable(record["model"].rpartition(":")[2]) + " LEAK" * has_leak(record) for record in records]
    names, words = list(short), [list[str]() for _ in records]
    for about in (_readable, _details):
        for name in {name for name in names if names.count(name) > 1}:
            told = {row: about(records[row]) for row, other in enumerate(names) if other == name}
            keys = dict.fromkeys(key for found in told.values() for key in found)
            apart = _needed(list(told.values()), list(keys))
            for row, found in told.items():
                words[row] += [printable(found[key]) for key in apart if found.get(key)]
        names = [f"{start} ({', '.join(more)})" if more else start for start, more in zip(short, words, strict=True)]
    return names


def _needed(told: Sequence[Mapping[str, str]], keys: Sequence[str]) -> list[str]:
    """Of what differs, the first things that tell apart all that can be told apart: no more words than that.

    But always what stood for the images, because scores of two proxies are not of one kind.
    """

    def parts(names: Sequence[str]) -> int:
        return len({tuple(found.get(name) for name in names) for found in told})

    kept: list[str] = []
    for key in keys:
        if parts([*kept, key]) > parts(kept) or (key == "proxy" and parts([key]) > 1):
            kept.append(key)
    return kept
