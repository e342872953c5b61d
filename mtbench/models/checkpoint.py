"""A trained model on disk: ``checkpoint.json`` and ``weights.safetensors``. It is data: opening one runs no code of it.

``checkpoint.json`` says which registered model it is, with which options, and what it was trained on: the revision of
the benchmark, the features, the seed, what of its training data leaks, the scores of every epoch, the versions and the
commit. The weights must have the hash that it names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_folder, file_sha256, write_json
from mtbench.core.options import construct
from mtbench.core.registry import MODELS
from mtbench.data.benchmark import Benchmark
from mtbench.features.needs import need
from mtbench.models.protocol import Catalogue

if TYPE_CHECKING:
    from mtbench.models.learning.learned import Learned

M = TypeVar("M")

SCHEMA_VERSION = 1
"""Raised when a field of a checkpoint changes its meaning."""

OF_A_LEAK: Mapping[str, type] = {"kind": str, "marked": bool, "known": int, "of": int, "dropped": int}
"""Fields of ``leak``, and of each of those below it."""

OF_BELOW: Mapping[str, type] = {
    **{"model": str, "options": dict, "preset": str, "pairs": str, "status": str, "weights_sha256": str, "seed": int},
}
"""Fields of each of ``below``: the trainings it starts from, and theirs."""

RECORD, WEIGHTS = "checkpoint.json", "weights.safetensors"

LARGEST_RECORD, LARGEST_WEIGHTS = 32 << 20, 8 << 30
"""Bytes that are read at most: a checkpoint may come from anybody."""

LARGEST_DEPTH = 32
"""Lists and dictionaries in each other: more of them is no record, and would end the programs that read it."""

NEEDED: Mapping[str, type] = {
    **{"schema_version": int, "model": str, "options": dict, "inputs": dict, "weights_sha256": str, "key": str},
    **{"status": str, "preset": str, "pairs": str, "benchmark": str, "revision": str, "split": str, "words": str},
    **{"features_name": str, "features": dict, "features.name": str, "features.proxy": str, "features.key": str},
    **{"features.dim": int, "seed": int, "chosen_on_dev": dict, "leak": dict, "leak.below": list, "below": list},
}
"""Fields without which a checkpoint cannot be used, with their types; ``features.key`` is ``key`` of ``features``."""


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint: the model with its weights, and the record of its training."""

    path: Path
    model: Learned
    record: Mapping[str, Any]


def is_checkpoint(path: str | Path) -> bool:
    """Whether a folder holds a checkpoint."""
    return (Path(path) / RECORD).is_file()


def write_checkpoint(path: Path, model: Learned, record: Mapping[str, Any]) -> None:
    """Write a trained model, whole or not at all."""
    from mtbench.models.learning.tensors import write_tensors

    assert model.net is not None
    with atomic_folder(path, replaces=RECORD) as temporary:
        write_tensors(temporary / WEIGHTS, model.net.state_dict())
        weights = {"weights_sha256": file_sha256(temporary / WEIGHTS)}
        write_json(temporary / RECORD, {"schema_version": SCHEMA_VERSION, **record, **weights})


def read_record(path: Path) -> dict[str, Any]:
    """What a checkpoint says of itself.

    Raises:
        MtbenchError: there is none, it is damaged, or of another schema.
    """
    file = path / RECORD
    if not file.is_file():
        raise MtbenchError(f"{path} is no checkpoint: it has no {RECORD}. Make one: mtbench train --help")
    try:
        if file.stat().st_size > LARGEST_RECORD:
            raise ValueError(f"it is larger than {LARGEST_RECORD >> 20} MiB")
        record = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_number)
        if not isinstance(record, dict):
            raise ValueError("it is no record")
        version = record.get("schema_version")
        if type(version) is int and version != SCHEMA_VERSION:
            raise MtbenchError(f"{file} has schema version {version}; this mtbench reads {SCHEMA_VERSION}")
        _check_depth(record)
        wrong = [name for name, kind in NEEDED.items() if type(_field(record, name)) is not kind]
        if not wrong and not all(_has(OF_A_LEAK, leak) for leak in (record["leak"], *record["leak"]["below"])):
            wrong = ["leak"]
        if not wrong and not all(_has(OF_BELOW, row) for row in record["below"]):
            wrong = ["below"]
        if wrong:
            raise ValueError(f"no {', '.join(wrong)} as it should be")
    except (OSError, ValueError, RecursionError) as error:
        raise MtbenchError(f"{file} is damaged: {error}. Train again, or download it again") from error
    return record


def whole_record(path: Path) -> dict[str, Any] | None:
    """What a checkpoint says of itself; None where it is not there, damaged, or without the weights it describes."""
    try:
        record = read_record(path)
    except MtbenchError:
        return None
    weights = path / WEIGHTS
    return record if weights.is_file() and file_sha256(weights) == record["weights_sha256"] else None


def model_of(path: Path, kind: type[M], name: str, *, device: object = "auto") -> M:
    """The model of a checkpoint, where it must be one of a kind, which is registered as ``name``.

    Raises:
        MtbenchError: as `open_checkpoint`, or it is another model.
    """
    found = open_checkpoint(path, device=device).model
    if not isinstance(found, kind):
        raise MtbenchError(f"{path} holds a {type(found).__name__}, no {name}. Make one: mtbench train {name}")
    return found


def open_checkpoint(path: Path, *, device: object = "auto") -> Checkpoint:
    """The model of a checkpoint, ready to rank.

    Only registered models are made: a file or module that the record names is not imported.

    Raises:
        MtbenchError: damaged, of a model that is not registered, or weights that do not fit its options.
    """
    record = read_record(path)
    for package in ("torch", "safetensors"):
        need(package, extra="neural")
    from mtbench.models.learning.tensors import read_tensors

    name: str = record["model"]
    if name not in MODELS.names():
        raise MtbenchError(
            f"{path / RECORD} is of the model {name!r}, which is not registered here, and code that a checkpoint names "
            "is not run. Install the package that registers it"
        )
    weights = path / WEIGHTS
    if not weights.is_file():
        raise MtbenchError(f"{weights} is missing: download the checkpoint again, or train again")
    if weights.stat().st_size > LARGEST_WEIGHTS:
        raise MtbenchError(f"{weights} is larger than {LARGEST_WEIGHTS >> 30} GiB, and is not read")
    if file_sha256(weights) != record["weights_sha256"]:
        raise MtbenchError(f"{weights} is not what {RECORD} describes: cut off, or changed. Download or train again")
    plugin = MODELS.get(name)
    if not hasattr(plugin, "load"):
        raise MtbenchError(f"{path / RECORD} is of the model {name!r}, which has no weights to load")
    tensors, _ = read_tensors(weights)
    model = construct(plugin, {**record["options"], "device": device}, what=f"{path}: model {name!r}")
    try:
        model.load(record["inputs"], tensors)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError, MtbenchError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MtbenchError(f"{path}: the weights do not fit the options of {name!r}: {first}") from error
    return Checkpoint(path, model, record)


def check_fits(path: Path, record: Mapping[str, Any], benchmark: Benchmark, catalogue: Catalogue) -> None:
    """Refuse a checkpoint of another task, or of other words or features than these, as far as its model reads them.

    Raises:
        MtbenchError: what it was trained on, and what this is.
    """
    if record["revision"] != benchmark.revision:
        raise MtbenchError(
            f"{path} was trained on {record['benchmark']} revision {record['revision'][:12]}, but {benchmark.path} is "
            f"{benchmark.name} revision {benchmark.revision[:12]}. Train on this one: mtbench train {record['model']} "
            f"--benchmark {benchmark.path}"
        )
    plugin = MODELS.get(record["model"])
    words = catalogue.words if benchmark.manifest.get("proxies") else ""
    if getattr(plugin, "reads_words", False) and record["words"] != words:
        give = f"Give --words {record['words']}, or train again" if record["words"] and words else "Train again"
        raise MtbenchError(
            f"{path} was trained on the words {record['words'] or '(none)'}, but these are {words or '(none)'}. {give}"
        )
    if not getattr(plugin, "reads_features", True):
        return
    mine, theirs = catalogue.features.describe(), record["features"]
    if (theirs["key"], theirs["dim"]) != (mine.get("key"), mine.get("dim")):
        raise MtbenchError(
            f"{path} was trained on the features {theirs['name']} ({theirs['dim']} numbers, key {theirs['key'][:8]}), "
            f"but these are {mine.get('name')} ({mine.get('dim')} numbers, key {str(mine.get('key'))[:8]}). Give "
            f"--features {record['features_name']}, encoded as it was, or train again"
        )


def _field(record: Mapping[str, Any], name: str) -> Any:
    """A field by its name in `NEEDED`; None where it is not there."""
    outer, dot, inner = name.partition(".")
    found = record.get(outer)
    return (found.get(inner) if isinstance(found, dict) else None) if dot else found


def _has(fields: Mapping[str, type], row: object) -> bool:
    return isinstance(row, dict) and all(type(row.get(name)) is kind for name, kind in fields.items())


def _check_depth(value: Any) -> None:
    """ValueError for a record nested deeper than `LARGEST_DEPTH`; without recursion, which is what would fail."""
    level = [value]
    for _ in range(LARGEST_DEPTH):
        inner = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, (dict, list))]
        level = [one for part in inner for one in part]
        if not level:
            return
    raise ValueError(f"it is nested more than {LARGEST_DEPTH} deep")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")
