"""What is evaluated: a model by name, a checkpoint of one, or a file of rankings; made, and known by its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.core.files import file_sha256
from mtbench.core.options import construct, known_options
from mtbench.core.registry import MODELS
from mtbench.core.source import source_sha256
from mtbench.evaluation.ranker import check_model
from mtbench.evaluation.runs import is_run
from mtbench.models.checkpoint import is_checkpoint, open_checkpoint, read_record


@dataclass(frozen=True)
class System:
    """What is evaluated.

    Attributes:
        name: of the model, or of the file of rankings.
        plugin: its class; None for a file.
        model: an instance; None for a file.
        source_sha256: of its code, or of the file.
        shown_options: as typed; a checkpoint among them by the name of its model, so that seeds stand together.
        is_trained: whether the model comes with its weights, so that it is not fitted again.
        checkpoints: the records of all checkpoints in it, by folder.
        chosen_on_dev: of a checkpoint.
    """

    name: str
    plugin: type | None
    model: Any
    source_sha256: str
    shown_options: Mapping[str, object]
    is_trained: bool = False
    checkpoints: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    chosen_on_dev: Mapping[str, Any] = field(default_factory=dict)

    def features(self, asked: str | None) -> str | None:
        """Those asked for, else those that the checkpoints were trained on."""
        return asked or next((record.get("features_name") for record in self.checkpoints.values()), None)

    def words(self, asked: str | None) -> str | None:
        """The same for words."""
        return asked or next((record["words"] for record in self.checkpoints.values()), None)

    @property
    def trained(self) -> list[dict[str, Any]]:
        """What a result says of the trainings that it rests on: what leaks from them above all."""
        kept = ("model", "seed", "preset", "key", "weights_sha256", "status", "pairs", "leak")
        return [{name: record.get(name) for name in kept} for record in self.checkpoints.values()]


def system(name: str, options: Mapping[str, object], seed: int) -> System:
    """The system called ``name``.

    Args:
        name: a registered model, ``module:Class`` or ``file.py:Class``, a folder of a checkpoint, or a file of rankings.
        options: of the model, as typed.
        seed: for a model that takes one and is not trained yet.

    Raises:
        MtbenchError: none of these, or options that it does not take.
    """
    if is_checkpoint(name):
        if options:
            raise MtbenchError(f"{name} is a checkpoint: it has its options, and takes no {next(iter(options))}")
        opened = open_checkpoint(Path(name))
        record = opened.record
        shown = {**record["options"], "seed": record["seed"]}
        plugin = type(opened.model)
        return System(
            **{"name": record["model"], "plugin": plugin, "model": opened.model, "shown_options": shown},
            source_sha256=source_sha256(plugin),
            is_trained=True,
            checkpoints={Path(name): record},
            chosen_on_dev=record.get("chosen_on_dev", {}),
        )
    if is_run(name):
        if not Path(name).is_file():
            raise MtbenchError(f"{name} does not exist")
        if options:
            raise MtbenchError(f"{name} is a file of rankings: it has no options such as {next(iter(options))}")
        return System(Path(name).name, None, None, file_sha256(Path(name)), {})
    if Path(name).is_dir():
        raise MtbenchError(f"{name} is no checkpoint: it has no checkpoint.json. Make one: mtbench train --help")
    plugin = MODELS.get(name)
    given = dict(options)
    if any(option.split("=")[0] == "seed" for option in known_options(plugin)):
        given.setdefault("seed", seed)
    model = construct(plugin, given, what=f"model {name!r}")
    check_model(model)
    below = {option: Path(str(value)) for option, value in given.items() if is_checkpoint(str(value))}
    records = {option: read_record(path) for option, path in below.items()}
    shown = {**given, **{option: record["model"] for option, record in records.items()}}
    if records and "seed" not in shown:
        shown["seed"] = next(iter(records.values()))["seed"]
    checkpoints = {below[option]: record for option, record in records.items()}
    return System(name, plugin, model, source_sha256(plugin), shown, checkpoints=checkpoints)
