"""How the results were made, and what to type to make them and the page again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from mtbench.core.registry import EVALUATORS
from mtbench.evaluation.comparison.comparable import Result, printable
from mtbench.report.blocks import Commands, Section, Table
from mtbench.report.gather import Gathered, Row
from mtbench.report.tables import NONE, plain

_FACTS: Mapping[str, Callable[[Row], str]] = {
    "model": lambda r: plain(r["model"]),
    "status": lambda r: plain(r["status"]) + (f", the first {r['limit']:,}" if r.get("limit") else ""),
    "seed": lambda r: str(r["seed"]),
    "options": lambda r: _pairs(r["options"]),
    "chosen on dev": lambda r: _pairs(r.get("chosen_on_dev", {})),
    "words": lambda r: plain(r["words"]),
    "features": lambda r: _features(r),
    "clean of": lambda r: plain(r.get("clean_kind", NONE)),
    "mtbench": lambda r: plain(r["mtbench"]),
    "commit": lambda r: _commit(r),
    "python": lambda r: plain(r["environment"]["python"]),
    "packages": lambda r: plain(", ".join(f"{k} {v}" for k, v in r["environment"]["packages"].items())),
    "key": lambda r: plain(r["key"])[:16],
}


def made(found: Gathered) -> Section:
    """Versions, commit, options and keys of each result; commands."""
    rows = [["folder", *(plain(result.folder.name) for result in found.results)]]
    rows += [[name, *(fact(record) for record in found.records)] for name, fact in _FACTS.items()]
    table = Table(
        f"Results on revision {printable(found.first['revision'])}",
        ["", *found.names],
        rows,
        [False] * (1 + len(rows[0])),
        wrapped=True,
    )
    galleries = Table(
        "Galleries",
        ["category", "images", "SHA-256"],
        [[plain(g["category"]), f"{g['images']:,}", plain(g["sha256"])] for g in found.first["galleries"]],
        [False, True, False],
        folded=True,
    )
    return Section("made", "How it was made", [table, galleries, Commands("\n".join(_commands(found)))])


def _commands(found: Gathered) -> list[str]:
    folder = found.benchmark.path.resolve().name if found.benchmark else "BENCHMARK"
    lines = []
    if found.benchmark and isinstance(builder := found.benchmark.manifest.get("builder"), str):
        lines += [
            "# the benchmark, with the options that its benchmark.json names",
            f"mtbench build {_quote(builder)} --raw RAW --out {_quote(folder)}",
        ]
    models: dict[tuple[str, ...], list[str]] = {}
    for record in found.records:
        models.setdefault(tuple(_settings(record)), []).append(record["model"])
    for settings, names in models.items():
        lines.append(" ".join(map(_quote, ["mtbench", "evaluate", *names, "--benchmark", folder, *settings])))
    results = [_quote(_place(found, result)) for result in found.results]
    if len(results) > 1:
        lines.append(" ".join(["mtbench compare", *results]))
    lines.append(" ".join(["mtbench report", *results, "--out report.html"]))
    return lines


def _place(found: Gathered, result: Result) -> str:
    if found.benchmark and result.folder.resolve().is_relative_to(home := found.benchmark.path.resolve()):
        return f"{home.name}/{result.folder.resolve().relative_to(home).as_posix()}"
    return result.folder.name


def _settings(record: Row) -> list[str]:
    """What was typed after the model and the benchmark."""
    words = ["--split", record["split"]] if record["split"] != "test" else []
    asked = [name for name in record["evaluators"] if name != "recall"]
    if len(asked) > 1 and {*EVALUATORS.names()} <= {"recall", *asked}:
        asked = ["all", *(name for name in asked if name not in EVALUATORS.names())]
    for name in asked:
        words += ["--evaluator", name]
    if record["seed"]:
        words += ["--seed", str(record["seed"])]
    if record.get("limit"):
        words += ["--limit", str(record["limit"])]
    if record.get("clean_kind", "edge") != "edge":
        words += ["--clean", record["clean_kind"]]
    features = record.get("features")
    if isinstance(features, Mapping) and isinstance(name := features.get("name"), str) and not name.startswith("tfidf"):
        words += ["--features", name]
    for name, value in record["options"].items():
        if not (name == "seed" and value == record["seed"]):
            words += ["--set", f"{name}={value}"]
    return words


def _quote(word: str) -> str:
    return shlex.quote(printable(word))


def _pairs(values: Mapping[str, Any]) -> str:
    return plain(", ".join(f"{name}={_value(value)}" for name, value in values.items())) or NONE


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _features(record: Row) -> str:
    found = record.get("features")
    return plain(found.get("name")) if isinstance(found, Mapping) else NONE


def _commit(record: Row) -> str:
    git = record["environment"]["git"]
    if not isinstance(git, Mapping):
        return NONE
    return plain(str(git.get("commit", ""))[:12]) + (" with changes" if git.get("dirty") else "")
